"""Planned seeds on the page: interim, given up, failed, frozen; what more seeds of a finished experiment do."""

from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from django.db.models import Case, Value, When
from django.test import Client

from tests.factories import BENCHMARK, add_evaluation, make_attempt, make_experiment, make_user, run_of
from training.recipes import recipe as recipes
from webapp.comparison.cells import Comparison, SeedsComparison
from webapp.comparison.corrections import corrections
from webapp.comparison.problems.flips import flips
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.table import StageTable, stage_table
from webapp.comparison.tables import stage_tables
from webapp.experiments.models import Experiment
from webapp.files.number_text import plain
from webapp.launch.drafts import draft_from
from webapp.launch.launch import launch
from webapp.pages.overview.newest_results import last_results
from webapp.reports.report import report
from webapp.results.models import Evaluation, Outcome
from webapp.runs import services
from webapp.runs.models import StageRun, State
from webapp.statistics.families import Family
from webapp.statistics.planned_seeds import SeedPlan, read_seeds
from webapp.statistics.proportions import tango
from webapp.statistics.seeds import over_seeds

pytestmark = pytest.mark.django_db
STAGE = (("drills", "sft"),)
DIFFERENCES = (12, 9, 14, 11, 13, 10, 12)
LOOK = {"interim": 3}


def experiment_of(
    planned: int,
    *,
    finished: int,
    question: dict[str, object] | None = None,
    differences: tuple[int, ...] = DIFFERENCES,
    **fields,
) -> Experiment:
    """An experiment of so many seeds, of which the first `finished` are over, with these differences in 100 problems."""
    recipe = {"primary": {"benchmark": BENCHMARK} | (question or {}), "test": "midp"}
    made = make_experiment(stages=STAGE, seeds=range(planned), recipe=recipe, **fields)
    for seed, difference in enumerate(differences[:finished]):
        for condition, right in (("baseline", 40), ("mul_tokens", 40 + difference)):
            attempt = make_attempt(run_of(made, condition, "drills", seed), state=State.SUCCEEDED)
            add_evaluation(attempt, [i < right for i in range(100)])
    return made


def together(table: StageTable) -> SeedsComparison:
    (found,) = table.rows[0].over_seeds
    assert found is not None
    return found


def test_there_is_no_verdict_before_the_planned_seeds_are_in():
    made = experiment_of(7, finished=6)
    table = stage_table(made)
    assert together(table).verdict.word == "interim"
    assert together(table).p is together(table).adjusted_p is None
    (sentence,) = verdict_sentences(table)
    assert sentence.verdict is None
    assert sentence.headline.endswith("is not decided yet: 6 of 7 planned seeds are in.")
    assert "95 % t interval +9.5 to +13.5." in plain(sentence.numbers)
    assert "Interim: there is no verdict before" in sentence.limits
    client = Client()
    client.force_login(make_user())
    assert "verdict-interim" in client.get("/experiments/demo-1/comparison/").content.decode()
    assert "Not decided, planned question: After drills" in report(made)
    assert last_results()[0].contrasts[0].note == "6 of 7 planned seeds are in"


@pytest.mark.slow
def test_after_each_seed_the_table_says_what_its_seeds_say():
    """Thirty experiments of equal conditions, one after another in the same rows, each looked at as its seeds come in."""
    draw, plan, seeds, problems = np.random.default_rng(3), SeedPlan(3), 4, 20
    made = make_experiment(
        stages=STAGE,
        seeds=range(seeds),
        recipe={"primary": {"benchmark": BENCHMARK, "seeds": plan.seeds}},
    )
    evaluations = [
        [
            add_evaluation(make_attempt(run_of(made, name, "drills", seed)), [False] * problems).pk
            for name in ("baseline", "mul_tokens")
        ]
        for seed in range(seeds)
    ]
    ids = np.array(Outcome.objects.order_by("evaluation", "problem").values_list("pk", flat=True))
    ids = ids.reshape(seeds, 2, problems)
    words, false = Counter[str](), 0
    for _ in range(30):
        right = draw.random(ids.shape) < 0.5
        differences = (right[:, 1].mean(axis=1) - right[:, 0].mean(axis=1)).tolist()
        Outcome.objects.update(
            correct=Case(When(pk__in=ids[right].tolist(), then=Value(True)), default=Value(False))
        )
        Evaluation.objects.update(problems=problems + 1)  # some outcomes are not in
        arrived, shown = [None] * seeds, False
        for seed in [*draw.permutation(plan.seeds), *range(plan.seeds, seeds)]:
            Evaluation.objects.filter(pk__in=evaluations[seed]).update(problems=problems)
            arrived[seed] = differences[seed]
            expected = read_seeds(arrived, Family("primary", 1, 0.05), plan)
            (found,) = stage_table(made).rows[0].over_seeds
            assert (found is None) == (expected is None)
            if found is not None and expected is not None:
                assert found.verdict.word == expected.verdict.word
                assert found.p is None or found.p == pytest.approx(expected.result.p)
                words[found.verdict.word] += 1
                shown |= found.verdict.positive
        false += shown
    assert words["interim"] == 30 and words["not distinguishable"] > 40
    assert false / 30 <= 0.05 + 3 * (0.05 * 0.95 / 30) ** 0.5


def test_one_seed_of_several_is_no_verdict_either():
    (sentence,) = verdict_sentences(stage_table(experiment_of(3, finished=1)))
    assert sentence.verdict is None
    assert sentence.headline.endswith("is not decided yet: one seed is in.")
    assert sentence.numbers.startswith("So far, seed 0: mul_tokens")


def test_rows_of_single_seeds_have_an_interval_alone_until_the_planned_seeds_are_in():
    made = experiment_of(3, finished=2)
    table = stage_table(made)
    first, _, missing = (seed.comparisons[0] for seed in table.rows[0].seeds)
    assert isinstance(first, Comparison) and missing is None
    assert (first.verdict.word, first.p, first.adjusted_p) == ("interim", None, None)
    assert first.interval == tango(12, 0, 100) and first.new_problems is None
    assert [
        (row["mcnemar_p"], row["adjusted_p"], row["new_problems_p"], row["verdict"], row["role"])
        for row in stage_tables.rows(table)
        if row["contrast"] and not row["over_seeds"]
    ] == [(None, None, None, "interim", "exploratory")] * 2
    client = Client()
    client.force_login(make_user())
    page = client.get("/experiments/demo-1/comparison/").content.decode()
    assert "verdict-interim" in page and "verdict-differ" not in page
    flips_page = "/experiments/demo-1/flips/?seed=0"
    assert "not before the planned seeds are in" in client.get(flips_page).content.decode()
    (sentence,) = verdict_sentences(stage_table(experiment_of(3, finished=1, name="demo-2")))
    assert plain(sentence.numbers).endswith("95 % interval +7.0 to +19.8.")
    services.cancel(run=run_of(made, "mul_tokens", "drills", 2), by="ada")
    decided = stage_table(made).rows[0].seeds[0].comparisons[0]
    assert isinstance(decided, Comparison)
    assert "p = 0.0002" in client.get(flips_page).content.decode()
    assert (decided.verdict.word, decided.family.role) == ("differ", "exploratory")


def test_flips_of_what_the_look_has_decided_wait_no_longer():
    made = experiment_of(5, finished=3, question=LOOK, differences=(30, 31, 30))
    assert not flips(made, seed="0").waits and flips(made, seed="0", metric="repetition_rate").waits
    assert flips(experiment_of(5, finished=3, question=LOOK, name="demo-2"), seed="0").waits, "not decided"


def test_a_seed_that_is_given_up_is_named_and_leaves_it_suggestive_at_most():
    made = experiment_of(7, finished=6)
    services.cancel(run=run_of(made, "mul_tokens", "drills", 6), by="ada")
    table = stage_table(made)
    assert together(table).verdict.word == "suggestive"
    assert together(table).given_up == (6,)
    assert (
        "Seed 6 of the plan will not come, so the verdict is suggestive at most."
        in verdict_sentences(table)[0].limits
    )


def test_the_overview_hears_that_a_seed_is_given_up():
    made = experiment_of(7, finished=6)
    assert last_results()[0].contrasts[0].note == "6 of 7 planned seeds are in"
    services.cancel(run=run_of(made, "mul_tokens", "drills", 6), by="ada")
    (found,) = last_results()[0].contrasts
    assert found.verdict is not None
    assert (found.verdict.word, found.note) == ("suggestive", "")
    services.retry(run=run_of(made, "mul_tokens", "drills", 6), by="ada")
    assert last_results()[0].contrasts[0].note == "6 of 7 planned seeds are in"


def test_a_seed_that_failed_is_waited_for_until_a_person_gives_it_up():
    made = experiment_of(4, finished=3)
    run = run_of(made, "mul_tokens", "drills", 3)
    make_attempt(run, state=State.FAILED)
    table = stage_table(made)
    assert together(table).verdict.word == "interim"
    assert (
        "Seed 3 failed: retry, or give up what failed; the verdict waits."
        in verdict_sentences(table)[0].limits
    )
    client = Client()
    client.force_login(make_user())
    assert "Give up" in client.get(f"/runs/{run.pk}/").content.decode()
    services.cancel(run=run, by="ada")
    assert run.events.last().text == "given up by ada"
    assert together(stage_table(made)).verdict.word == "suggestive"
    services.retry(run=run, by="ada")
    assert together(stage_table(made)).verdict.word == "interim"


def test_the_verdict_freezes_at_the_planned_seeds():
    made = experiment_of(6, finished=6, question={"seeds": 3})
    found = together(stage_table(made))
    assert found.differences == pytest.approx((0.12, 0.09, 0.14))
    assert (found.verdict.word, found.planned, found.seeds) == ("supported", 3, (0, 1, 2))
    sentence = verdict_sentences(stage_table(made))[0]
    assert "Mean over 3 seeds" in sentence.numbers
    assert "Exploratory, with the seeds after the planned 3: +11.5 points, 95 % t interval" in plain(
        sentence.limits
    )


def test_after_a_stop_at_the_look_no_other_seed_is_waited_for():
    made = experiment_of(5, finished=3, question=LOOK, differences=(30, 31, 30))
    services.cancel(run=run_of(made, "mul_tokens", "drills", 3), by="ada")
    make_attempt(run_of(made, "mul_tokens", "drills", 4), state=State.FAILED)
    found = together(stage_table(made))
    assert (found.stopped, found.verdict.word) == (True, "supported")
    assert found.given_up == found.failed == ()
    limits = verdict_sentences(stage_table(made))[0].limits
    assert "Decided at the look after 3 of 5 seeds" in limits
    assert "will not come" not in limits and "waits" not in limits


def test_seeds_after_a_stop_have_the_exploratory_interval_of_later_seeds():
    made = experiment_of(5, finished=4, question=LOOK, differences=(30, 31, 30, 11))
    found = together(stage_table(made))
    assert found.stopped and found.differences == pytest.approx((0.3, 0.31, 0.3))
    assert found.later == over_seeds([0.3, 0.31, 0.3, 0.11])
    assert "Exploratory, with the seeds after the 3 of the look: +25.5 points, 95 % t interval" in plain(
        verdict_sentences(stage_table(made))[0].limits
    )


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (2, "p < 0.001 for one look after 3 seeds, and at the end the other 0.049 (intervals at 95.1 %)"),
        (
            4,
            "p < 0.000333 for one look after 3 seeds, and at the end the other 0.049, which its 3 comparisons share "
            "(Bonferroni: 0.0163 each, intervals at 98.37 %)",
        ),
    ],
)
def test_the_levels_that_a_look_leaves_are_named(conditions, said):
    names = ("baseline", "mul_tokens", "third", "fourth")[:conditions]
    recipe = {"primary": {"benchmark": BENCHMARK} | LOOK}
    made = make_experiment(stages=STAGE, seeds=range(5), conditions=names, recipe=recipe)
    assert f"is tested at α = 0.05: {said};" in plain(corrections(stage_table(made)))


def test_the_look_is_for_the_planned_question_alone():
    made = experiment_of(5, finished=5, question=LOOK, differences=(30, 31, 30, 11, 2))
    assert together(stage_table(made)).stopped
    other = together(stage_table(made, baseline="mul_tokens"))
    assert (other.family.role, other.stopped, len(other.seeds)) == ("exploratory", False, 5)
    assert other.family.level == 0.95
    stages = (("mixed", "sft"), *STAGE)
    recipe = {"primary": {"benchmark": BENCHMARK} | LOOK}
    made = make_experiment("demo-2", stages=stages, seeds=range(5), recipe=recipe)
    for run in made.runs.all():
        right = 40 + run.condition.position * (30 + run.seed % 2)
        add_evaluation(make_attempt(run, state=State.SUCCEEDED), [i < right for i in range(100)])
    secondary, primary = (row.over_seeds[0] for row in stage_table(made).rows)
    assert secondary is not None and primary is not None
    assert (secondary.family.role, secondary.stopped, len(secondary.seeds)) == ("secondary", False, 5)
    assert (primary.family.role, primary.stopped, len(primary.seeds)) == ("primary", True, 3)


@pytest.mark.parametrize("given_up", [(1, 2), (2,)])
def test_seeds_that_will_not_come_are_named_before_there_are_two(given_up):
    made = experiment_of(3, finished=1)
    for seed in given_up:
        services.cancel(run=run_of(made, "mul_tokens", "drills", seed), by="ada")
    (sentence,) = verdict_sentences(stage_table(made))
    if len(given_up) == 2:
        assert sentence.headline.endswith("is not decided: seeds 1, 2 of the plan will not come.")
        assert sentence.limits == (
            "Seeds 1, 2 of the plan will not come, so there is no verdict: one seed compares two checkpoints."
        )
    else:
        assert sentence.headline.endswith("is not decided yet: one seed is in.")
        assert sentence.limits.endswith(
            "Seed 2 of the plan will not come, so the verdict is suggestive at most."
        )


def test_seeds_that_will_not_come_are_named_of_a_planned_gain():
    stages = (("mixed", "sft"), *STAGE)
    made = make_experiment(
        stages=stages,
        seeds=range(3),
        recipe={"primary": {"benchmark": BENCHMARK, "contrast": "gain", "condition": "mul_tokens"}},
    )
    for stage, right in (("mixed", 40), ("drills", 60)):
        attempt = make_attempt(run_of(made, "mul_tokens", stage), state=State.SUCCEEDED)
        add_evaluation(attempt, [i < right for i in range(100)])
    for seed in (1, 2):
        services.cancel(run=run_of(made, "mul_tokens", "mixed", seed), by="ada")
    sentence = verdict_sentences(stage_table(made))[0]
    assert sentence.headline.endswith("is not decided: seeds 1, 2 of the plan will not come.")


def test_the_mean_row_is_of_the_seeds_that_its_difference_is_of():
    made = experiment_of(6, finished=6, question={"seeds": 3})
    table = stage_table(made)
    assert table.rows[0].means == pytest.approx((0.4, 0.4 + 0.35 / 3)), (
        "without the seeds after the planned 3"
    )
    (mean,) = (
        row for row in stage_tables.rows(table) if row["over_seeds"] and row["condition"] == "mul_tokens"
    )
    assert mean["rate"] - 0.4 == pytest.approx(mean["delta"])
    waits = experiment_of(3, finished=2, name="demo-2")
    add_evaluation(make_attempt(run_of(waits, "baseline", "drills", 2), state=State.SUCCEEDED), [True] * 100)
    assert stage_table(waits).rows[0].means == pytest.approx((0.4, 0.505)), (
        "without a seed of the baseline alone"
    )


def test_the_baseline_has_no_mean_where_the_differences_are_of_different_seeds():
    made = make_experiment(
        stages=STAGE, seeds=range(3), conditions=("baseline", "mul_tokens", "third"), recipe={"test": "midp"}
    )
    for run in made.runs.exclude(condition__name="third", seed=2):
        attempt = make_attempt(run, state=State.SUCCEEDED)
        add_evaluation(attempt, [i < 40 + 5 * run.condition.position + run.seed for i in range(100)])
    baseline, second, third = stage_table(made).rows[0].means
    assert (baseline, second, third) == (None, pytest.approx(0.46), pytest.approx(0.505))


def test_seeds_of_different_graders_are_not_averaged():
    made = experiment_of(3, finished=3)
    for evaluation in Evaluation.objects.filter(attempt__stage_run__seed=2):
        evaluation.settings = evaluation.settings | {"grader": f"{BENCHMARK}/0"}
        evaluation.save()
    made.recipe = made.recipe | {"expected_accuracy": [0.4, 0.5]}
    made.save()
    table = stage_table(made)
    assert table.rows[0].over_seeds == (None,)
    assert table.rows[0].means == (None, None)
    assert "seeds of different graders are not taken together" in report(made)


def test_more_seeds_of_a_finished_experiment_leave_its_verdict_as_it_was():
    recipe = recipes.build(recipes.read("smoke"), [("seeds", [0, 1])])
    first = launch(recipe=recipe, owner=make_user())
    draft = draft_from(first, None, more_seeds=True)
    assert draft.changes == [("seeds", [0, 1, 2, 3]), ("primary.seeds", 2)]
    form = draft.form()
    assert form.base.primary.seeds == 2
    again = launch(recipe=form.base, owner=make_user(), origin=first)
    Experiment.objects.filter(pk=first.pk).update(created_at=first.created_at - timedelta(days=2))
    for run in StageRun.objects.filter(experiment=again, stage__name="grpo", seed__lt=2):
        right = 40 + (10 + run.seed) * run.condition.position
        add_evaluation(make_attempt(run, state=State.SUCCEEDED), [i < right for i in range(100)])
    Evaluation.objects.update(at=first.created_at - timedelta(days=1))  # as they are reused
    again = Experiment.objects.get(pk=again.pk)
    row = next(row for row in stage_table(again).rows if row.stage == "grpo")
    (found,) = row.over_seeds
    assert found is not None and not found.seen
    assert (found.planned, found.verdict.word) == (2, "suggestive")  # two seeds
    alone = draft_from(
        launch(recipe=recipes.build(recipes.read("smoke")), owner=make_user()), None, more_seeds=True
    )
    assert "primary.seeds" not in dict(alone.changes), "one seed compared checkpoints: more ask something new"
