"""The dynamics of GRPO runs as a table: a row a metric and run, for pages, the report and files."""

from collections.abc import Sequence
from typing import NamedTuple

from webapp.charts.kinds import of_metric
from webapp.diagnosis import readings
from webapp.diagnosis.dynamics import SLOPE_STEPS, MetricTrend, place
from webapp.diagnosis.finding import figure, share
from webapp.experiments.models import Experiment
from webapp.files.table import Column, Sheet, View
from webapp.runs.code_versions import Versions
from webapp.runs.models import StageRun


class RunTrend(NamedTuple):
    """The course of one metric in one run."""

    run: StageRun
    row: MetricTrend


METRIC = Column("", "text", "Metric", str, "row.measure.title", link="#chart-{0.row.measure.chart}".format)
CONDITION = Column("condition", "text", "Condition", value="run.condition.name")
STAGE = Column("stage", "text", "Stage", value="run.stage.name")
SEED = Column("seed", "integer", "Seed", value="run.seed", left=True)


def _is_share(row: MetricTrend) -> bool:
    return of_metric(row.measure.name).percent


def _level(value: float, row: MetricTrend) -> str:
    """A share as a percentage, as the rest of the report has it; another value as it is."""
    return share(value) if _is_share(row) else figure(value)


def _change(values: Sequence[float], row: MetricTrend) -> str:
    """One value or both ends of an interval; of a share in percentage points."""
    factor, unit = (100, " points") if _is_share(row) else (1, "")
    return " to ".join(figure(factor * value) for value in values) + unit


def _peak(row: MetricTrend) -> str:
    """The highest mean over a tenth of the points, and the step in its middle."""
    return f"{_level(row.trend.peak, row)} ({row.trend.peak_step:,})"


def _slope(one: RunTrend) -> str | None:
    return None if one.row.slope is None else _change([one.row.slope], one.row)


def _interval(one: RunTrend) -> str | None:
    return None if one.row.interval is None else _change(one.row.interval, one.row)


COURSE = (
    Column("", "number", "Start", value=lambda one: _level(one.row.trend.start, one.row)),
    Column("", "number", "End", value=lambda one: _level(one.row.trend.end, one.row)),
    Column("", "number", "Peak (step)", value=lambda one: _peak(one.row)),
    Column(
        "",
        "number",
        f"Slope per {SLOPE_STEPS} steps",
        value=_slope,
        subheading="of the line through the points",
    ),
    Column("", "number", "95 % interval", value=_interval),
    Column("", "text", "Trend", value="row.trend_text", css="trend"),
)
TO_READ = (METRIC, CONDITION, STAGE, SEED, *COURSE)
OF_RUN = (
    STAGE,
    CONDITION,
    SEED,
    Column("run", "integer", value="run.pk"),
    Column("metric", "text", value="row.measure.name"),
    Column("points", "integer", value="row.trend.points"),
    Column("first_step", "integer", value="row.trend.first_step"),
    Column("last_step", "integer", value="row.trend.last_step"),
    Column("start", "number", value="row.trend.start"),
    Column("end", "number", value="row.trend.end"),
    Column("peak", "number", value="row.trend.peak"),
    Column("peak_step", "integer", value="row.trend.peak_step"),
    Column("slope_per_step", "number", value="row.trend.line.slope"),
    Column("slope_low", "number", value="row.trend.line.interval.low"),
    Column("slope_high", "number", value="row.trend.line.interval.high"),
    Column("trend", "text", value="row.trend.word"),
    Column("turn", "text", value="row.trend.turn"),
)


def dynamics_sheet(found: list[RunTrend], versions: Versions) -> Sheet:
    """The sheet of these trends of an experiment, whose runs were computed by `versions` of the code."""
    columns = [
        Column("experiment", "text", value="run.experiment.name"),
        Column("code_version", "text", value=lambda one: versions.of_run(one.run.pk)),
        *OF_RUN,
    ]
    return Sheet("dynamics", "Training dynamics", columns, found, View(TO_READ, found))


def page_views(found: list[RunTrend]) -> tuple[View, View]:
    """What the page of a run shows of its trends, without saying whose they are; apart what has no slope, where others have one."""
    sloped = [one for one in found if one.row.slope is not None or one.row.trend.turn]
    rest = [one for one in found if one not in sloped] if sloped else []
    levels = [column for column in COURSE if column.title in ("Start", "End", "Peak (step)")]
    return View((METRIC, *COURSE), sloped or found), View((METRIC, *levels), rest)


def of_run(run: StageRun, reading: readings.Reading | None = None) -> list[RunTrend]:
    """Each metric of a run; `reading`: its own, where it is there."""
    return [RunTrend(run, row) for row in (reading or readings.of_run(run)).dynamics]


def of_experiment(experiment: Experiment) -> list[RunTrend]:
    """Each metric of each GRPO run, in the order of the metrics, then of the runs."""
    runs = StageRun.objects.filter(experiment=experiment).select_related("condition", "stage", "experiment")
    every = readings.readings(experiment)
    found = [RunTrend(run, row) for run in runs if run.pk in every for row in every[run.pk].dynamics]
    return sorted(found, key=lambda one: place(one.row.measure.name))
