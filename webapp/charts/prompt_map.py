"""The prompt × step map of a run that samples: how each prompt's solve rate went, and that of prompts of like difficulty."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from django.db import connection
from django.db.models.functions import Left
from numpy.typing import NDArray

from webapp.results.models import Evaluation
from webapp.runs.models import StageRun
from webapp.telemetry.group_arrays import READ, Groups, groups
from webapp.telemetry.models import Rollout

ROWS = 400  # prompts on a map, those that came up most often
CELLS = 12_000  # and no more cells than this
COLUMNS = 240  # steps are put together until there are no more
BLOCKS = 24  # points of a line over training
PARTS = 4  # of training, in the table
BANDS = ("never solved", "solved by less than half", "solved by half or more", "always solved")
FEW = 20  # prompts, one of which at least has to recur, or there is no course to draw
PROMPT = 160  # characters of a prompt that are shown

Floats = NDArray[np.float64]


class PromptCell(NamedTuple):
    """The groups of one prompt in one column."""

    row: int
    column: int
    right: int
    rollouts: int
    first: int  # a rollout of the last of them


class PromptRow(NamedTuple):
    """A prompt of the map."""

    prompt: str  # how it begins
    band: int
    difficulty: float  # share solved by the parent checkpoint, or at the first visit
    by_parent: bool


class BandCourse(NamedTuple):
    """How prompts of one band went."""

    name: str
    prompts: int
    points: tuple[tuple[float, float], ...]  # (step, mean solve rate)
    parts: tuple[tuple[float | None, int], ...]  # of each part of training: mean solve rate, groups


class StepBlock(NamedTuple):
    """Some steps: how many of their groups are solved by none, some and all of their rollouts."""

    first: int
    last: int
    none: int
    some: int
    all: int

    @property
    def groups(self) -> int:
        """All of them."""
        return self.none + self.some + self.all


@dataclass(frozen=True)
class PromptMap:
    """What a run's groups say of its prompts."""

    prompts: int  # distinct ones
    recurring: int  # that came up more than once
    groups: int
    first_step: int
    last_step: int
    by_parent: int  # prompts whose difficulty the parent checkpoint says
    rows: tuple[PromptRow, ...]  # hardest first
    cells: tuple[PromptCell, ...]
    columns: tuple[tuple[int, int], ...]  # first and last step of each
    parts: tuple[tuple[int, int], ...]  # of training, for the bands: first and last step of each
    bands: tuple[BandCourse, ...]  # of prompts that recur
    blocks: tuple[StepBlock, ...]
    cut: bool  # there are more groups than were read

    @property
    def few(self) -> bool:
        """Whether so few prompts recur that their courses say nothing of the run."""
        return self.recurring * FEW < self.prompts

    @property
    def banded(self) -> bool:
        """Whether enough prompts have a difficulty that is known besides their groups, or recur."""
        return not self.few or self.by_parent * FEW >= self.prompts


def prompt_map(run: StageRun) -> PromptMap | None:
    """The map of a run; None: no group is counted yet. Five queries; the only texts are how the shown prompts begin."""
    found = groups(run.pk)
    if not len(found.steps):
        return None
    return made(found, _solved_by_the_parent(run))


def made(found: Groups, known: Mapping[int, float]) -> PromptMap:
    """The map of these groups; `known`: what share the parent checkpoint solves of a prompt, by its hash."""
    keys, start, which, visits = np.unique(
        found.prompts, return_index=True, return_inverse=True, return_counts=True
    )
    rates = found.right / found.rollouts
    told = np.array([int(key) in known for key in keys])
    difficulty = np.array(
        [known.get(int(key), rate) for key, rate in zip(keys, rates[start], strict=True)], dtype=float
    )
    bands = np.select([difficulty == 0, difficulty < 0.5, difficulty < 1], [0, 1, 2], 3)
    low, high = int(found.steps[0]), int(found.steps[-1])
    again = np.ones(len(found.steps), dtype=bool)
    again[start[~told]] = False  # the visit that says how difficult a prompt is says nothing of its course
    edges = _edges(low, high, COLUMNS)
    rows, cells = _drawn(found, keys, start, which, visits, difficulty, edges)
    texts = _beginnings(found.first[start[rows]])
    return PromptMap(
        prompts=len(keys),
        recurring=int((visits > 1).sum()),
        groups=len(found.steps),
        first_step=low,
        last_step=high,
        by_parent=int(told.sum()),
        rows=tuple(
            PromptRow(
                texts.get(int(found.first[start[one]]), ""),
                int(bands[one]),
                float(difficulty[one]),
                bool(told[one]),
            )
            for one in rows
        ),
        cells=cells,
        columns=tuple((first, min(last, high)) for first, last in _spans(edges)),
        parts=tuple((first, min(last, high)) for first, last in _spans(_edges(low, high, PARTS))),
        bands=tuple(
            _courses(
                found.steps[again], rates[again], bands[which][again], bands[told | (visits > 1)], low, high
            )
        ),
        blocks=tuple(_blocks(found, low, high)),
        cut=len(found.steps) == READ,
    )


def _edges(low: int, high: int, most: int) -> NDArray[np.int64]:
    """Where columns of equally many steps begin; the last one is where the last column ends."""
    size = -(-(high - low + 1) // most)
    return np.arange(low, high + size + 1, size, dtype=np.int64)


def _spans(edges: NDArray[np.int64]) -> Iterable[tuple[int, int]]:
    return ((int(a), int(b) - 1) for a, b in itertools.pairwise(edges))


def _place(steps: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.searchsorted(edges, steps, side="right") - 1


def _drawn(
    found: Groups,
    keys: NDArray[np.int64],
    start: NDArray[np.int64],
    which: NDArray[np.int64],
    visits: NDArray[np.int64],
    difficulty: Floats,
    edges: NDArray[np.int64],
) -> tuple[list[int], tuple[PromptCell, ...]]:
    """The prompts that came up most often, the hardest first, and their cells."""
    often = np.lexsort((start, -visits))
    often = often[visits[often] > 1][:ROWS]
    often = often[np.cumsum(np.minimum(visits[often], len(edges) - 1)) <= CELLS]
    rows = often[np.lexsort((start[often], difficulty[often]))]
    row_of = np.full(len(keys), -1)
    row_of[rows] = np.arange(len(rows))
    shown = np.flatnonzero(row_of[which] >= 0)
    cells: dict[tuple[int, int], PromptCell] = {}
    columns = _place(found.steps, edges)
    for one in shown:
        at = int(row_of[which[one]]), int(columns[one])
        before = cells.get(at, PromptCell(*at, 0, 0, 0))
        cells[at] = PromptCell(
            *at,
            before.right + int(found.right[one]),
            before.rollouts + int(found.rollouts[one]),
            int(found.first[one]),
        )
    return [int(one) for one in rows], tuple(cells.values())


def _courses(
    steps: NDArray[np.int64],
    rates: Floats,
    of_group: NDArray[np.int64],
    of_prompt: NDArray[np.int64],
    low: int,
    high: int,
) -> Iterable[BandCourse]:
    edges, quarters = _edges(low, high, BLOCKS), _edges(low, high, PARTS)
    for band, name in enumerate(BANDS):
        mine = of_group == band
        points = [
            (float(steps[mine][here].mean()), float(rates[mine][here].mean()))
            for here in _each(_place(steps[mine], edges), len(edges) - 1)
            if here.any()
        ]
        parts = [
            (float(rates[mine][here].mean()) if here.any() else None, int(here.sum()))
            for here in _each(_place(steps[mine], quarters), len(quarters) - 1)
        ]
        yield BandCourse(name, int((of_prompt == band).sum()), tuple(points), tuple(parts))


def _each(places: NDArray[np.int64], count: int) -> Iterable[NDArray[np.bool_]]:
    return (places == place for place in range(count))


def _blocks(found: Groups, low: int, high: int) -> Iterable[StepBlock]:
    edges = _edges(low, high, BLOCKS)
    places = _place(found.steps, edges)
    none, everything = found.right == 0, found.right == found.rollouts
    for (first, last), here in zip(_spans(edges), _each(places, len(edges) - 1), strict=True):
        solved, missed = int((here & everything).sum()), int((here & none).sum())
        yield StepBlock(first, min(last, high), missed, int(here.sum()) - solved - missed, solved)


def _beginnings(rollouts: NDArray[np.int64]) -> dict[int, str]:
    """How the prompts of these rollouts begin. One query."""
    read = Rollout.objects.filter(pk__in=[int(one) for one in rollouts])
    return dict(read.values_list("pk", Left("prompt", PROMPT)))


def _solved_by_the_parent(run: StageRun) -> dict[int, float]:
    """What share of its completions the parent checkpoint got right, by the hash of the prompt, where it was evaluated on it."""
    if run.parent_id is None:
        return {}
    newest = Evaluation.objects.filter(attempt__stage_run=run.parent_id).order_by(
        "attempt", "seq", "-grading"
    )
    ids = [one for one, _, _ in newest.distinct("attempt", "seq").values_list("pk", "attempt", "seq")]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT hashtextextended(prompt, 0), avg(correct::int)::float FROM results_outcome"
            " WHERE evaluation_id = ANY(%s) GROUP BY 1",
            [ids],
        )
        return dict(cursor.fetchall())
