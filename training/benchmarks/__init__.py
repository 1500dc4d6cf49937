"""Benchmarks: one module each, listed here (no torch)."""

from collections.abc import Mapping

from training.benchmarks import (
    arithmetic_probes,
    gsm8k,
    hellaswag,
    one_step_multiplication,
    one_step_splits,
    svamp,
)
from training.benchmarks.benchmark import Benchmark, Problem

__all__ = ["BENCHMARKS", "Benchmark", "Problem"]

BENCHMARKS: Mapping[str, Benchmark] = {
    name: Benchmark(name, module.GRADER, module.PROMPT_FORMAT, module.problems, module.grade, size, tokens)
    for name, module, size, tokens in (
        ("one_step_multiplication", one_step_multiplication, one_step_multiplication.SIZE, 30),
        ("one_step_splits", one_step_splits, one_step_splits.SIZE, 30),
        ("gsm8k", gsm8k, 1319, 64),
        ("svamp", svamp, 1000, 43),
        ("arithmetic_probes", arithmetic_probes, 281, 12),
    )
} | {
    "hellaswag": Benchmark(
        "hellaswag",
        hellaswag.GRADER,
        hellaswag.PROMPT_FORMAT,
        hellaswag.problems,
        hellaswag.grade,
        size=10_042,
        tokens=400,
        kind="choice",
    )
}
