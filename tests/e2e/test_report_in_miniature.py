"""A real run of the report's failure in miniature gets the finding that the report lacked."""

import json

import pytest

from tests.stack import RunningStack

FINDING = "Reward rises while correctness "
COMPONENTS = {"shows_steps", "uses_mul_tokens", "short_response", "partial_credit", "repetition"}


FEWER = (  # than the recipe has: fewer problems, one condition, as the finding is about a run's rollouts, and 70 steps of GRPO
    "--set",
    "stages.pretrain.steps=100",
    "--set",
    "benchmarks.one_step_multiplication.problems=100",
    "--set",
    "stages.grpo.prompts=560",
    "--set",
    "conditions=[{name: mul_tokens, overrides: {mul_tokens.inject: true}}]",
)


@pytest.mark.timeout(1500)
@pytest.mark.launches("report_in_miniature", *FEWER)
def test_a_reward_that_is_hacked_is_found_with_what_pays_for_it(
    stack: RunningStack, launched: list[str]
) -> None:
    (name,) = launched
    shown = stack.mulberry("table", name, "--what", "findings", "--format", "json")
    rows = [row for row in json.loads(shown.stdout)["rows"] if row["kind"] == "reward_without_correctness"]
    assert rows, shown.stdout
    for row in rows:
        headline, _, payer = row["finding"].partition(": ")
        assert headline.startswith(FINDING)
        assert payer.removesuffix(" pays for it") in COMPONENTS
        assert row["stage"] == "grpo" and row["from_step"] is not None
    text = stack.mulberry("report", name).stdout
    assert f"Critical: {FINDING}" in text or f"Warning: {FINDING}" in text
