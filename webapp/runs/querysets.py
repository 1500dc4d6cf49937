"""Stage runs as pages show them: with the state that a person sees, which is partly derived."""

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import BigIntegerField, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from webapp.experiments.models import Experiment
from webapp.runs.models import OVER, Attempt, Queue, StageRun, State, Worker

UNREACHABLE_AFTER = timedelta(seconds=30)
CANCELLING = "cancelling"  # shown of a run that was asked to end, until its worker has ended it
LONG = (
    "spec",
    "parent__spec",
    "experiment__recipe",
    "experiment__notes",
)  # of a run: kilobytes that no list shows


def for_pages() -> QuerySet[StageRun]:
    """Stage runs with what every page names, the newest attempt's heartbeat as `heartbeat_at`, and when it started.

    `ended_attempts` is what the attempts took that are over. Settings and notes are read when they are asked for.
    """
    ended = Attempt.objects.filter(stage_run=OuterRef("pk"), ended_at__isnull=False).order_by()
    took = ended.values("stage_run").annotate(took=Sum(F("ended_at") - F("started_at"))).values("took")
    newest = Attempt.objects.filter(stage_run=OuterRef("pk"), number=OuterRef("attempt_number"))
    found = StageRun.objects.select_related("experiment", "condition", "stage", "parent__stage").defer(*LONG)
    return found.annotate(
        heartbeat_at=Subquery(newest.values("heartbeat_at")[:1]),
        attempt_started_at=Subquery(newest.values("started_at")[:1]),
        ended_attempts=Subquery(took),
    )


def named() -> QuerySet[StageRun]:
    """Stage runs with their experiment, condition and stage, for a line that says which run it is."""
    return StageRun.objects.select_related("experiment", "condition", "stage").defer(
        "spec", "experiment__recipe", "experiment__notes"
    )


def seconds_taken(run: StageRun) -> float | None:
    """What its attempts took, and the one under way takes so far: not what it waited; None before the first.

    Takes a run from `for_pages`.
    """
    if run.started_at is None:
        return None
    took: timedelta = run.ended_attempts or timedelta()  # type: ignore[attr-defined]  # annotated by for_pages
    if run.state == State.RUNNING:
        took += timezone.now() - (run.attempt_started_at or run.started_at)  # type: ignore[attr-defined]
    return took.total_seconds()


def shown_state(run: StageRun) -> str:
    """The state in a person's words: the stored one, or `imported`, `cancelling` or `unreachable`, all derived.

    Takes a run from `for_pages`.
    """
    if run.experiment.imported:
        return "imported"
    if run.state != State.RUNNING:
        return str(run.state)
    if is_cancelling(run):
        return CANCELLING
    heartbeat_at = run.heartbeat_at  # type: ignore[attr-defined]  # annotated by for_pages
    if heartbeat_at is not None and timezone.now() - heartbeat_at > UNREACHABLE_AFTER:
        return "unreachable"
    return str(run.state)


def _place(experiment: str = "experiment__") -> Coalesce:
    """An experiment's place in its queue: where somebody moved it, else by its age."""
    return Coalesce(f"{experiment}queue_place", f"{experiment}pk", output_field=BigIntegerField())


def in_queue_order(runs: QuerySet[StageRun]) -> QuerySet[StageRun]:
    """Runs in the order in which workers take them; queued_before() counts by the same.

    Experiments by their place in the queue, the oldest first unless somebody moved one; within one by the time that a
    run became ready, so conditions go side by side.
    """
    return runs.order_by(_place(), "ready_at", "pk")


def takeable() -> QuerySet[StageRun]:
    """Ready runs that a worker may take now: their back-off is over and their queue is not paused."""
    paused = Queue.objects.filter(name=OuterRef("queue"), paused_at__isnull=False)
    rested = Q(not_before=None) | Q(not_before__lte=Now())
    return StageRun.objects.filter(rested, ~Exists(paused), state=State.READY)


def in_line(queue: str) -> QuerySet[Experiment]:
    """Experiments with runs to come in a queue, in the order in which workers take from them, with their `place`."""
    to_come = StageRun.objects.filter(queue=queue, state__in=(State.READY, State.WAITING))
    found = Experiment.objects.filter(pk__in=to_come.values("experiment"))
    return found.annotate(place=_place("")).order_by("place", "pk").defer("recipe", "notes")


def willing_workers() -> QuerySet[Worker]:
    """Workers that answer and take new runs."""
    return answering_workers().filter(drained_at=None, out_of_service_at=None)


def answering_workers() -> QuerySet[Worker]:
    """Workers that answer, drained ones too."""
    return Worker.objects.filter(stopped_at=None, heartbeat_at__gt=Now() - UNREACHABLE_AFTER)


def served_queues() -> list[str]:
    """Names of the queues that some answering worker takes from, drained or not, in order."""
    return sorted(
        {name for queues in answering_workers().values_list("queues", flat=True) for name in queues}
    )


def queued_before(run: StageRun) -> int:
    """How many ready runs of the queue a worker takes before this one."""
    if run.state != State.READY:
        return 0
    moved, own = run.experiment.queue_place, run.experiment_id
    place = own if moved is None else moved
    sooner = Q(ready_at__lt=run.ready_at) | Q(ready_at=run.ready_at, pk__lt=run.pk)
    ready = StageRun.objects.filter(state=State.READY, queue=run.queue).alias(place=_place())
    return ready.filter(Q(place__lt=place) | Q(sooner, place=place)).count()


def ready_by_queue(ready: QuerySet[StageRun]) -> dict[str, int]:
    """How many of these runs each queue holds."""
    counted = ready.order_by().values_list("queue").annotate(Count("pk"))
    return dict(counted)


def is_cancelling(run: StageRun) -> bool:
    """True from the moment that a person cancels a running run until its worker has ended it."""
    return run.state == State.RUNNING and run.cancel_requested_at is not None


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
