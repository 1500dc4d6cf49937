"""What is found where conditions are compared: seeds that do not rank them, too few problems, other ends of completions."""

import pytest
from django.db.models import F

from tests import factories
from tests.courses import compared, experiment_kinds
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
    assert "not shown: that the conditions are equal" in one.not_shown.lower()


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
