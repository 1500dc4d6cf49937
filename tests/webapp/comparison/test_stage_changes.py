"""What the last stage changed: of the planned seeds, at the level of the recipe, and not where it is what was planned."""

import pytest

from tests.factories import BENCHMARK, add_evaluation, make_attempt, make_experiment, run_of
from webapp.comparison.stage_changes import StageChange, last_gains, over_the_seeds
from webapp.comparison.table import stage_table
from webapp.experiments.models import Experiment
from webapp.reports import drawings
from webapp.reports.report import report
from webapp.results.models import Evaluation
from webapp.runs import services
from webapp.runs.models import State
from webapp.statistics.proportions import tango

pytestmark = pytest.mark.django_db
STAGES = (("mixed", "sft"), ("grpo", "grpo"))
CHANGES = (12, 9, 14, -40, 11, 13)  # of 100 problems


def experiment_of(
    planned: int, finished: int, question: dict[str, object] | None = None, **fields
) -> Experiment:
    """One condition of so many seeds, of which the first `finished` are over, with these changes."""
    recipe = {"primary": {"benchmark": BENCHMARK} | (question or {}), "test": "midp"}
    made = make_experiment(
        stages=STAGES, seeds=range(planned), conditions=("baseline",), recipe=recipe, **fields
    )
    for seed, change in enumerate(CHANGES[:finished]):
        for stage, right in (("mixed", 50), ("grpo", 50 + change)):
            attempt = make_attempt(run_of(made, "baseline", stage, seed), state=State.SUCCEEDED)
            add_evaluation(attempt, [i < right for i in range(100)])
    return made


def change_of(made: Experiment) -> StageChange:
    table = stage_table(made)
    (found,) = over_the_seeds(last_gains(table), table)
    return found


def test_before_the_planned_seeds_are_in_it_is_interim_and_has_no_p():
    made = experiment_of(4, finished=3)
    assert (change_of(made).word, change_of(made).p) == ("interim", None)
    text = report(made)
    assert (
        "Interim: a change of Accuracy by grpo after mixed in baseline: +12.0, +9.0, +14.0 points in seeds 0, 1, 2"
        in text
    )
    assert "3 of 4 planned seeds are in." in text
    rows = [line for line in text.splitlines() if line.startswith("| mixed → grpo |")]
    assert len(rows) == 3 and all("| – | 1" in row or "| – | 9" in row for row in rows), rows
    (one,) = (
        line for line in report(experiment_of(4, 1, name="demo-2")).splitlines() if "after mixed in" in line
    )
    assert one.startswith("- Interim: ") and one.endswith("in seed 0; 1 of 4 planned seeds is in.")


def test_seeds_after_the_planned_ones_change_nothing():
    change = change_of(experiment_of(6, finished=6, question={"seeds": 3}))
    assert [one.after.seed for one in change.gains] == [0, 1, 2]
    assert change.word == "shown", "the seed with -40 points was not planned"


def test_two_seeds_and_one_given_up_are_suggestive_at_most():
    assert change_of(experiment_of(2, finished=2, alpha=0.2)).word == "suggestive"
    made = experiment_of(4, finished=3, name="demo-2")
    services.cancel(run=run_of(made, "baseline", "mixed", 3), by="ada")
    assert (change_of(made).word, change_of(made).given_up) == ("suggestive", (3,))
    assert "Suggestive over 3 seeds: a change of Accuracy by grpo after mixed in baseline" in report(made)
    assert "exploratory and not adjusted; without seed 3 of the plan." in report(made)


def test_seeds_of_different_graders_are_not_taken_together():
    made = experiment_of(3, finished=3)
    for evaluation in Evaluation.objects.filter(attempt__stage_run__seed=2):
        evaluation.settings = evaluation.settings | {"grader": f"{BENCHMARK}/0"}
        evaluation.save()
    assert (change_of(made).word, change_of(made).p) == ("not together", None)
    assert drawings.by_stage(stage_table(made)) == [], "nor is their mean drawn"
    assert len(drawings.by_stage(stage_table(experiment_of(3, finished=3, name="demo-2")))) == 1
    assert (
        "+12.0, +9.0, +14.0 points in seeds 0, 1, 2; seeds of different graders are not taken together."
        in report(made)
    )


def test_its_intervals_are_at_the_level_of_the_recipe():
    made = experiment_of(1, finished=1, alpha=0.01)
    (gain,) = change_of(made).gains
    assert gain.interval == tango(12, 0, 100, 0.99)
    assert "| 99 % interval |" in report(made)
    assert "+12.0 points, 99 % interval" in report(made)


def test_a_planned_gain_is_left_to_the_planned_question():
    made = experiment_of(3, finished=3, question={"contrast": "gain"})
    table = stage_table(made)
    assert last_gains(table) == [] == over_the_seeds([], table)
    assert "What the last stage changed" not in report(made)
    elsewhere = stage_table(made, metric="repetition_rate")
    assert last_gains(elsewhere) != [], "by another metric nobody planned it"
