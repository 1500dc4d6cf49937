"""One-step multiplication word problems that no training source yields; three of four in hard phrasings."""

import random
from pathlib import Path

from training.benchmarks.benchmark import Benchmark, Problem
from training.benchmarks.clusters import OPERAND_PAIRS
from training.benchmarks.final_number import GRADER, grade
from training.data.example import PROMPT_FORMAT, prompt_for
from training.data.held_out import is_unseen_pair, triple_is_held_out
from training.data.sources.word_problems import HARD, PLAIN, Multiplication, draw_multiplication, worded

SIZE = 1000
VALIDATION = 500
UNSEEN_EVERY = 10  # one problem of so many has a pair of operands that training word problems never have


def problems(count: int | None, *, data_dir: Path) -> list[Problem]:
    """Return the first `count` of 1,000 problems with different questions.

    Ids tell what is asked: `0007-6x9-apples-hard2`, and end with `-unseen` where the operand pair is in no
    training word problem.
    """
    return _drawn("one_step_multiplication", SIZE if count is None else min(count, SIZE), set())


def validation(count: int | None, *, data_dir: Path) -> list[Problem]:
    """Return the first `count` of 500 further ones, which are not asked and which no training source yields either."""
    wanted = VALIDATION if count is None else min(count, VALIDATION)
    asked = {problem.prompt for problem in problems(None, data_dir=data_dir)}
    return _drawn("one_step_multiplication validation", wanted, asked)


def _drawn(seed: str, wanted: int, asked: set[str]) -> list[Problem]:
    """So many problems with different questions, none of those that were asked."""
    rng = random.Random(seed)
    found: list[Problem] = []
    while len(found) < wanted:
        place = len(found)
        phrasings, kind = (PLAIN, "plain") if place % 4 == 0 else (HARD, "hard")
        asks = _draw(rng, unseen=place % UNSEEN_EVERY == UNSEEN_EVERY - 1)
        which = rng.randrange(len(phrasings))
        prompt = prompt_for(worded(asks, phrasings[which]))
        if prompt in asked:
            continue
        asked.add(prompt)
        is_unseen = is_unseen_pair(asks.containers, asks.each)
        tail = "-unseen" if is_unseen else ""
        labels = (f"{kind}_phrasing", "new_pair" if is_unseen else "known_pair")
        name = f"{place:04d}-{asks.containers}x{asks.each}-{asks.noun}-{kind}{which}{tail}"
        found.append(Problem(name, prompt, str(asks.product), labels=labels))
    return found


def _draw(rng: random.Random, *, unseen: bool) -> Multiplication:
    while True:
        asks = draw_multiplication(rng)
        held_out = triple_is_held_out(asks.containers, asks.each, asks.noun)
        if held_out and is_unseen_pair(asks.containers, asks.each) == unseen:
            return asks


BENCHMARK = Benchmark(
    "one_step_multiplication",
    GRADER,
    PROMPT_FORMAT,
    problems,
    grade,
    size=SIZE,
    tokens=30,
    clusters=OPERAND_PAIRS,
    numbers_decide=True,
    validation=validation,
)
