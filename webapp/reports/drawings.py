"""Small line charts as SVG for the report: made here, so that a file or a print needs no script."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from statistics import fmean

import numpy as np

from training.stages import kinds_where
from webapp.charts.kinds import of_metric
from webapp.comparison.cells import graded_alike
from webapp.comparison.table import StageTable
from webapp.experiments.models import Experiment
from webapp.runs.models import StageRun
from webapp.telemetry.series import Series, series

WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 26  # room around the plot, for the ticks
BLOCKS = 50  # points of a curve, each the mean of a block


@dataclass(frozen=True)
class ConditionLine:
    """A condition's course."""

    name: str
    place: int  # of the condition, which decides colour and dash
    points: tuple[tuple[float, float], ...]  # in units of the picture

    @property
    def path(self) -> str:
        """As SVG takes them."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.points)


@dataclass(frozen=True)
class Tick:
    """A number on an axis, and where."""

    at: float
    text: str
    anchor: str = "middle"


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


def by_stage(table: StageTable) -> list[Drawing]:
    """The metric after every stage, the mean over the finished seeds of one grader; nothing before two stages have a number."""
    courses: list[tuple[str, int, list[tuple[float, float]]]] = []
    for position, name in enumerate(table.conditions):
        points = []
        for at, row in enumerate(table.rows):
            cells = [seed.cells[position] for seed in row.seeds if seed.cells[position].complete]
            if cells and graded_alike(cells):
                points.append((float(at), fmean(cell.rate for cell in cells)))
        courses.append((name, table.positions[name], points))
    if max((len(points) for _, _, points in courses), default=0) < 2:
        return []
    stages = [(float(at), row.stage) for at, row in enumerate(table.rows)]
    return [_drawing(f"{table.metric.title} by stage", courses, stages, share=True, dots=True)]


def by_step(experiment: Experiment) -> list[Drawing]:
    """A stage's report_curves over its steps, a condition's mean over its seeds."""
    drawable_kinds = kinds_where(lambda kind: bool(kind.report_curves))
    runs = StageRun.objects.filter(experiment=experiment, stage__kind__in=drawable_kinds).select_related(
        "stage", "condition"
    )
    trained = {run.pk: run.reused_from_id or run.pk for run in runs}  # a reused run's points are its source's
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
            drawable = [(*whose, _course(several)) for whose, several in of_condition.items()]
            courses = [course for course in drawable if course[2]]  # nothing finite, nothing drawn
            if courses:
                last = max(x for _, _, points in courses for x, _ in points)
                ends = [(0.0, "step 0"), (last, f"{last:,.0f}")]
                kind = of_metric(metric)
                drawn.append(_drawing(f"{kind.title}, {stage}", courses, ends, share=kind.percent))
    return drawn


def _course(several: Sequence[Series]) -> list[tuple[float, float]]:
    """Block means of what the seeds have in common, averaged over them."""
    length = min(len(one.steps) for one in several)
    mean = np.mean([one.values[:length] for one in several], axis=0)
    blocks = min(BLOCKS, length)
    steps = [float(part.mean()) for part in np.array_split(several[0].steps[:length], blocks)]
    values = [float(part.mean()) for part in np.array_split(mean, blocks)]
    return [pair for pair in zip(steps, values, strict=True) if np.isfinite(pair[1])]


def _drawing(
    title: str,
    courses: Sequence[tuple[str, int, list[tuple[float, float]]]],
    across: Sequence[tuple[float, str]],
    *,
    share: bool,
    dots: bool = False,
) -> Drawing:
    ys = [y for _, _, points in courses for _, y in points]
    low, high, ticks = _scale(min(0.0, *ys), max(ys))
    furthest = max(x for x, _ in across) or 1.0

    def at(x: float, y: float) -> tuple[float, float]:
        right = LEFT + (WIDTH - LEFT - RIGHT) * x / furthest
        return right, TOP + (HEIGHT - TOP - BOTTOM) * (high - y) / (high - low)

    many = len(across) > 4  # then names of stages would run into each other: the first and the last
    named = [across[0], across[-1]] if many else across
    return Drawing(
        title,
        tuple(
            ConditionLine(name, place, tuple(at(*pair) for pair in points)) for name, place, points in courses
        ),
        tuple(
            Tick(at(x, low)[0], text, "start" if x == 0 else "end" if x == furthest else "middle")
            for x, text in named
        ),
        tuple(
            Tick(at(0, y)[1], f"{100 * y:.3g} %" if share else f"{y:.3g}".replace("-", "−")) for y in ticks
        ),
        dots,
    )


def _scale(low: float, high: float) -> tuple[float, float, list[float]]:
    """Round ends and two to five round numbers between them."""
    span = (high - low) or 1.0
    size = 10 ** floor(log10(span))
    step = next(part * size for part in (0.2, 0.5, 1.0, 2.0, 5.0) if span / (part * size) <= 4)
    first, last = floor(low / step), ceil(high / step)
    if first == last:
        last += 1
    return first * step, last * step, [number * step for number in range(first, last + 1)]
