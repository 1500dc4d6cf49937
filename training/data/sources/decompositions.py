"""Step-by-step decompositions (GSM-SBS): products split until every product is of single digits.

`12 × 12 = (10 + 2) × 12 = 10 × 12 + 2 × 12 = 120 + 24 = 144`, and before it the lines of its parts. They stand
alone, or in GSM8K's answers before the lines that use them. No product is written that a benchmark asks.
"""

import random
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from training.data.example import Example, prompt_for
from training.data.held_out import product_is_held_out
from training.data.sources.gsm8k import MARKS, TRAINING, read
from training.settings.source import Source
from training.text.answers import extract_answer

LARGEST = 999  # factor in GSM8K's answers that is split
_MARKED = re.compile(r"<<(\d+)\*(\d+)=(\d+)>>")


class DecompositionsSource(Source):
    """Larger products worked out by the distributive law."""

    source: Literal["decompositions"]
    prompt_tokens: ClassVar[int] = 11
    completion_tokens: ClassVar[int] = 98
    problems: Literal["generated", "gsm8k"] = Field(
        "generated",
        description="generated: What is 34 × 26?, without end; gsm8k: problems whose answers have such a product",
    )

    def reads(self) -> Sequence[str]:
        """GSM8K's training problems, where they are asked for."""
        return (TRAINING,) if self.problems == "gsm8k" else ()


def examples(
    settings: DecompositionsSource, *, seed: int, data_dir: Path, skip: int = 0
) -> Iterator[Example]:
    """Yield problems from the `skip`-th on; those of GSM8K in random order."""
    found = _generated(seed) if settings.problems == "generated" else _of_gsm8k(seed, data_dir)
    yield from islice(found, skip, None)


def decompose(a: int, b: int) -> list[str]:
    """The lines that work out a × b, the smallest products first, each once."""
    return list(dict.fromkeys(line for *_, line in _lines(a, b)))


def may_be_shown(a: int, b: int) -> bool:
    """Whether a × b and all products on the way are left to training."""
    return not any(product_is_held_out(x, y) for x, y in _products(a, b))


def _lines(a: int, b: int) -> Iterator[tuple[int, int, str]]:
    if a < 10 and b < 10:
        yield a, b, f"{a} × {b} = {a * b}"
        return
    if _is_power_of_ten(a) or _is_power_of_ten(b):
        return  # zeros are appended
    bare_a, zeros_a = _without_zeros(a)
    bare_b, zeros_b = _without_zeros(b)
    if (tens := zeros_a * zeros_b) > 1:
        yield from _lines(bare_a, bare_b)
        bare = bare_a * bare_b
        yield a, b, f"{a} × {b} = {bare_a} × {bare_b} × {tens} = {bare} × {tens} = {a * b}"
        return
    first, rest = _split(a if a >= 10 else b)
    pairs = [(first, b), (rest, b)] if a >= 10 else [(a, first), (a, rest)]
    for pair in pairs:
        yield from _lines(*pair)
    split = f"({first} + {rest}) × {b}" if a >= 10 else f"{a} × ({first} + {rest})"
    products = " + ".join(f"{x} × {y}" for x, y in pairs)
    results = " + ".join(str(x * y) for x, y in pairs)
    yield a, b, f"{a} × {b} = {split} = {products} = {results} = {a * b}"


def _products(a: int, b: int) -> set[tuple[int, int]]:
    """Every product that the lines of a × b write, but for those with a power of ten."""
    written = re.findall(r"(\d+) × (\d+)", " ".join(decompose(a, b)))
    pairs = {(int(x), int(y)) for x, y in written}
    return {(x, y) for x, y in pairs if not (_is_power_of_ten(x) or _is_power_of_ten(y))}


def _generated(seed: int) -> Iterator[Example]:
    rng = random.Random(f"decompositions {seed}")
    while True:
        a, b = rng.randint(11, 99), rng.randint(2, 99)
        if may_be_shown(a, b):
            work = "\n".join(decompose(a, b))
            yield Example(prompt_for(f"What is {a} × {b}?"), f" {work}\n#### {a * b}", str(a * b))


def _of_gsm8k(seed: int, data_dir: Path) -> Iterator[Example]:
    problems = read("train", data_dir=data_dir)
    random.Random(f"decompositions {seed}").shuffle(problems)
    for question, answer in problems:
        lines = answer.split("\n")
        work = [line for whole in lines for line in (*_work_before(whole), MARKS.sub("", whole))]
        if len(work) > len(lines):
            yield Example(prompt_for(question), " " + "\n".join(work), extract_answer(answer))


def _work_before(line: str) -> list[str]:
    """The decompositions of the products that a line's calculator marks hold."""
    found: list[str] = []
    for a, b, c in _MARKED.findall(line):
        x, y = int(a), int(b)
        splits = 9 < max(x, y) <= LARGEST and min(x, y) > 1 and x * y == int(c)
        if splits and may_be_shown(x, y):
            found += decompose(x, y)
    return list(dict.fromkeys(found))


def _is_power_of_ten(n: int) -> bool:
    return n >= 10 and str(n).strip("0") == "1"


def _without_zeros(n: int) -> tuple[int, int]:
    """120 → (12, 10)."""
    bare = int(str(n).rstrip("0"))
    return bare, n // bare


def _split(n: int) -> tuple[int, int]:
    """345 → (300, 45)."""
    first = int(str(n)[0]) * 10 ** (len(str(n)) - 1)
    return first, n - first
