"""What cancelling would end and what it leaves, counted before it is done, so that a person decides by numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from webapp.experiments.models import Experiment
from webapp.runs import lifecycle
from webapp.runs.models import Checkpoint, StageRun, State


@dataclass(frozen=True)
class Cancelling:
    """Runs that cancelling would reach, by what they do now, and what is kept of them and of those that are done."""

    running: int
    queued: int
    waiting: int
    cancelling: int  # asked to end before
    succeeded: int
    checkpoints: int

    @property
    def total(self) -> int:
        """Runs that it would end."""
        return self.running + self.not_started

    @property
    def not_started(self) -> int:
        """Those of them that never begin."""
        return self.queued + self.waiting

    @property
    def done(self) -> str:
        """What has been done when it is done, in a sentence or two."""
        if not self.running:
            return f"{_runs(self.not_started)} cancelled before {_they(self.not_started)} started."
        others = f" {_runs(self.not_started)} will not start." if self.not_started else ""
        ends = "it ends" if self.running == 1 else "they end"
        return f"Cancelling {_runs(self.running)}: {ends} within seconds, what was recorded stays.{others}"


def of_experiment(experiment: Experiment) -> Cancelling:
    """All runs of an experiment. Two queries."""
    return _counted(StageRun.objects.filter(experiment=experiment))


def of_run(run: StageRun) -> Cancelling:
    """A run, and those that wait for it. A query for each stage below it, and two."""
    return _counted(StageRun.objects.filter(pk__in=_with_those_below(run)))


def _with_those_below(run: StageRun) -> Sequence[int]:
    return [run.pk, *lifecycle.descendants([run.pk], State.WAITING)]


def _counted(runs: QuerySet[StageRun]) -> Cancelling:
    asked = Q(state=State.RUNNING, cancel_requested_at__isnull=False)
    counts = runs.aggregate(
        running=Count("pk", filter=Q(state=State.RUNNING) & ~asked),
        queued=Count("pk", filter=Q(state=State.READY)),
        waiting=Count("pk", filter=Q(state=State.WAITING)),
        cancelling=Count("pk", filter=asked),
        succeeded=Count("pk", filter=Q(state=State.SUCCEEDED)),
    )
    kept = Checkpoint.objects.filter(attempt__stage_run__in=runs.order_by().values("pk")).count()
    return Cancelling(**counts, checkpoints=kept)


def _runs(count: int) -> str:
    return f"{count:,} run{'' if count == 1 else 's'}"


def _they(count: int) -> str:
    return "it" if count == 1 else "they"
