"""One-step multiplication in four groups of 250, each new to training in exactly one thing.

`new_triple`: known operands, noun and sentence, never together; `new_pair`: operands that no training word problem
multiplies; `new_noun` and `new_template`: things and sentences that no training text has. So each kind of
generalisation has an accuracy of its own. What training knows: training/data/held_out.py and the plain phrasings.
"""

import random
from pathlib import Path

from training.benchmarks.benchmark import Benchmark, Problem
from training.benchmarks.clusters import OPERAND_PAIRS
from training.benchmarks.final_number import GRADER, grade
from training.data.example import PROMPT_FORMAT, prompt_for
from training.data.held_out import is_unseen_pair, triple_is_held_out
from training.data.phrases import CONTAINERS, NAMES, NOUNS
from training.data.sources.word_problems import PLAIN, Multiplication, draw_multiplication, worded

SIZE = 1000
VALIDATION = 500
GROUPS = ("new_triple", "new_pair", "new_noun", "new_template")
NEW_NOUNS = (
    "acorns", "badges", "crayons", "feathers", "grapes", "kites", "magnets", "pears", "ribbons", "spoons",
    "tickets", "whistles",
)  # fmt: skip
NEW_TEMPLATES = (
    "{name} fills {a} {boxes}. {b} {noun} go into every {box}. How many {noun} is that?",
    "If one {box} holds {b} {noun}, how many {noun} do {a} {boxes} hold?",
    "{a} {boxes} stand on a table, and {b} {noun} lie in each of them. What is the number of {noun}?",
    "How many {noun} are in {a} {boxes} when every {box} has {b} {noun}?",
    "{name} packed {b} {noun} per {box} and used {a} {boxes}. How many {noun} did {name} pack?",
    "{name} sells {a} {boxes} today. With {b} {noun} per {box}, how many {noun} does {name} sell?",
)


def problems(count: int | None, *, data_dir: Path) -> list[Problem]:
    """Return the first `count` of 1,000 problems with different questions; the groups take turns.

    Ids tell what is asked: `0007-new_template-6x9-apples-3`.
    """
    return _drawn("one_step_splits", SIZE if count is None else min(count, SIZE), set())


def validation(count: int | None, *, data_dir: Path) -> list[Problem]:
    """Return the first `count` of 500 further ones, new to training in the same ways, which are not asked."""
    wanted = VALIDATION if count is None else min(count, VALIDATION)
    asked = {problem.prompt for problem in problems(None, data_dir=data_dir)}
    return _drawn("one_step_splits validation", wanted, asked)


def _drawn(seed: str, wanted: int, asked: set[str]) -> list[Problem]:
    """So many problems with different questions, none of those that were asked."""
    rng = random.Random(seed)
    found: list[Problem] = []
    while len(found) < wanted:
        group = GROUPS[len(found) % len(GROUPS)]
        asks, templates = _draw(rng, group), NEW_TEMPLATES if group == "new_template" else PLAIN
        which = rng.randrange(len(templates))
        prompt = prompt_for(worded(asks, templates[which]))
        if prompt in asked:
            continue
        asked.add(prompt)
        name = f"{len(found):04d}-{group}-{asks.containers}x{asks.each}-{asks.noun}-{which}"
        found.append(Problem(name, prompt, str(asks.product), labels=(group,)))
    return found


def _draw(rng: random.Random, group: str) -> Multiplication:
    while True:
        asks = draw_multiplication(rng)
        a, b = asks.containers, asks.each
        if group == "new_pair":
            fits = is_unseen_pair(a, b)
        elif group == "new_noun":
            asks = Multiplication(
                a, b, rng.choice(NEW_NOUNS), rng.choice(CONTAINERS), rng.choice(NAMES), asks.distractor
            )
            fits = not is_unseen_pair(a, b)
        else:
            held_out = triple_is_held_out(a, b, asks.noun)
            fits = not is_unseen_pair(a, b) and held_out == (group == "new_triple")
        if fits:
            return asks


assert not set(NEW_NOUNS) & set(NOUNS)


BENCHMARK = Benchmark(
    "one_step_splits",
    GRADER,
    PROMPT_FORMAT,
    problems,
    grade,
    size=SIZE,
    tokens=30,
    numbers_decide=True,
    clusters=OPERAND_PAIRS,
    validation=validation,
)
