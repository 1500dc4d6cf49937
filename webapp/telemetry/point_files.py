"""Metrics of runs as a long table: one row a point that counts, metric by metric, so that one metric is in memory."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from webapp.experiments.models import Experiment
from webapp.files.long_tables import CHUNK, LongTable
from webapp.runs.code_versions import of_experiment
from webapp.runs.models import StageRun
from webapp.runs.origin import origin
from webapp.telemetry.models import Metric
from webapp.telemetry.series import series

COLUMNS = {
    "experiment": "text", "code_version": "text", "condition": "text", "stage": "text", "seed": "integer",
    "run": "integer", "metric": "text", "step": "integer", "time": "time", "value": "number",
}  # fmt: skip


def rows(experiment: Experiment, runs: Iterable[StageRun]) -> LongTable:
    """Every point that counts of these runs of one experiment, with their condition and stage loaded."""
    runs = list(runs)
    provenance = origin(experiment, {"Runs": ", ".join(str(run.pk) for run in runs)})
    versions = of_experiment(experiment)
    chunks = (chunk for run in runs for chunk in _chunks(versions.of_run(run.pk), experiment, run))
    return LongTable(COLUMNS, chunks, provenance)


def _chunks(version: str, experiment: Experiment, run: StageRun) -> Iterator[Sequence[Sequence[Any]]]:
    whose = (experiment.name, version, run.condition.name, run.stage.name, run.seed, run.pk)
    names = Metric.objects.filter(attempt__stage_run=run).order_by("name").values_list("name", flat=True)
    for name in names.distinct():
        found = series([run.pk], [name]).get((run.pk, name))
        if found is None:
            continue
        for start in range(0, len(found.steps), CHUNK):
            part = slice(start, start + CHUNK)
            points = zip(
                found.steps[part].tolist(),
                found.times[part].tolist(),
                found.values[part].tolist(),
                strict=True,
            )
            yield [(*whose, name, step, datetime.fromtimestamp(at, UTC), value) for step, at, value in points]
