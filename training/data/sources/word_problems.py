"""Generated word problems: one multiplication, one addition or subtraction, or a multiplication and an addition.

Problems with a product leave out what training/data/held_out.py names. Hard phrasings turn the operands round or
add a number that does not matter.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from training.data.example import Example, prompt_for
from training.data.held_out import sum_is_held_out, triple_is_held_out
from training.data.phrases import CONTAINERS, NAMES, NOUNS, plural
from training.settings.base import Settings
from training.settings.source import Source


class KindShares(Settings):
    """How often each kind of word problem is drawn, relative to the others."""

    multiplication: float = Field(1.0, ge=0, description="Share of one-step multiplications, operands 2 to 9")
    addition: float = Field(0.0, ge=0, description="Share of one-step additions and subtractions up to 30")
    two_step: float = Field(0.0, ge=0, description="Share of a multiplication followed by an addition")

    @model_validator(mode="after")
    def _some(self) -> "KindShares":
        if not self.multiplication + self.addition + self.two_step:
            raise ValueError("all shares are 0; give one kind a share")
        return self


class WordProblemsSource(Source):
    """Word problems with worked answers."""

    source: Literal["word_problems"]
    prompt_tokens: ClassVar[int] = 26
    completion_tokens: ClassVar[int] = 6
    kinds: KindShares = Field(KindShares(), description="Shares of the kinds of problems")
    phrasing: Literal["plain", "hard", "mixed"] = Field(
        "plain",
        description="Multiplications: plain; hard: operands reversed or a distracting number; mixed: half of each",
    )


@dataclass(frozen=True)
class Multiplication:
    """What a one-step multiplication problem asks: `containers` containers with `each` things in each."""

    containers: int
    each: int
    noun: str
    container: str
    name: str
    distractor: int

    @property
    def product(self) -> int:
        """The right answer."""
        return self.containers * self.each


PLAIN = (
    "{name} has {a} {boxes} with {b} {noun} in each. How many {noun} does {name} have?",
    "There are {a} {boxes}. Each {box} has {b} {noun}. How many {noun} are there?",
    "{name} buys {a} {boxes} of {b} {noun} each. How many {noun} does {name} have?",
    "{name} has {a} {boxes}. Each {box} has {b} {noun}. How many {noun} does {name} have?",
    "In {a} {boxes} there are {b} {noun} each. How many {noun} are there?",
    "{name} has hats and {a} {boxes} with {b} {noun} in each. How many {noun} does {name} have?",
    "{name} likes {noun}. There are {a} {boxes} with {b} {noun} in each. How many {noun} are there?",
    "There is a hat and there are {a} {boxes}. Each {box} has {b} {noun}. How many {noun} are there?",
    "{name} has a {box} and buys {a} {boxes} of {b} {noun} each. How many {noun} does {name} have?",
)
HARD = (
    "Each {box} has {b} {noun}. {name} has {a} {boxes}. How many {noun} does {name} have?",
    "{name} has {b} {noun} in each {box}. There are {a} {boxes}. How many {noun} are there?",
    "There are {b} {noun} in each {box}. {name} buys {a} {boxes}. How many {noun} does {name} have?",
    "{name} has {a} {boxes} with {b} {noun} in each and {d} hats. How many {noun} does {name} have?",
    "There are {a} {boxes} and {d} hats. Each {box} has {b} {noun}. How many {noun} are there?",
    "{name} has {d} hats and buys {a} {boxes} of {b} {noun} each. How many {noun} does {name} have?",
)
ADDITION = (
    ("{name} has {a} {noun} and gets {b} more. How many {noun} does {name} have?", "+"),
    ("{name} has {a} {noun}. A friend brings {b} {noun}. How many {noun} are there?", "+"),
    ("There are {a} {noun} in a {box} and {b} on a table. How many {noun} are there?", "+"),
    ("{name} has {a} {noun} and gives away {b}. How many {noun} are left?", "-"),
    ("There are {a} {noun}. {name} takes {b} of them. How many {noun} are left?", "-"),
)
TWO_STEP = (
    "{name} has {a} {boxes} with {b} {noun} in each and finds {d} more. How many {noun} does {name} have?",
    "There are {a} {boxes}. Each {box} has {b} {noun}. {name} adds {d} {noun}. How many {noun} are there?",
)


def examples(settings: WordProblemsSource, *, seed: int, data_dir: Path) -> Iterator[Example]:
    """Yield problems without end."""
    rng = random.Random(f"word_problems {seed}")
    kinds: dict[Callable[[random.Random, str], Example], float] = {
        _multiplication: settings.kinds.multiplication,
        _addition: settings.kinds.addition,
        _two_step: settings.kinds.two_step,
    }
    while True:
        kind = rng.choices(list(kinds), list(kinds.values()))[0]
        yield kind(rng, settings.phrasing)


def worded(problem: Multiplication, phrasing: str) -> str:
    """Put a multiplication into a sentence, such as those of PLAIN and HARD."""
    return phrasing.format(
        a=problem.containers,
        b=problem.each,
        c=problem.product,
        d=problem.distractor,
        noun=problem.noun,
        name=problem.name,
        box=problem.container,
        boxes=plural(problem.container),
    )


def draw_multiplication(rng: random.Random) -> Multiplication:
    """Draw operands 2…9, things and people, whether held out or not."""
    containers, each = rng.randint(2, 9), rng.randint(2, 9)
    distractor = rng.choice([n for n in range(2, 13) if n not in (containers, each)])
    return Multiplication(
        containers, each, rng.choice(NOUNS), rng.choice(CONTAINERS), rng.choice(NAMES), distractor
    )


def draw_training_multiplication(rng: random.Random) -> Multiplication:
    """Draw until it is none that a benchmark may ask."""
    while True:
        problem = draw_multiplication(rng)
        if not triple_is_held_out(problem.containers, problem.each, problem.noun):
            return problem


def _multiplication(rng: random.Random, phrasing: str) -> Example:
    problem = draw_training_multiplication(rng)
    hard = phrasing == "hard" or (phrasing == "mixed" and rng.random() < 0.5)
    text = worded(problem, rng.choice(HARD if hard else PLAIN))
    c = problem.product
    return Example(prompt_for(text), f" {problem.containers} × {problem.each} = {c}\n#### {c}", str(c))


def _addition(rng: random.Random, phrasing: str) -> Example:
    template, sign = rng.choice(ADDITION)
    while True:
        a, b = rng.randint(2, 20), rng.randint(2, 10)
        low, high = (a, b) if sign == "+" else (a - b, b)
        if low > 0 and not sum_is_held_out(low, high):
            break
    c = a + b if sign == "+" else a - b
    text = template.format(
        a=a, b=b, name=rng.choice(NAMES), noun=rng.choice(NOUNS), box=rng.choice(CONTAINERS)
    )
    return Example(prompt_for(text), f" {a} {sign} {b} = {c}\n#### {c}", str(c))


def _two_step(rng: random.Random, phrasing: str) -> Example:
    while True:
        problem = draw_training_multiplication(rng)
        if not sum_is_held_out(problem.product, problem.distractor):
            break
    text = worded(problem, rng.choice(TWO_STEP))
    c = problem.product
    last = c + problem.distractor
    steps = f" {problem.containers} × {problem.each} = {c}\n{c} + {problem.distractor} = {last}\n#### {last}"
    return Example(prompt_for(text), steps, str(last))
