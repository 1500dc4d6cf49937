"""Findings and dynamics tables as tables that become files."""

from datetime import datetime

from webapp.diagnosis import readings
from webapp.diagnosis.finding import Advice
from webapp.diagnosis.trying import as_written
from webapp.experiments.models import Experiment
from webapp.files.table import Column, Sheet, Table
from webapp.reports import dynamics_table
from webapp.runs.code_versions import of_experiment
from webapp.runs.models import StageRun
from webapp.runs.origin import origin


def _advised(one: Advice) -> str:
    if one.hypothesis is not None:
        return f"{one.text} (Hypothesis {one.hypothesis.letter})"
    changes = f" with {as_written(one.changes)}" if one.changes else ""
    return f"{one.text} (this experiment{changes})"


OF_FINDINGS = (
    Column("severity", "text", "Severity", value="severity.word"),
    Column("kind", "text"),
    Column("finding", "text", "Finding", value="headline", wraps=True),
    Column("stage", "text", value=lambda one: one.stage or None),
    Column("condition", "text", value=lambda one: one.condition or None),
    Column("seed", "integer"),
    Column("run", "integer"),
    Column("where", "text", "Where", value=lambda one: one.where or None),
    Column("from_step", "integer", "From step", "{:,}".format, "onset"),
    Column("evidence", "text", "Evidence", wraps=True),
    Column("reading", "text"),
    Column("not_shown", "text"),
    Column("what_to_try", "text", value=lambda one: " ".join(map(_advised, one.advice))),
)
SLOPES = "slope: least squares through block means from 60 points on, Student's t widened for correlated noise; 95 %"


def dynamics(experiment: Experiment, run: StageRun | None = None, at: datetime | None = None) -> Table:
    """The dynamics of every run that has them, or of one."""
    found = dynamics_table.of_experiment(experiment) if run is None else dynamics_table.of_run(run)
    return Table(
        f"{_name(experiment, run)}-dynamics",
        "Training dynamics",
        _subject(experiment, run),
        dynamics_table.dynamics_sheet(found, of_experiment(experiment)),
        origin(experiment, {"Test": SLOPES}, at),
    )


def findings(experiment: Experiment, run: StageRun | None = None, at: datetime | None = None) -> Table:
    """Every finding by itself, the worst first; of the experiment or of one run."""
    found = readings.of_experiment(experiment) if run is None else readings.of_run(run).findings
    versions = of_experiment(experiment)
    columns = [
        Column("experiment", "text", value=lambda one: experiment.name),
        Column("code_version", "text", value=lambda one: versions.of_run(one.run)),
        *OF_FINDINGS,
    ]
    rules = {"Rules": "docs/findings.md of this version: what the records are consistent with, not causes"}
    return Table(
        f"{_name(experiment, run)}-findings",
        "Findings",
        _subject(experiment, run),
        Sheet("findings", "Findings", columns, found),
        origin(experiment, rules, at),
    )


def _name(experiment: Experiment, run: StageRun | None) -> str:
    return experiment.name if run is None else f"{experiment.name}-run-{run.pk}"


def _subject(experiment: Experiment, run: StageRun | None) -> str:
    if run is None:
        return f"in {experiment.name}"
    return f"in {run.stage.name} of {run.condition.name}, seed {run.seed}, {experiment.name}"
