"""The list of experiments as a table that becomes a file: a row a condition."""

from collections.abc import Iterable
from datetime import UTC, datetime

from webapp.experiments.models import Experiment
from webapp.files.number_text import percent
from webapp.files.table import Column, Sheet, Table
from webapp.pages.experiments.querysets import summaries

COLUMNS = (
    Column("experiment", "text", "Experiment"),
    Column("title", "text", "Title", wraps=True),
    Column("recipe", "text"),
    Column("code_version", "text"),
    Column("state", "text", "State"),
    Column("runs_done", "integer", "Runs done"),
    Column("runs", "integer", "Runs"),
    Column("primary_metric", "text"),
    Column("condition", "text", "Condition"),
    Column("stage", "text", "After"),
    Column("accuracy", "number", "Accuracy", percent),  # mean over the seeds
    Column("seeds", "text"),
    Column("started", "time", "Started", lambda at: f"{at:%Y-%m-%d}"),
    Column("owner", "text", "By"),
)


def experiments(found: Iterable[Experiment], at: datetime | None = None) -> Table:
    """One row for each condition of these experiments, with its newest result."""
    rows = [
        (
            (one := summary.experiment).name,
            one.title,
            one.recipe_name,
            one.code_version,
            summary.state,
            summary.done,
            summary.total,
            one.primary_metric,
            arm.condition.name,
            arm.stage,
            arm.rate,
            ", ".join(map(str, one.seeds)),
            one.created_at,
            one.owner.get_username(),
        )
        for summary in summaries(found)
        for arm in summary.arms
    ]
    provenance = {
        "Experiments": f"{len({row[0] for row in rows}):,}",
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
