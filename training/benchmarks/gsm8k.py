"""GSM8K's test problems, in the published order; of its training problems 500 are there to validate on."""

import random
from pathlib import Path

from training.benchmarks.benchmark import Benchmark, Problem
from training.benchmarks.final_number import GRADER, grade
from training.data.example import PROMPT_FORMAT, prompt_for
from training.data.rows import Row
from training.data.sources.gsm8k import published
from training.text.answers import extract_answer

VALIDATION = 500  # of 7,473: a share of 50 % is known to 4.4 points; of a smaller file, a tenth


def problems(count: int | None, *, data_dir: Path) -> list[Problem]:
    """Return the first `count` of the 1,319 problems; raises ValueError when the file is missing or broken."""
    return [
        _problem("test", place, row) for place, row in enumerate(published("test", data_dir=data_dir)[:count])
    ]


def validation(count: int | None, *, data_dir: Path) -> list[Problem]:
    """Return the first `count` of 500 training problems in an order of their own, the same ones in every run."""
    rows = published("train", data_dir=data_dir)
    most = max(1, min(VALIDATION, len(rows) // 10))
    places = random.Random("gsm8k validation").sample(range(len(rows)), most)
    return [_problem("train", place, rows[place]) for place in places[:count]]


def _problem(split: str, place: int, row: Row) -> Problem:
    answer = row.text("answer")
    reference = extract_answer(answer)
    if reference is None:
        raise row.error("answer", answer, "a text that ends with #### and a number")
    return Problem(f"{split}-{place:04d}", prompt_for(row.text("question")), reference)


BENCHMARK = Benchmark(
    "gsm8k",
    GRADER,
    PROMPT_FORMAT,
    problems,
    grade,
    size=1_319,
    tokens=64,
    reads=("gsm8k/test.jsonl",),
    validation=validation,
    validation_from="gsm8k",
)
