"""What a paper's author would write down of an experiment stands in the report: courses, prediction, conclusion, next steps."""

import pytest

from tests import factories
from tests.courses import HACKED, compared, grpo
from webapp.experiments.models import Experiment
from webapp.reports.report import report
from webapp.results.models import Evaluation
from webapp.runs.models import StageRun, State

pytestmark = pytest.mark.django_db


def test_the_course_of_a_metric_can_be_read_over_all_stages() -> None:
    experiment = factories.make_experiment(stages=(("words", "sft"), ("grpo", "grpo")))
    amounts = {("words", "mul_tokens"): 2, ("grpo", "mul_tokens"): 5}
    for run in StageRun.objects.filter(experiment=experiment).select_related("stage", "condition"):
        attempt = factories.make_attempt(run, state=State.SUCCEEDED)
        count = amounts.get((run.stage.name, run.condition.name), 0)
        factories.add_evaluation(attempt, [True] * 10, mul_tokens=count)
    text = report(experiment).replace("\\_", "_")
    assert "### After every stage\n\n| Metric | Condition | words | grpo |" in text
    assert "| Mul-tokens per completion | mul_tokens | 2.00 | 5.00 |" in text


def test_components_of_the_reward_have_their_course() -> None:
    rows = [
        line
        for line in report(grpo(HACKED).experiment).replace("\\_", "_").splitlines()
        if line.startswith("| Re")
    ]
    names = [line.split("|")[1].strip() for line in rows if line.startswith("| Reward")]
    assert names == [
        "Reward",
        "Reward: correct",
        "Reward: partial_credit",
        "Reward: shows_steps",
        "Reward: uses_mul_tokens",
    ]
    (paid,) = [line for line in rows if "uses_mul_tokens" in line]
    assert paid.endswith("| rising |")


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ([0.5, 0.6], ["may hold", "may hold", "held"]),
        ([0.5, 0.9], ["may hold", "not held", "not held"]),
        ([0.2], ["not held", "not held", "not held"]),
        ([], []),
    ],
)
def test_the_prediction_stands_beside_the_outcome(expected: list[float], words: list[str]) -> None:
    experiment = compared([(300, 360), (303, 366), (297, 354)], 600)
    experiment.recipe["expected_accuracy"] = expected
    experiment.save()
    text = report(experiment)
    part = text[text.index("## Prediction and outcome") : text.index("## Detailed metrics")]
    assert "Predicted at launch: mul\\_tokens ends at least 5 points above baseline." in part or (
        "Predicted at launch: mul_tokens ends at least 5 points above baseline." in part
    )
    assert "Outcome of the planned question: After words, a difference between mul" in part
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if " after words |" in line]
    assert [row[-1] for row in rows] == words
    if len(expected) == 2:
        assert rows[2][2].startswith("+10.0 points, 95 % interval")
    if not expected:
        assert "The recipe predicts no number" in part


def held_of(experiment: Experiment) -> list[list[str]]:
    """What was predicted, the outcome and what is said of it, of each accuracy."""
    part = report(experiment).partition("## Prediction and outcome")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if " after words |" in line]
    return [[row[0], *row[2:]] for row in rows if "minus" not in row[0]]


def test_an_accuracy_is_not_judged_before_the_planned_seeds_are_in() -> None:
    """Two of three seeds near 50 % made a prediction of 20 % "not held", and one alone by its problems."""
    experiment = compared([(300, 360), (303, 366), (297, 354)], 600)
    experiment.recipe["expected_accuracy"] = [0.2]
    experiment.save()
    run = factories.run_of(experiment, "baseline", "words", 2)
    run.attempts.all().delete()
    for state, held in (
        (State.RUNNING, "not decided"),
        (State.FAILED, "not decided"),
        (State.CANCELLED, "not held"),
    ):
        StageRun.objects.filter(pk=run.pk).update(state=state)
        (baseline, other) = held_of(experiment)
        assert "mean over 2 seeds" in baseline[1] and baseline[1].endswith(", interim") == (
            held != "not held"
        )
        assert baseline[2] == held and other[2] == "not held"


def test_accuracies_of_different_graders_are_not_taken_together() -> None:
    experiment = compared([(300, 360), (303, 366), (297, 354)], 600)
    experiment.recipe["expected_accuracy"] = [0.2]
    experiment.save()
    evaluation = Evaluation.objects.get(
        attempt__stage_run=factories.run_of(experiment, "mul_tokens", "words", 1)
    )
    evaluation.settings["grader"] = "one_step_multiplication/2"
    evaluation.save()
    baseline, other = held_of(experiment)
    assert baseline[2] == "not held"
    assert other[2] == "not decided" and other[1] == "seeds of different graders are not taken together"


def test_a_difference_that_is_not_shown_may_hold() -> None:
    experiment = compared([(300, 303)], 600)
    experiment.recipe["expected_accuracy"] = [0.5, 0.51]
    experiment.save()
    assert "| +1.0 points | +0.5 points, 95 % interval" in (text := report(experiment))
    assert "| may hold |" in text


def test_the_notes_are_quoted_in_both_formats() -> None:
    notes = "# My view\n\nIt *works*. <b>"
    experiment = factories.make_experiment(notes=notes, notes_by="ada")
    text, html = report(experiment), report(experiment, "html")
    assert "## Notes\n\nLast edited by ada; not computed.\n\n> # My view\n>\n> It *works*. <b>" in text
    assert "<blockquote><h3>My view</h3>\n<p>It <em>works</em>. &lt;b&gt;</p>\n</blockquote>" in html
    assert "## Notes" not in report(factories.make_experiment("demo-2"))


def test_the_conclusion_says_what_every_condition_reached() -> None:
    text = report(compared([(11, 20)], 500)).replace("\\_", "_")
    part = text.partition("## What is supported, and what is not")[2]
    reached = f"Accuracy on {factories.BENCHMARK} after words: baseline 2.2 %, mul_tokens 4.0 %."
    assert part.strip().startswith(f"- {reached}")
    Experiment.objects.update(name="demo-0")
    several = report(compared([(100, 110), (200, 230)], 500)).replace("\\_", "_")
    assert "after words: baseline 30.0 %, mul_tokens 34.0 %, means over the finished seeds." in several


def test_a_change_that_is_not_shown_is_not_asserted() -> None:
    experiment = factories.make_experiment(
        stages=(("words", "sft"), ("grpo", "grpo")), conditions=("baseline",)
    )
    for stage, right in (("words", 12), ("grpo", 11)):
        attempt = factories.make_attempt(
            factories.run_of(experiment, "baseline", stage), state=State.SUCCEEDED
        )
        factories.add_evaluation(attempt, [i < right for i in range(500)])
    text = report(experiment)
    assert (
        "Not shown: a change of Accuracy by grpo after words in baseline: -0.2 points, 95 % interval" in text
    )
    assert "grpo changed" not in text


def test_the_day_of_its_end_stands_in_the_report_once_all_is_finished() -> None:
    experiment = compared([(300, 360)], 600)
    run = factories.run_of(experiment, "baseline", "words")
    assert run.finished_at is not None
    assert f"**Finished:** {run.finished_at:%Y-%m-%d}" in report(experiment)
    StageRun.objects.filter(pk=run.pk).update(state=State.RUNNING, finished_at=None)
    assert "**Finished:**" not in report(experiment)


def test_the_prediction_stands_at_the_top_and_with_the_numbers_of_the_outcome() -> None:
    experiment = compared([(300, 360)], 600)
    text = report(experiment).replace("\\_", "_")
    assert text.count(experiment.prediction) == 2
    assert f"**Prediction:** {experiment.prediction}" in text
    (outcome,) = [line for line in text.splitlines() if line.startswith("Outcome of the planned question: ")]
    assert "mul_tokens 60.0 % (360/600), baseline 50.0 % (300/600): +10.0 points" in outcome


def test_other_benchmarks_have_their_results_apart() -> None:
    experiment = factories.make_experiment(stages=(("words", "sft"),))
    for condition, right in (("baseline", 30), ("mul_tokens", 45)):
        run = factories.run_of(experiment, condition, "words")
        run.spec["benchmarks"] += [{"benchmark": name, "problems": 60} for name in ("hellaswag", "gsm8k")]
        run.save()
        attempt = factories.make_attempt(run, state=State.SUCCEEDED)
        factories.add_evaluation(attempt, [True] * 600)
        factories.add_evaluation(attempt, [i < right for i in range(60)], benchmark="hellaswag")
    text = report(experiment).replace("\\_", "_")
    part = text.partition("## Other benchmarks")[2].partition("\n## ")[0]
    assert "### Accuracy on hellaswag, exploratory, not corrected; Δ is against baseline" in part
    assert "50.0 %" in part and "75.0 %" in part and "gsm8k" not in part
    assert "## Other benchmarks" not in report(experiment, problems="first:100")
    Experiment.objects.update(name="demo-0")
    assert "## Other benchmarks" not in report(compared([(3, 4)], 10))
