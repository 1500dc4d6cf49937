"""Rollouts of runs as a long table: one row a rollout, oldest first, read by keyset so that no cursor stays open."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.db.models import QuerySet

from training.process.journal import RolloutRow
from webapp.experiments.models import Experiment
from webapp.files.column_kinds import kinds_of
from webapp.files.long_tables import CHUNK, LongTable
from webapp.runs.code_versions import of_experiment
from webapp.runs.models import Attempt, StageRun
from webapp.runs.origin import origin
from webapp.telemetry import series
from webapp.telemetry.models import Rollout

OF_THE_RUN = {
    "experiment": "text", "code_version": "text", "condition": "text", "stage": "text", "seed": "integer",
    "run": "integer", "attempt": "integer",
}  # fmt: skip
RECORDED = {
    "seq": "integer", "index": "integer", "step": "integer", "group": "integer", "sampled_at": "time",
    **kinds_of(RolloutRow),
}  # fmt: skip
Narrowing = Callable[[QuerySet[Rollout]], QuerySet[Rollout]]


def rows(
    experiment: Experiment, runs: Iterable[StageRun], narrowed: Narrowing = lambda found: found
) -> LongTable:
    """What counts of these runs of one experiment and is recorded by now; `narrowed` leaves out what is not wanted."""
    runs = list(runs)
    limits = series.last_steps(run.pk for run in runs)
    counting = [attempt for attempts in limits.values() for attempt in attempts]
    attempts = Attempt.objects.select_related("stage_run__condition", "stage_run__stage").in_bulk(counting)
    provenance = origin(experiment, {"Runs": ", ".join(str(run.pk) for run in runs)})
    versions = of_experiment(experiment)
    chunks = (
        chunk
        for pk in counting
        for chunk in _chunks(
            versions.of_attempt(attempts[pk]),
            experiment,
            attempts[pk],
            narrowed(series.rollouts([attempts[pk].stage_run_id])),
        )
    )
    return LongTable(OF_THE_RUN | RECORDED, chunks, provenance)


def _chunks(
    version: str, experiment: Experiment, attempt: Attempt, found: QuerySet[Rollout]
) -> Iterator[Sequence[Sequence[Any]]]:
    run = attempt.stage_run
    names = (experiment.name, version, run.condition.name, run.stage.name)
    whose = (*names, run.seed, run.pk, attempt.number)
    found = found.filter(attempt=attempt, seq__lte=attempt.journal_seq).order_by("seq", "index")
    seq, index = 0, -1
    while True:
        after = found.filter(seq__gte=seq).exclude(seq=seq, index__lte=index)
        if not (read := list(after.values_list(*RECORDED)[:CHUNK])):
            return
        yield [whose + row for row in read]
        seq, index = read[-1][:2]
