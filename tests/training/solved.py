"""A recipe whose models add, right at times, and learn from right sums; and how to read what became of its stages."""

import hashlib
import json
from typing import Any

from tests.training.conftest import Stage
from training.process import journal

SUMS = {"source": "drills", "tiers": ["one_digit_sums"]}
SHARED: dict[str, Any] = {
    "data": [SUMS],
    "problems": 30,
    "samples": 3,
    "keep": 2,
    "max_new_tokens": 20,
    "sampling_batch": 10,
    "max_length": 96,
    "batch_size": 2,
    "save_every": 3,
    "log_every": 1,
    "optimizer": {"learning_rate": 1e-3, "warmup_steps": 2},
}
RECIPE: dict[str, Any] = {
    "name": "solutions",
    "title": "A model that adds, and those that learn from it",
    "primary_metric": "one_step_multiplication",
    "model": {"n_layer": 1, "n_head": 2, "n_embd": 48, "n_positions": 96, "initial_std": 0.1},
    "tokenizer": {"kind": "small_bpe", "entries": 400},
    "conditions": [{"name": "baseline"}, {"name": "mul_tokens", "overrides": {"mul_tokens.inject": True}}],
    "benchmarks": [],
    "stages": [
        {
            "name": "adds",
            "kind": "sft",
            "data": [SUMS],
            "examples": 1500,
            "epochs": 2,
            "max_length": 96,
            "optimizer": {"learning_rate": 1e-2, "warmup_steps": 5},
        },
        {**SHARED, "name": "distill", "kind": "distillation", "teacher": {"kind": "local"}},
        {**SHARED, "name": "own", "kind": "rejection_sampling", "rounds": 2, "after": "adds"},
    ],
}
ONCE = {"cache_hits", "paid"}  # what a run that goes on has other values of


def points(stage: Stage) -> dict[tuple[str, int], float]:
    """(metric, step) → value, the last attempt's counting, without what depends on the clock, the cache or the machine."""
    return {
        (name, record["step"]): value
        for record in stage.journal.records("metrics")
        for name, value in record["values"].items()
        if not name.endswith("_per_second") and not name.startswith("system/") and name not in ONCE
    }


def rollouts(stage: Stage) -> list[dict[str, Any]]:
    """What counts: an attempt's rollouts up to the step where a later one began, as webapp/telemetry/series.py has it."""
    counted: list[tuple[int, dict[str, Any]]] = []
    for record in journal.records(stage.run_dir / "journal"):
        if record.type == "started":
            counted = [(step, row) for step, row in counted if step <= record.fields["step"]]
        elif record.type == "rollouts":
            counted += [(record.fields["step"], row) for row in record.fields["rows"]]
    return [row for _, row in counted]


def weights(stage: Stage) -> str:
    return hashlib.sha256((stage.checkpoints / "final" / "model.safetensors").read_bytes()).hexdigest()


def kept(stage: Stage, number: int = 1) -> list[list[str]]:
    """Prompt and completion of what a round kept."""
    found: list[list[str]] = json.loads((stage.checkpoints / f"round-{number}.json").read_text())["kept"]
    return [[prompt, completion] for prompt, completion, *_ in found]


def hint(stage: Stage) -> str:
    last = stage.journal.records("finished")[-1]
    assert last["status"] == "failed"
    return str(last["hint"])
