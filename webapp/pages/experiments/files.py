"""The list of experiments as a table that becomes a file: a row a condition."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from webapp.experiments.models import Experiment
from webapp.files.number_text import percent
from webapp.files.table import Column, Sheet, Table
from webapp.pages.experiments import querysets
from webapp.runs.code_versions import of_experiments
from webapp.runs.models import in_words

COLUMNS = (
    Column("experiment", "text", "Experiment", value="summary.experiment.name"),
    Column("title", "text", "Title", value="summary.experiment.title", wraps=True),
    Column("recipe", "text", value="summary.experiment.recipe_name"),
    Column("code_version", "text"),
    Column("state", "text", "State", in_words, value="summary.state"),
    Column("runs_done", "integer", "Runs done", value="summary.done"),
    Column("runs", "integer", "Runs", value="summary.total"),
    Column("primary_metric", "text", value="summary.experiment.primary_metric"),
    Column("condition", "text", "Condition", value="result.condition.name"),
    Column("stage", "text", "After", value="result.stage"),
    Column("accuracy", "number", "Accuracy", percent, "result.rate"),  # mean over the seeds
    Column("seeds", "text", value=lambda row: ", ".join(map(str, row.summary.experiment.seeds))),
    Column("started", "time", "Started", "{:%Y-%m-%d}".format, "summary.experiment.created_at"),
    Column("owner", "text", "By", value=lambda row: row.summary.experiment.owner.get_username()),
)


class ConditionRow(NamedTuple):
    """One condition of an experiment, with its newest result."""

    summary: querysets.Summary
    result: querysets.ConditionResult
    code_version: str


def experiments(found: Iterable[Experiment], at: datetime | None = None) -> Table:
    """One row for each condition of these experiments, with its newest result."""
    found = list(found)
    versions = of_experiments(found)
    rows = [
        ConditionRow(one, result, versions[one.experiment.pk].short)
        for one in querysets.summaries(found)
        for result in one.conditions
    ]
    provenance = {
        "Experiments": f"{len({row.summary.experiment.pk for row in rows}):,}",
        "Accuracy": "on each experiment's primary metric after its furthest stage, mean over the finished seeds",
        "As of": f"{at or datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }
    return Table(
        "experiments",
        "Experiments",
        "of this installation",
        Sheet("experiments", "Experiments", COLUMNS, rows),
        provenance,
    )
