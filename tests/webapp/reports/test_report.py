"""The report states what the rows say, and plainly what they do not."""

import math
import re

import pytest

from tests.factories import add_evaluation, add_metrics, make_attempt, make_experiment, run_of
from tests.histories import make_history
from training.recipes.recipe import build as build_recipe, read
from webapp.reports import drawings
from webapp.reports.report import report
from webapp.results.models import Outcome
from webapp.runs.models import State

pytestmark = pytest.mark.django_db


def test_curves_are_of_where_a_reused_run_was_trained_and_of_numbers_alone():
    source = make_history("demo-1", done=6)
    other = make_experiment("demo-2", stages=(("grpo", "grpo"),))
    for condition in ("baseline", "mul_tokens"):
        run = run_of(other, condition, "grpo")
        run.reused_from = run_of(source, condition, "grpo")
        run.save()
    wanted = drawings.by_step(source)
    assert wanted
    assert [one.lines for one in drawings.by_step(other)] == [one.lines for one in wanted]
    silent = make_experiment("demo-3", stages=(("grpo", "grpo"),))
    add_metrics(make_attempt(run_of(silent, "baseline", "grpo")), {"reward": [math.nan] * 5})
    assert drawings.by_step(silent) == []


def test_one_seed_is_not_reported_as_a_finding_about_conditions():
    text = report(make_history("demo-1", done=6))
    assert "One seed compares two checkpoints" in text
    assert "Supported, " not in text
    assert "12 of 12 evaluations finished" in text


def test_the_last_stage_is_compared_with_the_one_before():
    experiment = make_history("demo-1", done=6)
    text = report(experiment)

    def solved(stage):
        run = run_of(experiment, "baseline", stage)
        return set(
            Outcome.objects.filter(correct=True, evaluation__attempt__stage_run=run).values_list(
                "problem", flat=True
            )
        )

    before, after = solved("mixed"), solved("grpo")
    line = next(line for line in text.splitlines() if line.startswith("| mixed → grpo | baseline"))
    assert f"| {len(after - before)} / {len(before - after)} |" in line
    change = f"{100 * (len(after) - len(before)) / 600:+.1f}"
    assert change in line
    assert (
        f"Shown, for these checkpoints only: a change of Accuracy by grpo after mixed in baseline: {change} points"
        in text
    )


def test_dynamics_hold_start_and_end_of_the_metrics():
    text = report(make_history("demo-1", done=6))
    line = next(line for line in text.splitlines() if line.startswith("| Groups without gradient | baseline"))
    start, end, peak, slope, interval, word = (cell.strip() for cell in line.strip("|").split("|")[2:])
    assert "Stage grpo; Seed 0. Start and end: means" in text, "what all rows share stands above them"
    assert start.endswith(" %") and float(start.removesuffix(" %")) < float(end.removesuffix(" %"))
    assert re.fullmatch(r"[\d.]+.% \([\d,]+\)", peak), "the highest mean over a tenth, and its step"
    low, high = map(float, interval.removesuffix(" points").split(" to "))
    assert 0 < low < float(slope.removesuffix(" points")) < high
    assert word == "rising"
    length = next(line for line in text.splitlines() if line.startswith("| Tokens per completion | baseline"))
    assert "%" not in length and "points" not in length
    assert "below 60 records no slope is given and no trend is decided" in text


def test_seeds_that_disagree_are_named():
    experiment = make_experiment(stages=(("drills", "sft"),), seeds=(0, 1, 2))
    for seed, difference in enumerate((20, -18, 15)):
        for condition, right in (("baseline", 40), ("mul_tokens", 40 + difference)):
            attempt = make_attempt(run_of(experiment, condition, "drills", seed), state=State.SUCCEEDED)
            add_evaluation(attempt, [i < right for i in range(100)])
    text = report(experiment)
    assert (
        "After drills the seeds do not rank mul_tokens and baseline the same way: +20.0, -18.0, +15.0" in text
    )
    assert (
        "Not supported, planned question: After drills, mul_tokens and baseline are not distinguishable."
        in text
    )


def test_three_seeds_that_agree_are_supported():
    experiment = make_experiment(stages=(("drills", "sft"),), seeds=(0, 1, 2))
    for seed, difference in enumerate((12, 9, 14)):
        for condition, right in (("baseline", 40), ("mul_tokens", 40 + difference)):
            attempt = make_attempt(run_of(experiment, condition, "drills", seed), state=State.SUCCEEDED)
            add_evaluation(attempt, [i < right for i in range(100)])
    text = report(experiment)
    assert (
        "Supported, planned question: After drills, a difference between mul_tokens and baseline is supported."
        in text
    )
    assert "One seed" not in text


def test_what_is_not_finished_is_listed():
    text = report(make_history("demo-2", done=5))
    assert "Not finished: grpo baseline seed 0 (running), grpo mul\\_tokens" in text or (
        "Not finished: grpo baseline seed 0 (running), grpo mul_tokens seed 0 (running)." in text
    )
    assert "Not decided, planned question:" in text


def test_the_setup_is_the_launched_recipe():
    recipe = build_recipe(read("demo"))
    experiment = make_experiment(recipe=recipe.model_dump(mode="json"))
    text = report(experiment)
    grpo = next(stage for stage in recipe.stages if stage.name == "grpo")
    assert (
        f"{grpo.prompts:,} prompts × {grpo.group_size} = {grpo.prompts * grpo.group_size:,} rollouts" in text
    )
    assert f"{recipe.model.n_layer} layers" in text
    assert "Condition mul_tokens: mul_tokens.inject = true" in text


def test_the_html_report_is_one_file_that_needs_nothing_else():
    page = report(make_history("<b>-1", done=6, owner=None), format="html")
    assert page.startswith("<!doctype html>")
    assert "src=" not in page
    assert "href=" not in page
    assert "<b>-1" not in page  # names stay text
    assert "not two conditions" in page


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="choose md or html"):
        report(make_experiment(), format="pdf")
