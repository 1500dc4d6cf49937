"""Benchmarks: one module each, and one entry in BENCHMARKS (no torch)."""

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
    module.BENCHMARK.name: module.BENCHMARK
    for module in (
        one_step_multiplication,
        one_step_splits,
        gsm8k,
        svamp,
        arithmetic_probes,
        hellaswag,
    )
}
