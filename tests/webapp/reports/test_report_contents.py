"""What a paper's author would write down of an experiment stands in the report: configuration, courses, prediction, next steps."""

from datetime import timedelta

import pytest

from tests import factories
from tests.courses import HACKED, compared, grpo
from training.recipes import recipe as recipes
from training.recipes.recipe import Recipe
from webapp.experiments.models import Experiment
from webapp.reports.report import report
from webapp.results.models import Evaluation
from webapp.runs.models import Attempt, StageRun, State

pytestmark = pytest.mark.django_db


def launched(recipe: Recipe, name: str = "phase6_grpo_20x-1") -> Experiment:
    """A recipe's stages, conditions and specs, without looking for its data."""
    experiment = factories.make_experiment(
        name,
        recipe=recipe.model_dump(mode="json"),
        recipe_name=recipe.name,
        stages=[(one.name, one.kind) for one in recipe.stages],
        conditions=[one.name for one in recipe.conditions],
        seeds=recipe.seeds,
    )
    settings = {one.name: one.model_dump(mode="json") for one in recipe.stages}
    for run in StageRun.objects.filter(experiment=experiment).select_related("stage"):
        run.spec["settings"] = settings[run.stage.name]
        run.save()
    return experiment


def lines_of(text: str, stage: str) -> dict[str, str]:
    """Label → text of a stage in the setup."""
    part = text[text.index(f"\n- Stage {stage}\n") :].split("\n- ")[1]
    found = (
        line.strip().removeprefix("- ").split(": ", 1)
        for line in part.splitlines()[1:]
        if line.startswith("  - ")
    )
    return dict(found)


def test_the_configuration_is_what_the_result_rests_on() -> None:
    shipped = recipes.shipped("phase6_grpo_20x")
    launched(recipes.build(shipped, [("scale", "1x")]))
    experiment = launched(recipes.build(shipped), "phase6_grpo_20x-2")
    for condition, hours in (("baseline", 2.1), ("mul_tokens", 2.2)):
        run = factories.run_of(experiment, condition, "grpo")
        worker = factories.make_worker()
        worker.gpus = ["NVIDIA RTX 4090"]
        worker.save()
        attempt = factories.make_attempt(run, state=State.SUCCEEDED, device="cuda:0", worker=worker)
        Attempt.objects.filter(pk=attempt.pk).update(ended_at=attempt.started_at + timedelta(hours=hours))
    text = report(experiment)
    of_grpo = lines_of(text, "grpo")
    assert of_grpo == {
        "Data": "gsm8k 100 %",
        "Optimizer": "AdamW, peak learning rate 5e-07, linear to 0 of the peak, 0 warm-up steps, betas 0.9, 0.999, "
        "weight decay 0, gradient clipped at 1",
        "Effective batch": "4 × 10 accumulated = 40 rollouts a step",
        "Token limits": "completions up to 256",
        "Sampling": "temperature 0.7",
        "Loss": "grpo, β 0.5 on the KL divergence, clip range 0.2, rewards scaled by group, 1 pass over each batch",
        "Rewards and weights": "correct × 1 (1 when the final number is right; then no other component counts); partial_credit × 1 "
        "(0.3 when the final number is wrong, but within 1 or within 10 %); shows_steps × 1 (0.1 when the completion has = or ####); "
        "uses_mul_tokens × 1 (0.2 when at least one mul-token was generated); short_response × 1 (0.1 for fewer than 150 words); "
        "repetition × 1 (-0.3 when a phrase of three words occurs three times or more)",
        "Precision": "bf16",
        "Rollouts compared": "80,000 in each condition; 20 × the 4,000 of phase6_grpo_20x-1",
        "Training time": "baseline 2 h 6 min, mul_tokens 2 h 12 min, evaluations included; on cuda:0 (NVIDIA RTX 4090)",
    }
    assert lines_of(text, "curriculum")["Data"] == (
        "drills: drills 100 %; word_problems: word_problems 90.9 %, gsm8k 9.09 %; gsm8k: gsm8k 79.6 %, decompositions 20.4 %"
    )
    assert "| Setting | baseline | mul_tokens |" in text
    assert "| mul_tokens.inject | false | true |" in text.replace("\\_", "_")
    assert "| stages.grpo.beta | 0.5 | 0.5 |" in text
    html = report(experiment, "html")
    assert "β 0.5 on the KL divergence, clip range 0.2" in html
    assert "stages.grpo.beta</" in html


def test_benchmarks_that_a_stage_has_for_itself_are_told() -> None:
    own = {"benchmark": "gsm8k", "problems": 200, "max_new_tokens": 256, "samples": 4}
    changes = [("stages.tulu.benchmarks", []), ("stages.grpo.benchmarks", [own])]
    text = report(launched(recipes.build(recipes.shipped("phase6_grpo_20x"), changes)))
    label = "Benchmarks instead of the recipe’s"
    assert lines_of(text, "tulu")[label] == "none" and label not in lines_of(text, "curriculum")
    asked = "gsm8k: 200 problems, greedy, and 4 samples at temperature 0.8, up to 256 new tokens"
    assert lines_of(text, "grpo")[label] == asked
    assert "Benchmark gsm8k: all problems" in text


def test_training_time_is_of_runs_that_succeeded() -> None:
    """Two runs that ended after 6 and 12 minutes made 2 h into a mean of 46 min."""
    recipe = recipes.build(recipes.shipped("phase6_grpo_20x"), [("seeds", [0, 1, 2])])
    experiment = launched(recipe)
    for seed, (state, hours) in enumerate(
        ((State.SUCCEEDED, 2.0), (State.FAILED, 0.1), (State.CANCELLED, 0.2))
    ):
        run = factories.run_of(experiment, "baseline", "grpo", seed)
        attempt = factories.make_attempt(run, state=state, device=f"cuda:{seed}")
        Attempt.objects.filter(pk=attempt.pk).update(ended_at=attempt.started_at + timedelta(hours=hours))
        StageRun.objects.filter(pk=run.pk).update(state=state)
    told = lines_of(report(experiment), "grpo")["Training time"]
    assert (
        told
        == "baseline 2 h 0 min, evaluations included; on cuda:0; 5 runs that have not succeeded are left out"
    )


def test_rollouts_are_told_in_times_of_the_baselines() -> None:
    recipe = recipes.build(recipes.shipped("phase6_grpo_20x"))
    experiment = launched(recipe)
    run = factories.run_of(experiment, "mul_tokens", "grpo")
    run.spec["settings"] |= {"prompts": 4000}
    run.save()
    told = lines_of(report(experiment), "grpo")["Rollouts compared"].replace("\\_", "_")
    assert told == "mul_tokens has 160,000, 2 × baseline’s 80,000"


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
