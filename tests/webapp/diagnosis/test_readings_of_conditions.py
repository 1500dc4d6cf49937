"""What is found where conditions are compared: seeds that do not rank them, too few problems, other ends of completions."""

import pytest
from django.db.models import F

from tests import factories
from tests.courses import compared, experiment_kinds
from webapp.comparison.cells import Comparison, SeedsComparison
from webapp.comparison.table import stage_table
from webapp.diagnosis import readings
from webapp.diagnosis.readings import Severity
from webapp.experiments.models import Experiment
from webapp.results.models import Evaluation, Outcome
from webapp.runs.models import StageRun, State

pytestmark = pytest.mark.django_db


def test_two_seeds_that_do_not_rank_the_conditions() -> None:
    found = readings.of_experiment(compared([(306, 378), (342, 234)], 600))  # 51, 57 % and 63, 39 %
    (one,) = [finding for finding in found if finding.kind == "seeds_do_not_rank"]
    assert one.headline == "Two seeds do not rank the conditions mul_tokens and baseline"
    assert "+12.0, −18.0 points" in one.evidence
    assert one.not_shown == "Not shown: that there is no difference."
    found = readings.of_experiment(compared([(300, 310), (330, 332), (290, 296)], 600, "demo-2"))
    (one,) = [finding for finding in found if finding.kind == "seeds_do_not_rank"]
    assert one.headline == (
        "The difference between the conditions mul_tokens and baseline is smaller than the spread between seeds"
    ), "all three agree"


def test_seeds_that_agree_rank_the_conditions() -> None:
    assert experiment_kinds(compared([(300, 360), (303, 366), (297, 354)], 600)) == {}


def without(experiment: Experiment, *seeds: int) -> Experiment:
    """These seeds of a condition still run."""
    for seed in seeds:
        run = factories.run_of(experiment, "mul_tokens", "words", seed)
        run.attempts.all().delete()
        StageRun.objects.filter(pk=run.pk).update(state=State.RUNNING)
    return experiment


def test_seeds_are_not_judged_before_the_planned_ones_are_in() -> None:
    shares = [(306, 378), (342, 234), (300, 300)]
    assert "seeds_do_not_rank" in experiment_kinds(compared(shares, 600))
    Experiment.objects.all().delete()
    assert experiment_kinds(without(compared(shares, 600), 2)) == {}
    Experiment.objects.all().delete()
    assert experiment_kinds(without(compared([(20, 22), (20, 22), (20, 22)], 60), 1, 2)) == {}, (
        "one seed alone"
    )


def test_seeds_that_do_not_rank_amounts_are_told_in_their_unit() -> None:
    """Findings of a planned amount, or of pass@k, over several seeds failed: no seed had a comparison of counts."""
    experiment = compared([(30, 30), (30, 30)], 60)
    experiment.recipe["primary"] = {"benchmark": factories.BENCHMARK, "metric": "tokens_per_response"}
    experiment.save()
    of_second = Outcome.objects.filter(evaluation__attempt__stage_run__condition__name="mul_tokens")
    for seed, more in ((0, 2), (1, -2)):
        of_second.filter(evaluation__attempt__stage_run__seed=seed).update(tokens=F("tokens") + more)
    of_second.filter(problem="p0000").update(tokens=F("tokens") + 3)
    (one,) = [found for found in readings.of_experiment(experiment) if found.kind == "seeds_do_not_rank"]
    assert "mul_tokens minus baseline is +2.0, −1.9 tokens in the seeds" in one.evidence.replace("\xa0", " ")


def changed(question: dict[str, object], more: list[int], *, baseline: int) -> Experiment:
    """Of 200 problems a stage solves so many more in each seed of mul_tokens, which is far ahead, and always `baseline` more there."""
    experiment = factories.make_experiment(
        stages=(("mixed", "sft"), ("words", "sft")),
        seeds=range(len(more)),
        recipe={"primary": {"benchmark": factories.BENCHMARK} | question, "test": "midp"},
    )
    for seed, gained in enumerate(more):
        for condition, before, after in (
            ("baseline", 40, 40 + baseline),
            ("mul_tokens", 140, 140 + gained),
        ):
            for stage, right in (("mixed", before), ("words", after)):
                attempt = factories.make_attempt(
                    factories.run_of(experiment, condition, stage, seed), state=State.SUCCEEDED
                )
                factories.add_evaluation(attempt, [i < right for i in range(200)])
    return experiment


INTERACTION = {"contrast": "interaction"}
GAIN = {"contrast": "gain", "condition": "mul_tokens"}


@pytest.mark.parametrize(
    ("question", "more", "what", "between"),
    [
        (
            INTERACTION,
            [60, 38, 51],
            "the change in mul_tokens since mixed minus that in baseline",
            "the changes in mul_tokens and baseline",
        ),
        (GAIN, [20, -2, 11], "the change in mul_tokens since mixed", "mul_tokens before and after words"),
    ],
)
def test_planned_gains_and_interactions_are_read_as_differences_are(
    question: dict[str, object], more: list[int], what: str, between: str
) -> None:
    experiment = changed(question, more, baseline=40)
    found = {one.kind: one for one in readings.of_experiment(experiment)}
    assert found.keys() >= {"seeds_do_not_rank", "too_few_seeds"}
    ranks, few = found["seeds_do_not_rank"], found["too_few_seeds"]
    assert ranks.headline == f"Three seeds do not rank {between}"
    assert f"After words, {what} is +10.0, −1.0, +5.5 points in the seeds, +4.8 on average" in ranks.evidence
    assert (
        f"After words, {what} is +4.8 points on average and differs from seed to seed by 5.5" in few.evidence
    )
    assert (ranks.stage, ranks.condition) == (few.stage, few.condition) == ("words", "mul_tokens")
    if question is INTERACTION:
        small = found["evaluation_too_small"]
        assert small.headline == "200 problems are too few for a difference of 4.8 points"
        assert (
            f"{what} is +4.8 points; so many problems, all 3 seeds together, show about 7." in small.evidence
        )
    Experiment.objects.all().delete()
    enough = [one + 40 * (question is INTERACTION) for one in (18, 20, 22)]
    assert experiment_kinds(changed(question, enough, baseline=40)) == {}, "seeds that agree are enough"


def test_one_seed_of_a_planned_interaction_may_have_too_few_problems() -> None:
    found = {one.kind: one for one in readings.of_experiment(changed(INTERACTION, [48], baseline=40))}
    assert list(found) == ["evaluation_too_small"]
    assert (
        "minus that in baseline is +4.0 points; so many problems show about"
        in found["evaluation_too_small"].evidence
    )


EQUIVALENCE = {"contrast": "equivalence", "margin": 0.05}


@pytest.mark.parametrize(
    ("question", "shares", "word"),
    [
        (EQUIVALENCE, [(30, 36), (30, 31), (30, 32)], "not shown equivalent"),
        (EQUIVALENCE, [(33, 30), (30, 33)], "not shown equivalent"),
        (EQUIVALENCE, [(30, 32)], "not shown equivalent"),
        ({}, [(30, 33), (33, 36), (27, 30)], "not tested"),
    ],
)
def test_what_is_no_missing_difference_has_no_finding(
    question: dict[str, object], shares: list[tuple[int, int]], word: str
) -> None:
    experiment = compared(shares, 60)
    experiment.recipe = {"primary": {"benchmark": factories.BENCHMARK} | question, "test": "midp"}
    experiment.save()
    row = stage_table(experiment).rows[-1]
    one = row.over_seeds[0] if row.over_seeds else row.seeds[0].comparisons[0]
    assert isinstance(one, Comparison | SeedsComparison) and one.verdict.word == word
    assert experiment_kinds(experiment) == {}


def test_too_few_seeds_for_an_amount_are_told_in_its_unit() -> None:
    experiment = compared([(30, 30)] * 3, 60)
    experiment.recipe["primary"] = {"benchmark": factories.BENCHMARK, "metric": "tokens_per_response"}
    experiment.save()
    of_second = Outcome.objects.filter(evaluation__attempt__stage_run__condition__name="mul_tokens")
    for seed, (problems, more) in enumerate([(60, 3), (30, 1), (60, 1)]):
        chosen = of_second.filter(evaluation__attempt__stage_run__seed=seed, problem__lt=f"p{problems:04d}")
        chosen.update(tokens=F("tokens") + more)
    (found,) = readings.of_experiment(experiment)
    assert found.kind == "too_few_seeds"
    assert "is +1.5 tokens on average and differs from seed to seed by 1.3" in found.evidence
    assert "3 seeds show 4.1 tokens or more" in found.evidence
    of_second.update(tokens=F("tokens") + 100)
    Outcome.objects.exclude(pk__in=of_second).update(tokens=109)
    assert experiment_kinds(experiment) == {}, "1.4 % of the tokens, which nobody claims"


def test_an_evaluation_too_small_for_its_claim() -> None:
    experiment = compared([(20, 22)], 60)
    assert experiment_kinds(experiment) == {"evaluation_too_small": Severity.WARNING}
    (found,) = readings.of_experiment(experiment)
    assert found.headline == "60 problems are too few for a difference of 3.3 points"
    Experiment.objects.all().delete()
    assert experiment_kinds(compared([(300, 360)], 600)) == {}, "large enough, and shown"


def found_by(experiment: Experiment, condition: str, rule: str, problems: int) -> None:
    """So many of the problems of a condition, in each seed, were answered by a rule, and the others behind the mark."""
    every = Outcome.objects.filter(evaluation__attempt__stage_run__experiment=experiment)
    of_condition = every.filter(evaluation__attempt__stage_run__condition__name=condition)
    of_condition.filter(problem__lt=f"p{problems:04d}").update(answer_rule=rule)


def test_conditions_that_end_their_completions_in_another_way() -> None:
    experiment = compared([(300, 360), (303, 366), (297, 354)], 600)
    found_by(experiment, "mul_tokens", "last_number", 120)
    found_by(experiment, "mul_tokens", "none", 30)
    (found,) = [one for one in readings.of_experiment(experiment) if one.kind == "answer_rules_differ"]
    assert found.severity == Severity.WARNING
    assert (found.condition, found.headline) == (
        "mul_tokens", "mul_tokens ends its completions in another way than baseline"
    )  # fmt: skip
    assert "means over 3 seeds, beyond chance in 3" in found.evidence
    assert (
        "behind the mark #### 100.0\u00a0% → 80.0\u00a0%; the last number 0.0\u00a0% → 15.0\u00a0%; no number at all"
        in found.evidence
    )
    assert found.evidence.endswith("The largest difference is −20.0 points, behind the mark ####.")


@pytest.mark.parametrize("change", ["little", "both", "not recorded", "another version", "few problems"])
def test_conditions_that_end_their_completions_alike_enough(change: str) -> None:
    few = change == "few problems"
    experiment = compared([(5, 6)], 10) if few else compared([(300, 360), (303, 366)], 600)
    found_by(experiment, "mul_tokens", "last_number", {"little": 50, "few problems": 2}.get(change, 120))
    if change == "both":
        found_by(experiment, "baseline", "last_number", 120)
    elif change == "not recorded":
        Outcome.objects.update(answer_rule=None)
    elif change == "another version":
        other = Evaluation.objects.filter(attempt__stage_run__condition__name="baseline")
        other.update(settings=factories.EVALUATION_SETTINGS | {"grader": "one_step_multiplication/0"})
    assert "answer_rules_differ" not in experiment_kinds(experiment)
