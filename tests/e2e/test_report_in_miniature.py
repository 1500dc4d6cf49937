"""A real run of the report's failure in miniature gets the finding that the report lacked."""

import json

import pytest

from tests.stack import RunningStack

FINDING = "Reward rises while correctness "
COMPONENTS = {"shows_steps", "uses_mul_tokens", "short_response", "partial_credit", "repetition"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_reward_that_is_hacked_is_found_with_what_pays_for_it(stack: RunningStack) -> None:
    # fewer problems than the recipe's: the finding is about rollouts
    problems = "benchmarks.one_step_multiplication.problems=100"
    done = stack.mulberry("launch", "report_in_miniature", "--set", problems, "--wait", timeout=850)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = stack.mulberry("table", "report_in_miniature-1", "--what", "findings", "--format", "json")
    rows = [row for row in json.loads(shown.stdout)["rows"] if row["kind"] == "reward_without_correctness"]
    assert rows, shown.stdout
    for row in rows:
        headline, _, payer = row["finding"].partition(": ")
        assert headline.startswith(FINDING)
        assert payer.removesuffix(" pays for it") in COMPONENTS
        assert row["stage"] == "grpo" and row["from_step"] is not None
    text = stack.mulberry("report", "report_in_miniature-1").stdout
    assert f"Critical: {FINDING}" in text or f"Warning: {FINDING}" in text
