"""The real road in small: GPT-2's BPE and the published GSM8K files, from SFT over GRPO to the test problems."""

import json
from pathlib import Path

import pytest

from tests.stack import RunningStack

OF_RUN = (
    " JOIN runs_attempt a ON a.id = attempt_id JOIN runs_stagerun r ON r.id = a.stage_run_id"
    " JOIN experiments_experiment x ON x.id = r.experiment_id WHERE x.name = %s"
)


SHORT = (  # than the recipe is: which problems are asked is what this is about, not how well they are solved
    "--set",
    "stages.gsm8k_sft.examples=80",
    "--set",
    "stages.grpo.max_new_tokens=16",
    "--set",
    "benchmarks.gsm8k.max_new_tokens=16",
)


@pytest.mark.timeout(1500)
@pytest.mark.launches("gsm8k_tiny", *SHORT)
def test_gsm8k_tiny_evaluates_the_real_questions(
    data_dir: Path, stack: RunningStack, launched: list[str]
) -> None:
    lines = (data_dir / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()[:50]
    real = {f"User: {json.loads(line)['question']}\nAssistant:" for line in lines}
    evaluated = stack.rows(
        "SELECT e.id, array_agg(o.prompt), count(*) FROM results_outcome o"
        f" JOIN results_evaluation e ON e.id = o.evaluation_id {OF_RUN} GROUP BY e.id",
        launched,
    )
    assert len(evaluated) == 4  # two stages in two conditions
    for _, prompts, count in evaluated:
        assert count == 50 and set(prompts) == real
    rollouts = stack.rows(
        f"SELECT r.condition_id, count(*) FROM telemetry_rollout t {OF_RUN} GROUP BY 1", launched
    )
    assert [count for _, count in rollouts] == [64, 64]
    train = (data_dir / "gsm8k" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    asked = {f"User: {json.loads(line)['question']}\nAssistant:" for line in train}
    sampled = stack.rows(f"SELECT DISTINCT prompt FROM telemetry_rollout t {OF_RUN}", launched)
    assert {prompt for (prompt,) in sampled} <= asked
