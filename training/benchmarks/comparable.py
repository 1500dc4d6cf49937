"""What two evaluations must share to be compared, and for the one to stand for the other (no torch)."""

import hashlib

from training.benchmarks.benchmark import Benchmark, Problem
from training.settings.shared import BenchmarkSettings


def comparable(
    settings: BenchmarkSettings, benchmark: Benchmark, problems: list[Problem]
) -> dict[str, object]:
    """What two results must share to be compared; choices are not decoded, whatever the settings say."""
    is_choice = benchmark.kind == "choice"
    text = "\x1e".join("\x1f".join((p.id, p.prompt, p.reference, *p.choices)) for p in problems)
    sampling = {"samples": settings.samples, "temperature": settings.temperature} if settings.samples else {}
    return {
        "prompt_format": benchmark.prompt_format,
        "decoding": "choice" if is_choice else settings.decoding,
        "max_new_tokens": 0 if is_choice else settings.max_new_tokens,
        "grader": benchmark.grader,
        "problems_sha256": hashlib.sha256(text.encode()).hexdigest(),
        **sampling,
    }
