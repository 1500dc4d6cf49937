"""Generated arithmetic drills in five tiers; larger products are split until each factor pair is single-digit."""

import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from training.data.example import Example, prompt_for
from training.data.held_out import product_is_held_out, sum_is_held_out
from training.settings.source import Source

Tier = Literal[
    "one_digit_sums",
    "one_digit_products",
    "two_digit_sums",
    "two_digit_times_one_digit",
    "two_digit_times_two_digit",
]
ASKED = ("What is {task}?", "Calculate {task}.", "{task} = ?")


class DrillsSource(Source):
    """Arithmetic drills with worked answers; the operands of injected products stay visible."""

    source: Literal["drills"]
    prompt_tokens: ClassVar[int] = 12
    completion_tokens: ClassVar[int] = 17
    tiers: list[Tier] = Field(
        [
            "one_digit_sums",
            "one_digit_products",
            "two_digit_sums",
            "two_digit_times_one_digit",
            "two_digit_times_two_digit",
        ],
        min_length=1,
        description="Tiers to draw from, equally often; list one twice to draw it twice as often",
    )


def examples(settings: DrillsSource, *, seed: int, data_dir: Path) -> Iterator[Example]:
    """Yield drills without end."""
    rng = random.Random(f"drills {seed}")
    while True:
        task, steps, result = _TIERS[rng.choice(settings.tiers)](rng)
        prompt = prompt_for(rng.choice(ASKED).format(task=task))
        yield Example(prompt, f" {steps}\n#### {result}", str(result), operands_stay=True)


def _one_digit_sums(rng: random.Random) -> tuple[str, str, int]:
    return _sum_or_difference(rng, rng.randint(1, 9), rng.randint(1, 9))


def _two_digit_sums(rng: random.Random) -> tuple[str, str, int]:
    while True:
        a, b = rng.randint(10, 99), rng.randint(1, 9)
        if not (sum_is_held_out(a, b) or sum_is_held_out(a - b, b)):
            return _sum_or_difference(rng, a, b)


def _sum_or_difference(rng: random.Random, a: int, b: int) -> tuple[str, str, int]:
    """A sum, or as often a difference that is not negative."""
    if rng.random() < 0.5:
        task, result = f"{a} + {b}", a + b
    else:
        task, result = f"{max(a, b)} - {min(a, b)}", abs(a - b)
    return task, f"{task} = {result}", result


def _one_digit_products(rng: random.Random) -> tuple[str, str, int]:
    a, b = rng.randint(1, 9), rng.randint(1, 9)
    return f"{a} × {b}", f"{a} × {b} = {a * b}", a * b


def _two_digit_times_one_digit(rng: random.Random) -> tuple[str, str, int]:
    a, b = _allowed_factors(rng, 2, 9)
    return f"{a} × {b}", f"{_products(a, b)}\n{_parts(a, b)}", a * b


def _two_digit_times_two_digit(rng: random.Random) -> tuple[str, str, int]:
    a, b = _allowed_factors(rng, 11, 99)
    split = f"{a} × {b} = {_places(a)} × {_places(b)}"
    return f"{a} × {b}", f"{split}\n{_products(a, b)}\n{_parts(a, b)}", a * b


def _allowed_factors(rng: random.Random, low: int, high: int) -> tuple[int, int]:
    while True:
        a, b = rng.randint(11, 99), rng.randint(low, high)
        if not product_is_held_out(a, b):
            return a, b


def _split(n: int) -> list[int]:
    """34 → [30, 4]; 30 → [30]; 4 → [4]."""
    return [part for part in (n // 10 * 10, n % 10) if part]


def _places(n: int) -> str:
    return f"({' + '.join(map(str, _split(n)))})" if len(_split(n)) > 1 else str(n)


def _products(a: int, b: int) -> str:
    """34 × 6: `3 × 6 = 18, 4 × 6 = 24`, each pair of digits once."""
    pairs = [(x, y) for x in _split(a) for y in _split(b)]
    digits = [(x // 10 or x, y // 10 or y) for x, y in pairs]
    return ", ".join(dict.fromkeys(f"{x} × {y} = {x * y}" for x, y in digits))


def _parts(a: int, b: int) -> str:
    """34 × 6: `180 + 24 = 204`."""
    parts = [x * y for x in _split(a) for y in _split(b)]
    return f"{' + '.join(map(str, parts))} = {a * b}"


_TIERS: Mapping[Tier, Callable[[random.Random], tuple[str, str, int]]] = {
    "one_digit_sums": _one_digit_sums,
    "one_digit_products": _one_digit_products,
    "two_digit_sums": _two_digit_sums,
    "two_digit_times_one_digit": _two_digit_times_one_digit,
    "two_digit_times_two_digit": _two_digit_times_two_digit,
}
