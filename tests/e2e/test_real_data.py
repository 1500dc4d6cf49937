"""The real road in small: GPT-2's BPE and the published GSM8K files, from SFT over GRPO to the test problems."""

import json
from pathlib import Path

import pytest

from tests.stack import RunningStack


@pytest.mark.slow
@pytest.mark.timeout(580)
def test_gsm8k_tiny_evaluates_the_real_questions(stack: RunningStack, data_dir: Path) -> None:
    launched = stack.mulberry("launch", "gsm8k_tiny", "--wait", timeout=560)
    assert launched.returncode == 0, launched.stdout + launched.stderr
    lines = (data_dir / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()[:50]
    real = {f"User: {json.loads(line)['question']}\nAssistant:" for line in lines}
    evaluated = stack.rows(
        "SELECT e.id, array_agg(o.prompt), count(*) FROM results_outcome o"
        " JOIN results_evaluation e ON e.id = o.evaluation_id GROUP BY e.id"
    )
    assert len(evaluated) == 4  # two stages in two conditions
    for _, prompts, count in evaluated:
        assert count == 50 and set(prompts) == real
    rollouts = stack.rows(
        "SELECT r.condition_id, count(*) FROM telemetry_rollout t JOIN runs_attempt a ON a.id = t.attempt_id"
        " JOIN runs_stagerun r ON r.id = a.stage_run_id GROUP BY 1"
    )
    assert [count for _, count in rollouts] == [64, 64]
    train = (data_dir / "gsm8k" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    asked = {f"User: {json.loads(line)['question']}\nAssistant:" for line in train}
    assert {prompt for (prompt,) in stack.rows("SELECT DISTINCT prompt FROM telemetry_rollout")} <= asked
