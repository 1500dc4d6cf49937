"""Findings and dynamics tables as tables that become files."""

from datetime import datetime

from webapp.diagnosis import readings
from webapp.experiments.models import Experiment
from webapp.files.table import Column, Sheet, Table, columns
from webapp.reports import report_diagnosis
from webapp.runs.code_versions import of_experiment
from webapp.runs.models import StageRun
from webapp.runs.origin import origin

OF_THE_RUN = {
    "experiment": "text", "code_version": "text", "stage": "text", "condition": "text", "seed": "integer", "run": "integer",
}  # fmt: skip
OF_DYNAMICS = {
    "metric": "text", "points": "integer", "first_step": "integer", "last_step": "integer", "start": "number",
    "end": "number", "slope_per_step": "number", "slope_low": "number", "slope_high": "number", "trend": "text",
}  # fmt: skip
OF_FINDINGS = (
    Column("experiment", "text"),
    Column("code_version", "text"),
    Column("severity", "text", "Severity"),
    Column("kind", "text"),
    Column("finding", "text", "Finding", wraps=True),
    Column("stage", "text"),
    Column("condition", "text"),
    Column("seed", "integer"),
    Column("run", "integer"),
    Column("where", "text", "Where"),
    Column("from_step", "integer", "From step", lambda step: f"{step:,}"),
    Column("evidence", "text", "Evidence", wraps=True),
    Column("reading", "text"),
    Column("not_shown", "text"),
    Column("what_to_try", "text"),
)
SLOPES = "slope: least squares through block means from 60 points on, Student's t widened for correlated noise; 95 %"


def dynamics(experiment: Experiment, run: StageRun | None = None, at: datetime | None = None) -> Table:
    """The dynamics of every run that has them, or of one."""
    found, versions = report_diagnosis.dynamics_rows(experiment, run), of_experiment(experiment)
    rows = []
    for one, row in found:
        trend = row.trend
        slope = (trend.line.slope, *trend.line.interval) if trend.line else (None, None, None)
        whose = (
            experiment.name,
            versions.of_run(one.pk),
            one.stage.name,
            one.condition.name,
            one.seed,
            one.pk,
        )
        ends = (trend.first_step, trend.last_step, trend.start, trend.end)
        rows.append(
            (
                *whose,
                row.measure.name,
                trend.points,
                *ends,
                *slope,
                trend.word,
            )
        )
    sheet = Sheet(
        "dynamics",
        "Training dynamics",
        columns(OF_THE_RUN | OF_DYNAMICS),
        rows,
        report_diagnosis.dynamics_grid(found),
    )
    return Table(
        f"{_name(experiment, run)}-dynamics",
        "Training dynamics",
        _subject(experiment, run),
        sheet,
        origin(experiment, {"Test": SLOPES}, at),
    )


def findings(experiment: Experiment, run: StageRun | None = None, at: datetime | None = None) -> Table:
    """Every finding by itself, the worst first; of the experiment or of one run."""
    found = readings.of_experiment(experiment) if run is None else readings.of_run(run).findings
    versions = of_experiment(experiment)
    rows = [
        (
            experiment.name,
            versions.of_run(one.run),
            one.severity.word,
            one.kind,
            one.headline,
            one.stage or None,
            one.condition or None,
            one.seed,
            one.run,
            one.where or None,
            one.onset,
            one.evidence,
            one.reading,
            one.not_shown,
            " ".join(f"{advice.text} (Hypothesis {advice.hypothesis.letter})" for advice in one.advice),
        )
        for one in found
    ]
    rules = {"Rules": "docs/findings.md of this version: what the records are consistent with, not causes"}
    return Table(
        f"{_name(experiment, run)}-findings",
        "Findings",
        _subject(experiment, run),
        Sheet("findings", "Findings", OF_FINDINGS, rows),
        origin(experiment, rules, at),
    )


def _name(experiment: Experiment, run: StageRun | None) -> str:
    return experiment.name if run is None else f"{experiment.name}-run-{run.pk}"


def _subject(experiment: Experiment, run: StageRun | None) -> str:
    if run is None:
        return f"in {experiment.name}"
    return f"in {run.stage.name} of {run.condition.name}, seed {run.seed}, {experiment.name}"
