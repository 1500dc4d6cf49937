"""What comes after each of 20 numbers."""

from pathlib import Path

from training.benchmarks.benchmark import Benchmark, Problem
from training.benchmarks.final_number import GRADER, grade
from training.data.example import PROMPT_FORMAT, prompt_for

SIZE = 20


def problems(count: int | None, *, data_dir: Path) -> list[Problem]:
    """Return the first `count` problems, the smallest numbers first."""
    wanted = range(SIZE if count is None else min(count, SIZE))
    return [Problem(f"after-{n:02d}", prompt_for(f"What comes after {n}?"), str(n + 1)) for n in wanted]


BENCHMARK = Benchmark("counting", GRADER, PROMPT_FORMAT, problems, grade, size=SIZE, tokens=8)
