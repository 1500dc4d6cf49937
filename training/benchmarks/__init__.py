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
    name: Benchmark(name, module.GRADER, module.PROMPT_FORMAT, module.problems, module.grade)
    for name, module in (
        ("one_step_multiplication", one_step_multiplication),
        ("one_step_splits", one_step_splits),
        ("gsm8k", gsm8k),
        ("svamp", svamp),
        ("arithmetic_probes", arithmetic_probes),
    )
} | {
    "hellaswag": Benchmark(
        "hellaswag",
        hellaswag.GRADER,
        hellaswag.PROMPT_FORMAT,
        hellaswag.problems,
        hellaswag.grade,
        kind="choice",
    )
}
