"""Reuse through a real worker: what is finished is not computed again, and computed again it would be the same."""

import json
from typing import Any

import pytest

from tests.stack import RunningStack

pytestmark = pytest.mark.timeout(600)
CUT = {
    "stages.pretrain.steps": 4,
    "stages.instruct.examples": 16,
    **{f"stages.curriculum.steps.{step}.examples": 16 for step in ("drills", "word_problems", "mixed")},
    "stages.grpo.prompts": 16,
    "benchmarks.one_step_multiplication.problems": 6,
    "conditions.mul_tokens.overrides": {"stages.grpo.beta": 0.5},  # the two share all but the last stage
}
SAVED = """
    SELECT condition.name, stage.name, checkpoint.manifest_sha256, run.reused_note, attempt.number
    FROM runs_stagerun run JOIN experiments_experiment experiment ON experiment.id = run.experiment_id
    JOIN experiments_condition condition ON condition.id = run.condition_id
    JOIN experiments_stage stage ON stage.id = run.stage_id
    JOIN runs_attempt attempt ON attempt.stage_run_id = run.id AND attempt.number = run.attempt_number
    JOIN runs_checkpoint checkpoint ON checkpoint.attempt_id = attempt.id AND checkpoint.final
    WHERE experiment.name = %s ORDER BY run.id
"""
TRAINED = """
    SELECT count(DISTINCT attempt.stage_run_id) FROM runs_attempt attempt
    JOIN runs_stagerun run ON run.id = attempt.stage_run_id
    JOIN experiments_experiment experiment ON experiment.id = run.experiment_id
    JOIN telemetry_metric metric ON metric.attempt_id = attempt.id AND metric.name = 'loss'
    WHERE experiment.name = %s
"""


def launch(stack: RunningStack, *arguments: str, **changes: Any) -> dict[str, Any]:
    """Launch, wait for success, and return what was said."""
    sets = [word for path, value in changes.items() for word in ("--set", f"{path}={json.dumps(value)}")]
    done = stack.mulberry("launch", *arguments, *sets, "--wait", "--json", timeout=300)
    assert done.returncode == 0, done.stderr + stack.said()
    return dict(json.loads(done.stdout))


def table(stack: RunningStack, name: str) -> list[dict[str, Any]]:
    shown = stack.mulberry("table", name, "--format", "json")
    assert shown.returncode == 0, shown.stderr
    rows = json.loads(shown.stdout)["rows"]
    return [{key: row[key] for key in ("stage", "condition", "correct", "problems")} for row in rows]


def test_only_what_changed_is_computed(stack: RunningStack) -> None:
    first = launch(stack, "smoke", **CUT)
    assert stack.rows(TRAINED, [first["name"]]) == [(5,)]  # of 8: the conditions share three stages
    second = launch(stack, "smoke", **CUT | {"stages.grpo.beta": 0.1})
    assert second["reused"] == 7  # the other condition has a beta of its own
    assert stack.rows(TRAINED, [second["name"]]) == [(1,)]
    above = [row for row in table(stack, first["name"]) if row["stage"] != "grpo"]
    assert [row for row in table(stack, second["name"]) if row["stage"] != "grpo"] == above

    fork = launch(
        stack,
        "--fork",
        second["name"],
        "--at",
        "grpo",
        **{"stages.grpo.data.word_problems.phrasing": "plain"},
    )
    assert fork["reused"] == 6
    assert stack.rows(TRAINED, [fork["name"]]) == [(2,)]

    probes = {"benchmark": "arithmetic_probes", "problems": 3, "max_new_tokens": 8}
    multiplication = {"benchmark": "one_step_multiplication", "problems": 6, "max_new_tokens": 28}
    evaluated = launch(stack, "smoke", **CUT | {"benchmarks": [multiplication, probes]})
    assert evaluated["reused"] == 8
    assert stack.rows(TRAINED, [evaluated["name"]]) == [(0,)]
    assert table(stack, evaluated["name"]) == table(stack, first["name"])
    shown = stack.mulberry("table", evaluated["name"], "--format", "json", "--benchmark", "arithmetic_probes")
    assert {row["problems"] for row in json.loads(shown.stdout)["rows"]} == {3}
    assert {row[4] for row in stack.rows(SAVED, [evaluated["name"]])} == {1}  # an attempt that evaluates only


def test_computed_again_it_is_the_same(stack: RunningStack) -> None:
    small = CUT | {"stages.grpo.benchmarks": [], "seeds": [5]}
    first = launch(stack, "smoke", **small)
    again = launch(stack, "smoke", "--no-reuse", **small)
    assert again["reused"] == 0 and stack.rows(TRAINED, [again["name"]]) == [(8,)]
    saved, computed = ([row[:3] for row in stack.rows(SAVED, [one["name"]])] for one in (first, again))
    assert saved == computed
    assert table(stack, first["name"]) == table(stack, again["name"])
