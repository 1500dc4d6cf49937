"""The numbers of the answer's figures: every point with its interval and what is said of it. Knows no way to draw them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from webapp.comparison.cells import Cell, Refusal, SameRun, SeedsComparison
from webapp.comparison.comparisons import Compared, Tested
from webapp.comparison.contrasts import StageContrast
from webapp.comparison.sentences.wording import difference, difference_interval, value
from webapp.comparison.stage_rows import StageRow
from webapp.comparison.table import StageTable
from webapp.statistics.intervals import Interval
from webapp.statistics.seeds import over_seeds
from webapp.statistics.verdicts import FEWEST


class AnswerPoint(NamedTuple):
    """One condition after one stage."""

    y: float | None
    interval: Interval | None
    said: str
    seed: int | None  # that a click opens


NONE = AnswerPoint(None, None, "", None)


class SeedPoint(NamedTuple):
    """One seed of a condition after one stage."""

    place: int  # of the stage among the table's rows
    seed: int
    y: float
    said: str


@dataclass(frozen=True)
class ConditionPoints:
    """A condition's points, one a row of the table; of several seeds these are means, and each seed is there as well."""

    name: str  # what the line is called
    condition: str
    points: tuple[AnswerPoint, ...]
    seeds: tuple[SeedPoint, ...]  # empty with one seed


@dataclass(frozen=True)
class ContrastPoint:
    """One planned gain or interaction."""

    contrast: StageContrast
    point: AnswerPoint
    seeds: tuple[tuple[int, float, str], ...]  # seed, value, what is said; empty with one seed


def reached(table: StageTable) -> list[ConditionPoints]:
    """The metric after every stage, a share as 0 … 1.

    Of one seed each point has the interval of the table; of several it is their mean with Student's 95 % interval from
    three seeds on.
    """
    found = []
    for place, name in enumerate(table.conditions):
        cells = [[seed.cells[place] for seed in row.seeds] for row in table.rows]
        points = tuple(_reached(table, row, place, of) for row, of in zip(table.rows, cells, strict=True))
        single = (
            SeedPoint(stage, cell.seed, cell.rate, _said(table, cell))
            for stage, of in enumerate(cells)
            for cell in of
            if cell.complete
        )
        found.append(ConditionPoints(name, name, points, tuple(single) if table.several_seeds else ()))
    return found


def differences(table: StageTable) -> list[ConditionPoints]:
    """How far each other condition is from the baseline after every stage, in the metric's unit of a difference.

    The interval is the one that the comparison's verdict goes by, of several seeds from three on.
    """
    found = []
    for place, name in enumerate(table.others):
        compared = [[seed.comparisons[place] for seed in row.seeds] for row in table.rows]
        points = tuple(
            _compared(table, row.over_seeds[place] if table.several_seeds else None, of)
            for row, of in zip(table.rows, compared, strict=True)
        )
        single = tuple(
            SeedPoint(stage, *of_seed) for stage, of in enumerate(compared) for of_seed in _single(table, of)
        )
        found.append(ConditionPoints(f"{name} − {table.baseline}", name, points, single))
    return found


def contrasts(table: StageTable) -> list[ContrastPoint]:
    """The planned gains or interactions, in the metric's unit of a difference; empty where differences were planned."""
    return [
        ContrastPoint(one, _compared(table, one.over_seeds, one.seeds), tuple(_single(table, one.seeds)))
        for one in table.contrasts
    ]


def order(table: StageTable) -> list[int | None]:
    """The rows in the order in which a line goes through them: from each to what starts from it, broken (None) between branches."""
    after = {stage.name: stage.after for stage in table.experiment.stages.select_related("after")}
    places = {row.stage: place for place, row in enumerate(table.rows)}
    found: list[int | None] = []
    for place, row in enumerate(table.rows):
        start = after[row.stage]
        while start is not None and start.name not in places:  # nothing is evaluated after it
            start = after[start.name]
        parent = places[start.name] if start is not None else None
        if found and parent != found[-1]:
            found += [None] if parent is None else [None, parent]
        found.append(place)
    return found


def _reached(table: StageTable, row: StageRow, place: int, cells: Sequence[Cell]) -> AnswerPoint:
    complete = [cell for cell in cells if cell.complete]
    if not table.several_seeds:
        if not complete:
            return NONE
        one = complete[0]
        return AnswerPoint(one.rate, one.interval, _said(table, one), one.seed)
    mean = row.means[place]
    if mean is None:
        return NONE
    of = _seeds_of_mean(table, row, place)
    rates = [cell.rate for cell in complete if cell.seed in of]
    found = over_seeds(rates, largest=table.metric.largest).interval if len(rates) >= FEWEST else None
    interval = Interval(max(0.0, found.low), found.high) if found else None  # no share or amount is below 0
    said = f"mean of {_count(len(rates))}: {value(mean, table.metric, table.digits)}"
    return AnswerPoint(mean, interval, said, next(cell.seed for cell in complete if cell.seed in of))


def _seeds_of_mean(table: StageTable, row: StageRow, place: int) -> Sequence[int]:
    """The seeds that a condition's mean is of, as in stage_rows.means."""
    compared = row.over_seeds[place - 1] if place else next(filter(None, row.over_seeds), None)
    return compared.seeds if compared else table.seeds[: table.plan.seeds]


def _said(table: StageTable, cell: Cell) -> str:
    """A checkpoint's number with what it is out of."""
    seed = f"seed {cell.seed}: " if table.several_seeds else ""
    ends = ""
    if cell.interval is not None and not table.several_seeds:
        ends = f", {' to '.join(value(end, table.metric, table.digits) for end in cell.interval)}"
    return f"{seed}{value(cell.rate, table.metric, table.digits)} ({cell.fraction}){ends}"


def _compared(
    table: StageTable, together: SeedsComparison | None, seeds: Sequence[Compared | None]
) -> AnswerPoint:
    """One contrast: over the seeds where the table has several, else of the one seed."""
    one: Tested | SeedsComparison | None = together
    if not table.several_seeds:
        one = next((found for found in seeds if _tested(found)), None)  # type: ignore[assignment]
    if one is None:
        return NONE
    of = f"mean of {_count(len(one.differences))}: " if isinstance(one, SeedsComparison) else ""
    factor = table.metric.factor
    few = isinstance(one, SeedsComparison) and len(one.differences) < FEWEST  # theirs would dwarf all others
    interval = (
        Interval(one.interval.low * factor, one.interval.high * factor) if one.interval and not few else None
    )
    said = f"{of}{_difference(table, one)}<br>{one.family.role}: {one.verdict.word}"
    opened = one.seeds[0] if isinstance(one, SeedsComparison) else one.seed
    return AnswerPoint(one.delta * factor, interval, said, opened)


def _single(table: StageTable, seeds: Sequence[Compared | None]) -> list[tuple[int, float, str]]:
    """Each seed of one contrast; none where the table has one seed."""
    if not table.several_seeds:
        return []
    return [
        (one.seed, one.delta * table.metric.factor, f"seed {one.seed}: {_difference(table, one)}")
        for one in seeds
        if one is not None and not isinstance(one, Refusal | SameRun)
    ]


def _tested(one: Compared | None) -> bool:
    return one is not None and not isinstance(one, Refusal | SameRun)


def _difference(table: StageTable, one: Tested | SeedsComparison) -> str:
    ends = f", {difference_interval(one.interval, table.metric, table.digits)}" if one.interval else ""
    counts = getattr(one, "counts", None)
    flips = (
        f"<br>{counts.gained} gained, {counts.lost} lost of {counts.problems:,}"
        if counts and table.counts_pairs
        else ""
    )
    return f"{difference(one.delta, table.metric, table.digits)} {table.metric.unit}{ends}{flips}"


def _count(seeds: int) -> str:
    return f"{seeds} seed{'' if seeds == 1 else 's'}"
