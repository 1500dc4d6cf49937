"""A list of flips as a long table: one row a problem, with both completions and its way through the stages."""

from collections.abc import Iterator, Sequence
from typing import Any

from webapp.comparison.problems.flips import Flips, ProblemMarks, Side
from webapp.files.long_tables import CHUNK, LongTable
from webapp.runs.origin import origin

OF_A_SIDE = {
    "condition": "text", "stage": "text", "evaluation": "integer", "yes": "truth", "final_answer": "text",
    "completion": "text", "tokens": "integer", "mul_tokens": "integer",
}  # fmt: skip
COLUMNS = {
    "experiment": "text", "benchmark": "text", "metric": "text", "seed": "integer", "problem": "text",
    "flip": "text", "prompt": "text", "reference": "text",
    **{f"{side}_{name}": kind for side in ("first", "second") for name, kind in OF_A_SIDE.items()},
    "first_way": "texts", "first_pattern": "text", "second_way": "texts", "second_pattern": "text",
}  # fmt: skip


def rows(flips: Flips, problems: Sequence[ProblemMarks]) -> LongTable:
    """These problems of two checkpoints; a way is 'stage: yes|no|not evaluated', in the order of the stages."""
    p = "no p before the planned seeds are in" if flips.p is None else f"p = {flips.p!r}"
    more = {
        "First": _named(flips.first),
        "Second": _named(flips.second),
        "Test": f"{flips.test_name}: {p}, {flips.counts.gained} gained, {flips.counts.lost} lost",
    }
    return LongTable(COLUMNS, _chunks(flips, problems), origin(flips.experiment, more))


def _named(side: Side) -> str:
    return f"{side.condition.name} after {side.stage.name}"


def _chunks(flips: Flips, problems: Sequence[ProblemMarks]) -> Iterator[Sequence[Sequence[Any]]]:
    which = (flips.experiment.name, flips.benchmark, flips.metric.name, flips.seed)
    for start in range(0, len(problems), CHUNK):
        part = problems[start : start + CHUNK]
        texts = flips.texts(part)
        yield [(*which, *_row(flips, problem, texts[problem.id])) for problem in part]


def _row(flips: Flips, problem: ProblemMarks, texts: tuple[Any, Any]) -> tuple[Any, ...]:
    first, _second = texts
    row: tuple[Any, ...] = (problem.id, problem.kind, first.prompt, first.reference)
    said = (problem.kind in ("lost", "both"), problem.kind in ("gained", "both"))
    for side, yes, one in zip((flips.first, flips.second), said, texts, strict=True):
        row += (side.condition.name, side.stage.name, one.evaluation_id, yes, one.final_answer)
        row += (one.completion, one.tokens, one.mul_tokens)
    for place in (0, len(flips.ways) - 1):
        row += (_way(flips, problem, place), problem.patterns[place])
    return row


def _way(flips: Flips, problem: ProblemMarks, place: int) -> list[str]:
    words = {True: "yes", False: "no", None: "not evaluated"}
    stages = flips.ways[place].stages
    return [f"{name}: {words[mark]}" for name, mark in zip(stages, problem.marks[place], strict=True)]
