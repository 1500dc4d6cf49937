"""Generated running text for pre-training: number facts, counting, and short stories that state what they compute."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, Literal

from training.data.example import Example
from training.data.held_out import sum_is_held_out
from training.data.phrases import CONTAINERS, NOUNS, two_names
from training.data.sources.word_problems import draw_training_multiplication, worded
from training.settings.source import Source


class StatementsSource(Source):
    """Plain statements, some sentences a text; nobody asks and nobody answers."""

    source: Literal["statements"]
    prompt_tokens: ClassVar[int] = 0
    completion_tokens: ClassVar[int] = 36


def examples(settings: StatementsSource, *, seed: int, data_dir: Path) -> Iterator[Example]:
    """Yield texts of one to four statements without end."""
    rng = random.Random(f"statements {seed}")
    while True:
        statements = (rng.choice(_KINDS)(rng) for _ in range(rng.randint(1, 4)))
        yield Example("", " ".join(statements))


_BOXES = (
    "{name} has {a} {boxes} with {b} {noun} in each. That is {a} × {b} = {c} {noun}.",
    "There are {a} {boxes}. Each {box} has {b} {noun}. That is {a} × {b} = {c} {noun}.",
    "{name} buys {a} {boxes} of {b} {noun} each. That is {a} × {b} = {c} {noun}.",
    "Each {box} has {b} {noun}. {name} has {a} {boxes}. That is {a} × {b} = {c} {noun}.",
    "There are {b} {noun} in each {box}. {name} has {a} {boxes}. That is {a} × {b} = {c} {noun}.",
    "{name} has {d} hats and {a} {boxes} with {b} {noun} in each. That is {a} × {b} = {c} {noun}.",
    "There are {a} {boxes} and {d} hats. Each {box} has {b} {noun}. That is {a} × {b} = {c} {noun}.",
)


def _product(rng: random.Random) -> str:
    a, b = rng.randint(1, 9), rng.randint(1, 9)
    form = rng.choice(
        ("{a} × {b} = {c}.", "{a} × {b} = {c}.", "{a} times {b} is {c}.", "{b} groups of {a} make {c}.")
    )
    return form.format(a=a, b=b, c=a * b)


def _sum(rng: random.Random) -> str:
    a, b = _operands(rng)
    form = rng.choice(
        ("{a} + {b} = {c}.", "{c} - {b} = {a}.", "{a} plus {b} is {c}.", "{c} minus {b} is {a}.")
    )
    return form.format(a=a, b=b, c=a + b)


def _table(rng: random.Random) -> str:
    b, first = rng.randint(2, 9), rng.randint(1, 6)
    return ", ".join(f"{a} × {b} = {a * b}" for a in range(first, first + 4)) + "."


def _counting(rng: random.Random) -> str:
    start, step = rng.randint(0, 60), rng.choice((1, 1, 1, 2, 3, 5, 10))
    return ", ".join(str(start + step * i) for i in range(5)) + "."


def _order(rng: random.Random) -> str:
    n, m = rng.sample(range(100), 2)
    return rng.choice(
        (
            f"The number after {n} is {n + 1}.",
            f"The number before {n + 1} is {n}.",
            f"{max(n, m)} is more than {min(n, m)}.",
            f"{min(n, m)} is less than {max(n, m)}.",
        )
    )


def _boxes(rng: random.Random) -> str:
    problem = draw_training_multiplication(rng)
    return worded(problem, rng.choice(_BOXES))


def _gift(rng: random.Random) -> str:
    (a, b), (first, second), noun = _operands(rng), two_names(rng), rng.choice(NOUNS)
    return rng.choice(
        (
            f"{first} has {a} {noun} and gets {b} more. Now {first} has {a + b} {noun}.",
            f"{first} has {a + b} {noun} and gives {b} to {second}. Now {a} {noun} are left.",
            f"{first} has {a} {noun}. {second} has {b} {noun}. Together they have {a + b} {noun}.",
        )
    )


def _scene(rng: random.Random) -> str:
    (first, second), noun, box = two_names(rng), rng.choice(NOUNS), rng.choice(CONTAINERS)
    return rng.choice(
        (
            f"{first} likes {noun} and {second} likes {rng.choice(NOUNS)}.",
            f"{first} puts the {noun} in a {box}.",
            f"{first} has a {box} and {rng.randint(2, 12)} hats.",
            f"How many {noun} does {first} have? {second} does not know.",
        )
    )


def _operands(rng: random.Random) -> tuple[int, int]:
    while True:
        a, b = rng.randint(1, 30), rng.randint(1, 10)
        if not sum_is_held_out(a, b):
            return a, b


_KINDS: tuple[Callable[[random.Random], str], ...] = (
    _product, _product, _sum, _table, _boxes, _boxes, _boxes, _boxes, _gift, _scene, _order,
)  # fmt: skip
