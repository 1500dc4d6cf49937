"""Small line charts as SVG for the report: made here, so that a file or a print needs no script."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np

from training.stages import kinds_where
from webapp.charts.kinds import of_metric
from webapp.comparison.figures import points
from webapp.comparison.table import StageTable
from webapp.experiments.models import Experiment
from webapp.runs.models import StageRun
from webapp.statistics.intervals import Interval
from webapp.telemetry.series import Series, series

WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 26  # room around the plot, for the ticks
SECOND = 12  # what a second line of ticks takes
LETTER = 5.2  # about what a letter of a tick takes
DODGE = 5.0  # between the courses over one stage, so that their intervals stand beside each other
KEY = 16  # a line of the key below it, in a file
BLOCKS = 50  # points of a curve, each the mean of a block

PRINTED = ("#0072b2", "#c14f00", "#00805d", "#b0558b", "#946a00", "#3b3b3b")  # conditions' colours on paper


@dataclass(frozen=True)
class ConditionLine:
    """A condition's course."""

    name: str
    place: int  # of the condition, which decides colour and dash
    points: tuple[tuple[float, float], ...]  # in units of the picture
    intervals: tuple[tuple[float, float, float], ...] = ()  # x, and y of both ends
    breaks: frozenset[int] = frozenset()  # points before which the line begins anew

    @property
    def paths(self) -> list[str]:
        """The line in the pieces between its breaks, as SVG takes them."""
        starts = sorted({0, *self.breaks})
        pieces = [
            self.points[start:end] for start, end in zip(starts, [*starts[1:], len(self.points)], strict=True)
        ]
        return [" ".join(f"{x:.1f},{y:.1f}" for x, y in piece) for piece in pieces if piece]


@dataclass(frozen=True)
class DrawnCourse:
    """A condition's numbers before they have a place in a picture."""

    name: str
    place: int  # of the condition
    points: Sequence[tuple[float, float]]
    intervals: Sequence[tuple[float, Interval]] = ()  # x, both ends
    breaks: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Tick:
    """A number on an axis, and where."""

    at: float
    text: str
    anchor: str = "middle"
    line: int = 0  # of two below each other
    zero: bool = False  # of differences, the line that says none

    @property
    def below(self) -> int:
        """How far below the axis it is written."""
        return 16 + SECOND * self.line


@dataclass(frozen=True)
class Drawing:
    """One chart; the numbers stand in the report's tables."""

    title: str
    lines: tuple[ConditionLine, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    dots: bool = False
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM

    @property
    def key(self) -> list[tuple[ConditionLine, int]]:
        """Each line with the place of its name below the chart, in a file."""
        return [(line, self.height + KEY * place + KEY // 2) for place, line in enumerate(self.lines)]

    @property
    def height_with_key(self) -> int:
        """Of a file."""
        return self.height + KEY * len(self.lines) + KEY // 2


def by_stage(table: StageTable) -> list[Drawing]:
    """The answer's figures: the metric after every stage, and how far each condition is from the baseline.

    The same points and intervals as on the page; nothing before two stages have a number.
    """
    share = table.metric.kind != "mean"
    of_stages = _over_stages(f"{table.metric.title} by stage", table, points.reached(table), share=share)
    apart = _over_stages(
        f"Δ {table.metric.title[0].lower()}{table.metric.title[1:]} by stage, {table.metric.unit}",
        table,
        points.differences(table),
        share=False,
        signed=True,
    )
    return [*of_stages, *apart] if of_stages else []


def _over_stages(
    title: str,
    table: StageTable,
    found: Sequence[points.ConditionPoints],
    *,
    share: bool,
    signed: bool = False,
) -> list[Drawing]:
    courses = [_through_stages(table, one, points.order(table)) for one in found]
    if max((len({x for x, _ in course.points}) for course in courses), default=0) < 2:
        return []
    stages = [(float(at), row.stage) for at, row in enumerate(table.rows)]
    return [line_drawing(title, courses, stages, share=share, dots=True, signed=signed, beside=True)]


def _through_stages(
    table: StageTable, one: points.ConditionPoints, order: Sequence[int | None]
) -> DrawnCourse:
    """A condition's line, which begins anew where a branch or a missing number is."""
    through: list[tuple[float, float]] = []
    breaks: set[int] = set()
    intervals: dict[int, Interval] = {}
    for place in order:
        point = points.NONE if place is None else one.points[place]
        if place is None or point.y is None:
            breaks.add(len(through))
            continue
        through.append((float(place), point.y))
        if point.interval is not None:
            intervals[place] = point.interval
    ends = [(float(place), interval) for place, interval in intervals.items()]
    return DrawnCourse(one.name, table.positions[one.condition], through, ends, frozenset(breaks))


def by_step(experiment: Experiment) -> list[Drawing]:
    """A stage's report_curves over its steps, a condition's mean over its seeds."""
    drawable_kinds = kinds_where(lambda kind: bool(kind.report_curves))
    runs = StageRun.objects.filter(experiment=experiment, stage__kind__in=drawable_kinds).select_related(
        "stage", "condition"
    )
    trained = {run.pk: run.computed_by for run in runs}  # a reused run's points are its source's
    curves = {run.stage.name: run.stage.settings_class.report_curves for run in runs}
    metrics = {name for names in curves.values() for name in names}
    found = series(sorted(set(trained.values())), sorted(metrics)) if runs else {}
    drawn = []
    for stage, names in curves.items():
        for metric in names:
            of_condition: dict[tuple[str, int], list[Series]] = {}
            for run in runs:
                points = found.get((trained[run.pk], metric))
                if run.stage.name == stage and points is not None and len(points.steps) > 1:
                    of_condition.setdefault((run.condition.name, run.condition.position), []).append(points)
            drawable = [DrawnCourse(*whose, _means(several)) for whose, several in of_condition.items()]
            courses = [course for course in drawable if course.points]  # nothing finite, nothing drawn
            if courses:
                last = max(x for course in courses for x, _ in course.points)
                ends = [(0.0, "step 0"), (last, f"{last:,.0f}")]
                kind = of_metric(metric)
                drawn.append(line_drawing(f"{kind.title}, {stage}", courses, ends, share=kind.percent))
    return drawn


def _means(several: Sequence[Series]) -> list[tuple[float, float]]:
    """Block means of what the seeds have in common, averaged over them."""
    length = min(len(one.steps) for one in several)
    mean = np.mean([one.values[:length] for one in several], axis=0)
    blocks = min(BLOCKS, length)
    steps = [float(part.mean()) for part in np.array_split(several[0].steps[:length], blocks)]
    values = [float(part.mean()) for part in np.array_split(mean, blocks)]
    return [pair for pair in zip(steps, values, strict=True) if np.isfinite(pair[1])]


def line_drawing(
    title: str,
    courses: Sequence[DrawnCourse],
    across: Sequence[tuple[float, str]],
    *,
    share: bool,
    dots: bool = False,
    signed: bool = False,
    beside: bool = False,
    top: float = 0.0,
    start: float = 0.0,
) -> Drawing:
    """Courses over what is written `across`.

    `share`: the values are proportions; `signed`: differences; `beside`: each of `across` has as much room, in which the courses
    stand beside each other; `top`: the scale goes at least as high; `start`: where what is written across begins.
    """
    ys = [y for course in courses for _, y in course.points]
    ys += [end for course in courses for _, interval in course.intervals for end in interval]
    low, high, ticks = _scale(min(0.0, *ys), max(top, *ys))
    furthest = max(x for x, _ in across)
    span = furthest - start or 1.0
    room = (WIDTH - LEFT - RIGHT) / len(across)  # of each, where they stand beside each other
    apart = min(DODGE, room / 2 / len(courses)) if beside else 0.0

    def at(x: float, y: float) -> tuple[float, float]:
        right = LEFT + (room * (x + 0.5) if beside else (WIDTH - LEFT - RIGHT) * (x - start) / span)
        return right, TOP + (HEIGHT - TOP - BOTTOM) * (high - y) / (high - low)

    def line(number: int, course: DrawnCourse) -> ConditionLine:
        aside = apart * (number - (len(courses) - 1) / 2)
        through = [(x + aside, y) for x, y in (at(*pair) for pair in course.points)]
        ends = [(at(x, low)[0] + aside, at(x, low)[1], at(x, high)[1]) for x, (low, high) in course.intervals]
        return ConditionLine(course.name, course.place, tuple(through), tuple(ends), course.breaks)

    named = _named(across, room) if beside else [(x, text, 0) for x, text in across]
    whole = beside and len(named) == len(across)
    return Drawing(
        title,
        tuple(line(number, course) for number, course in enumerate(courses)),
        tuple(
            Tick(
                at(x, low)[0],
                text,
                "middle" if whole or start < x < furthest else "start" if x == start else "end",
                line,
            )
            for x, text, line in named
        ),
        tuple(
            Tick(
                at(start, y)[1],
                f"{100 * y:.3g} %" if share else f"{y:{'+' if signed and y else ''}.3g}".replace("-", "−"),
                zero=signed and y == 0,
            )
            for y in ticks
        ),
        dots,
        height=HEIGHT + SECOND * max(line for *_, line in named),
    )


def _named(across: Sequence[tuple[float, str]], room: float) -> list[tuple[float, str, int]]:
    """What is written below an axis, each with its line: all on one where they fit, else on two, else the first and the last."""
    for lines in (1, 2):
        beside = list(zip(across, across[lines:], strict=False))
        if all((len(one) + len(next)) / 2 * LETTER + 4 <= room * lines for (_, one), (_, next) in beside):
            return [(x, text, place % lines) for place, (x, text) in enumerate(across)]
    return [(*across[0], 0), (*across[-1], 0)]


def _scale(low: float, high: float) -> tuple[float, float, list[float]]:
    """Round ends and two to five round numbers between them."""
    span = (high - low) or 1.0
    size = 10 ** floor(log10(span))
    step = next(part * size for part in (0.2, 0.5, 1.0, 2.0, 5.0) if span / (part * size) <= 4)
    first, last = floor(low / step), ceil(high / step)
    if first == last:
        last += 1
    return first * step, last * step, [number * step for number in range(first, last + 1)]
