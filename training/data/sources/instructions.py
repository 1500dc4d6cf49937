"""Generated instructions: short questions and answers that teach the User/Assistant format and when to stop."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, Literal

from training.data.example import Example, prompt_for
from training.data.phrases import NAMES, NOUNS, two_names
from training.settings.source import Source


class InstructionsSource(Source):
    """Instructions that need no arithmetic."""

    source: Literal["instructions"]
    prompt_tokens: ClassVar[int] = 12
    completion_tokens: ClassVar[int] = 5


def examples(settings: InstructionsSource, *, seed: int, data_dir: Path) -> Iterator[Example]:
    """Yield instructions without end; their answers are not graded."""
    rng = random.Random(f"instructions {seed}")
    while True:
        question, answer = rng.choice(_KINDS)(rng)
        yield Example(prompt_for(question), f" {answer}")


def _next(rng: random.Random) -> tuple[str, str]:
    n = rng.randint(0, 98)
    return f"Which number comes after {n}?", f"After {n} comes {n + 1}."


def _larger(rng: random.Random) -> tuple[str, str]:
    n, m = rng.sample(range(100), 2)
    return f"Which is more, {n} or {m}?", f"{max(n, m)} is more than {min(n, m)}."


def _repeat(rng: random.Random) -> tuple[str, str]:
    noun = rng.choice(NOUNS)
    return f"Say {noun}.", noun


def _list(rng: random.Random) -> tuple[str, str]:
    first, second, third = rng.sample(NOUNS, 3)
    return "Name three things.", f"{first}, {second} and {third}."


def _count(rng: random.Random) -> tuple[str, str]:
    start = rng.randint(1, 20)
    return f"Count on from {start}.", ", ".join(str(start + i) for i in range(4)) + "."


def _owner(rng: random.Random) -> tuple[str, str]:
    (first, second), (one, other) = two_names(rng), rng.sample(NOUNS, 2)
    return f"{first} has {one} and {second} has {other}. Who has {other}?", f"{second} has {other}."


def _copied_number(rng: random.Random) -> tuple[str, str]:
    name, noun, n = rng.choice(NAMES), rng.choice(NOUNS), rng.randint(2, 99)
    return f"{name} has {n} {noun}. How many {noun} does {name} have?", f"{name} has {n} {noun}."


def _fact(rng: random.Random) -> tuple[str, str]:
    a, b = rng.randint(1, 9), rng.randint(1, 9)
    return "Tell me something about numbers.", f"{a} × {b} = {a * b}."


_KINDS: tuple[Callable[[random.Random], tuple[str, str]], ...] = (
    _next, _larger, _repeat, _list, _count, _owner, _copied_number, _fact,
)  # fmt: skip
