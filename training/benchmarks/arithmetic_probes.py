"""Bare arithmetic: the 81 facts of the table, 100 two-digit × one-digit products, 100 sums.

The table is what drills teach; products and sums with a two-digit operand are ones that training leaves out.
"""

import random
from pathlib import Path

from training.benchmarks.benchmark import Benchmark, Problem
from training.benchmarks.clusters import OPERAND_PAIRS
from training.benchmarks.final_number import GRADER, grade
from training.data.example import PROMPT_FORMAT, prompt_for
from training.data.held_out import product_is_held_out, sum_is_held_out

LARGER = 100  # products, and as many sums
Probe = tuple[str, int, str, int, int]  # kind, operands around their sign, result


def problems(count: int | None, *, data_dir: Path) -> list[Problem]:
    """Return the first `count` of 281 probes, the three kinds mixed; ids start with table, product or sum."""
    table: list[Probe] = [("table", a, "×", b, a * b) for a in range(1, 10) for b in range(1, 10)]
    rng = random.Random("arithmetic_probes")
    products, sums = _held_out()
    probes = [*table, *rng.sample(products, LARGER), *rng.sample(sums, LARGER)]
    rng.shuffle(probes)
    return [_problem(probe) for probe in probes[:count]]


def validation(count: int | None, *, data_dir: Path) -> list[Problem]:
    """Return the first `count` of the held-out products and sums that are not asked, mixed; every fact of the table is."""
    asked = {problem.id for problem in problems(None, data_dir=data_dir)}
    products, sums = _held_out()
    others = [one for probe in (*products, *sums) if (one := _problem(probe)).id not in asked]
    random.Random("arithmetic_probes validation").shuffle(others)
    return others[:count]


def _held_out() -> tuple[list[Probe], list[Probe]]:
    """Products and sums that training leaves out."""
    pairs = [(a, b) for a in range(11, 100) for b in range(2, 10)]
    return (
        [("product", a, "×", b, a * b) for a, b in pairs if product_is_held_out(a, b)],
        [("sum", a, "+", b, a + b) for a, b in pairs if sum_is_held_out(a, b)],
    )


def _problem(probe: Probe) -> Problem:
    kind, a, sign, b, result = probe
    return Problem(
        f"{kind}-{a}{sign}{b}", prompt_for(f"What is {a} {sign} {b}?"), str(result), labels=(kind,)
    )


BENCHMARK = Benchmark(
    "arithmetic_probes",
    GRADER,
    PROMPT_FORMAT,
    problems,
    grade,
    size=281,
    tokens=12,
    taught=("table",),
    clusters=OPERAND_PAIRS,
    validation=validation,
)
