"""The forest plot: every difference of the stage table with its interval on one axis, a row each."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import NamedTuple

from webapp.comparison.cells import Refusal, SameRun, SeedsComparison
from webapp.comparison.comparisons import Tested
from webapp.comparison.stage_rows import StageRow
from webapp.comparison.table import StageTable
from webapp.statistics.families import Role
from webapp.statistics.intervals import Interval
from webapp.statistics.verdicts import FEWEST, Verdict

Shown = Tested | SeedsComparison
TICKS = 6  # about as many as an axis has
NARROWEST = 0.001  # an axis shows at least this much: rounding is not blown up to a difference


class AxisTick(NamedTuple):
    """A labelled place on the axis."""

    x: float  # percent of the axis' width
    text: str  # in the metric's unit


class PlottedComparison(NamedTuple):
    """One comparison: what is written, and where it is drawn, in percent of the axis' width."""

    stage: str
    condition: str
    position: int  # of the condition, which decides its colour
    seeds: str  # which seed, how many or their mean; '' where there is one
    delta: float
    interval: Interval | None  # None: the seeds show no spread
    verdict: Verdict
    role: Role
    x: float
    low: float | None
    high: float | None
    each: tuple[float, ...]  # the single seeds' differences, of a row that has several


@dataclass(frozen=True)
class ForestPlot:
    """Rows on one axis; without rows there is nothing to draw."""

    rows: tuple[PlottedComparison, ...]
    ticks: tuple[AxisTick, ...]
    zero: float  # where no difference is, in percent


def forest_plot(table: StageTable, together: bool) -> ForestPlot:
    """Draw what a table compares: of several seeds each one and, of enough, their mean difference, or (`together`) that alone."""
    found = [one for row in table.rows for one in _shown(table, row, together)]
    values = [0.0]
    for one, _ in found:
        values += _values(one)
    step, low, high = _axis(min(values), max(values))

    def x(value: float) -> float:
        return round(100 * (value - low) / (high - low), 3)

    def drawn(one: Shown, seeds: str) -> PlottedComparison:
        interval, delta = one.interval, one.delta
        return PlottedComparison(
            one.stage,
            one.condition,
            table.positions[one.condition],
            seeds,
            delta,
            interval,
            one.verdict,
            one.family.role,
            x(delta),
            low=x(interval.low) if interval else None,
            high=x(interval.high) if interval else None,
            each=tuple(x(value) for value in one.differences) if isinstance(one, SeedsComparison) else (),
        )

    count = round((high - low) / step) + 1
    ticks = tuple(AxisTick(x(at := low + i * step), _tick(at * table.metric.factor)) for i in range(count))
    return ForestPlot(tuple(drawn(one, seeds) for one, seeds in found), ticks, x(0.0))


def _shown(table: StageTable, row: StageRow, together: bool) -> Iterator[tuple[Shown, str]]:
    """The comparisons of a stage that have a number, and which seeds they are of."""
    if together and table.several_seeds:
        for one in row.over_seeds:
            if one is not None:
                yield one, f"{len(one.differences)} seeds"
        return
    for place in range(len(table.others)):
        for seed in row.seeds:
            compared = seed.comparisons[place]
            if compared is not None and not isinstance(compared, Refusal | SameRun):
                yield compared, f"seed {seed.seed}" if table.several_seeds else ""
        mean = row.over_seeds[place] if table.several_seeds else None
        if mean is not None and len(mean.differences) >= FEWEST:  # the interval of two would dwarf all others
            yield mean, "mean"


def _values(one: Shown) -> list[float]:
    """Everything of a comparison that the axis must reach."""
    each = one.differences if isinstance(one, SeedsComparison) else ()
    return [one.delta, *(one.interval or ()), *each]


def _axis(least: float, most: float) -> tuple[float, float, float]:
    """The distance of the ticks (1, 2 or 5 of a power of ten) and the first and the last one."""
    wished = max(most - least, NARROWEST) / (TICKS - 1)
    power = 10.0 ** floor(log10(wished))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= wished * 0.999)
    low, high = floor(least / step + 1e-9) * step, ceil(most / step - 1e-9) * step
    return step, low, high if high > low else low + step


def _tick(value: float) -> str:
    return f"{round(value, 9):+g}".replace("-", "−") if abs(value) > 1e-9 else "0"
