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


def problems(count: int | None, *, data_dir: Path) -> list[Problem]:
    """Return the first `count` of 281 probes, the three kinds mixed; ids start with table, product or sum."""
    table = [("table", a, "×", b, a * b) for a in range(1, 10) for b in range(1, 10)]
    rng = random.Random("arithmetic_probes")
    pairs = [(a, b) for a in range(11, 100) for b in range(2, 10)]
    products = rng.sample([(a, b) for a, b in pairs if product_is_held_out(a, b)], LARGER)
    sums = rng.sample([(a, b) for a, b in pairs if sum_is_held_out(a, b)], LARGER)
    probes = [
        *table,
        *(("product", a, "×", b, a * b) for a, b in products),
        *(("sum", a, "+", b, a + b) for a, b in sums),
    ]
    rng.shuffle(probes)
    return [
        Problem(f"{kind}-{a}{sign}{b}", prompt_for(f"What is {a} {sign} {b}?"), str(result), labels=(kind,))
        for kind, a, sign, b, result in probes[:count]
    ]


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
)
