"""Stage runs as pages show them: with the state that a person sees, which is partly derived."""

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from webapp.runs.models import OVER, Attempt, StageRun, State

UNREACHABLE_AFTER = timedelta(seconds=30)


def for_pages() -> QuerySet[StageRun]:
    """Stage runs with what every page names, and the newest attempt's heartbeat as `heartbeat_at`."""
    newest = Attempt.objects.filter(stage_run=OuterRef("pk"), number=OuterRef("attempt_number"))
    return StageRun.objects.select_related("experiment", "condition", "stage", "parent__stage").annotate(
        heartbeat_at=Subquery(newest.values("heartbeat_at")[:1]),
        attempt_started_at=Subquery(newest.values("started_at")[:1]),
    )


def shown_state(run: StageRun) -> str:
    """The state in a person's words: the stored one, or `imported`, `cancelling` or `unreachable`, all derived.

    Takes a run from `for_pages`.
    """
    if run.experiment.imported:
        return "imported"
    if run.state != State.RUNNING:
        return str(run.state)
    if run.cancel_requested_at is not None:
        return "cancelling"
    heartbeat_at = run.heartbeat_at  # type: ignore[attr-defined]  # annotated by for_pages
    if heartbeat_at is not None and timezone.now() - heartbeat_at > UNREACHABLE_AFTER:
        return "unreachable"
    return str(run.state)


def queued_before(run: StageRun) -> int:
    """How many ready runs of the queue a worker takes before this one: in the order of workers.claim."""
    if run.state != State.READY:
        return 0
    before = Q(experiment__lt=run.experiment_id) | Q(experiment=run.experiment_id) & (
        Q(ready_at__lt=run.ready_at) | Q(ready_at=run.ready_at, pk__lt=run.pk)
    )
    return StageRun.objects.filter(before, state=State.READY, queue=run.queue).count()


def may_cancel(runs: Iterable[StageRun]) -> bool:
    """True when a run is not over and not being cancelled."""
    return any(run.state not in OVER and run.cancel_requested_at is None for run in runs)


def may_retry(run: StageRun) -> bool:
    """True when the run failed or was cancelled and what it starts from is there."""
    return run.state in (State.FAILED, State.CANCELLED) and (
        run.parent is None or run.parent.state == State.SUCCEEDED
    )


def others(run: StageRun) -> QuerySet[StageRun]:
    """The runs of the same stage in the other conditions and seeds."""
    found = StageRun.objects.filter(stage=run.stage_id).exclude(pk=run.pk).select_related("condition")
    return found.order_by("condition__position", "seed")
