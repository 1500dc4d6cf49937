"""A chart's data as a file: every point of the shown series, at full resolution, a chunk at a time."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from webapp.charts.charts import Chart, ConditionCurves, Curve
from webapp.charts.choices import ChartChoices
from webapp.files.long_tables import CHUNK, LongTable
from webapp.runs.models import StageRun
from webapp.runs.origin import origin

COLUMNS = {
    "metric": "text", "series": "text", "condition": "text", "seed": "integer", "run": "integer", "step": "integer",
    "time": "time", "x": "number", "value": "number", "smoothed": "number", "low": "number", "high": "number",
}  # fmt: skip
Chunk = list[tuple[Any, ...]]


def rows(chart: Chart, choices: ChartChoices) -> LongTable:
    """One row for each point of each run, then one for each x of each mean; `smoothed` and x are as on the chart.

    `low` and `high` are a mean's range over its seeds, and the 95 % interval of a share of so many problems.
    """
    run = chart.own
    more = {
        "Stage": run.stage.name,
        "Run": str(run.pk),
        "x": chart.axis.title,
        "Smoothing": f"{choices.smooth:g}",
    }
    return LongTable(COLUMNS, _chunks(chart), origin(run.experiment, more))


def _chunks(chart: Chart) -> Iterator[Sequence[Sequence[Any]]]:
    name = chart.kind.name
    for part in chart.parts:
        yield from _of_run(part.metric, part.curve)
    for curve in (one for condition in chart.conditions for one in condition.curves):
        yield from _of_run(name, curve)
    for condition in chart.conditions:
        yield from _of_mean(name, condition)


def _of_run(metric: str, curve: Curve) -> Iterator[Chunk]:
    run, points = curve.run, curve.points
    who = (metric, "run", run.condition.name, run.seed, run.pk)
    for part in _parts(len(points.steps)):
        arrays = (points.steps, points.times, curve.x, points.values, curve.shown)
        lists = [array[part].tolist() for array in arrays]
        ends = [[None] * len(lists[0])] * 2
        if curve.interval is not None:
            ends = [end[part].tolist() for end in (curve.interval.low, curve.interval.high)]
        yield [
            (*who, step, datetime.fromtimestamp(time, UTC), x, value, shown, low, high)
            for step, time, x, value, shown, low, high in zip(*lists, *ends, strict=True)
        ]


def _of_mean(metric: str, condition: ConditionCurves) -> Iterator[Chunk]:
    if (band := condition.band) is None:
        return
    who = (
        metric,
        f"mean of {len(condition.curves)} seeds",
        condition.run.condition.name,
        None,
        None,
        None,
        None,
    )
    for part in _parts(len(band.x)):
        lists = (array[part].tolist() for array in (band.x, band.mean, band.low, band.high))
        yield [(*who, x, None, mean, low, high) for x, mean, low, high in zip(*lists, strict=True)]


def _parts(length: int) -> Iterable[slice]:
    return (slice(start, start + CHUNK) for start in range(0, length, CHUNK))


def file_name(run: StageRun, chart: Chart) -> str:
    """What the file is called, without its end."""
    return f"{run.experiment.name}-run-{run.pk}-{chart.kind.key.replace(':', '-').replace('/', '-')}"
