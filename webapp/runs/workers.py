"""Workers and queues as pages show them: who runs what, what comes next, and why something stands still."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q
from django.utils import timezone

from webapp.experiments.models import Experiment
from webapp.runs.models import Attempt, Queue, QueueEvent, StageRun, State, Worker
from webapp.runs.querysets import UNREACHABLE_AFTER, in_line, in_queue_order
from webapp.runs.queues import known_queues

SHOWN = 60  # ready runs of a queue that are listed
STOPPED_SHOWN = 10
LATELY_SHOWN = 10


@dataclass(frozen=True)
class Slot:
    """A device of a worker, or several: what runs on it, and how much of its GPUs is used."""

    device: str
    attempt: Attempt | None
    gpus: list[dict[str, Any]]


@dataclass(frozen=True)
class WorkerView:
    """A worker, in a person's words."""

    worker: Worker
    slots: list[Slot]

    @property
    def state(self) -> str:
        """stopped, unreachable, out of service, draining, drained, busy or idle: the one that says most."""
        if self.worker.stopped_at is not None:
            return "stopped"
        if timezone.now() - self.worker.heartbeat_at > UNREACHABLE_AFTER:
            return "unreachable"
        if self.worker.out_of_service_at is not None:
            return "out_of_service"
        if self.worker.drained_at is not None:
            return "draining" if self.busy else "drained"
        return "busy" if self.busy else "idle"

    @property
    def live(self) -> bool:
        """Whether it answers."""
        return self.state not in ("stopped", "unreachable")

    @property
    def busy(self) -> int:
        """Slots on which something runs."""
        return sum(slot.attempt is not None for slot in self.slots)

    @property
    def uptime(self) -> timedelta:
        """From its start to its end, or to now."""
        return (self.worker.stopped_at or timezone.now()) - self.worker.started_at

    @property
    def memory(self) -> float | None:
        """Share of the machine's memory that is used."""
        usage = self.worker.usage
        return usage["memory_used"] / usage["memory_total"] if usage else None


@dataclass(frozen=True)
class Standing:
    """An experiment in a queue: how many of its runs are where, and the next ones."""

    experiment: Experiment
    first: bool
    last: bool
    ready: int
    waiting: int
    running: int
    runs: list[
        tuple[int, StageRun]
    ]  # ready ones with their place among all of the queue, as many as are listed


@dataclass(frozen=True)
class QueueView:
    """A queue: whether it is paused, by whom, and what is in it in the order in which it will be taken."""

    name: str
    paused_at: datetime | None
    paused_by: str
    line: list[Standing]
    workers: int  # that answer and take from it
    served: bool  # whether any that answers would, drained or not
    silent: Worker | None = None  # the one of those that would and do not answer that was heard last
    only_running: Sequence[
        Experiment
    ] = ()  # experiments whose runs of this queue all run, so that none is in line

    @property
    def ready(self) -> int:
        """Runs that may be taken."""
        return sum(one.ready for one in self.line)

    @property
    def hidden(self) -> int:
        """Ready runs that are not listed."""
        return self.ready - sum(len(one.runs) for one in self.line)


def workers() -> list[WorkerView]:
    """Workers that have not stopped, the oldest first."""
    return _views(Worker.objects.filter(stopped_at=None).order_by("hostname", "pk"))


def stopped_workers() -> list[WorkerView]:
    """The last ones that stopped, the newest first."""
    return _views(Worker.objects.exclude(stopped_at=None).order_by("-stopped_at")[:STOPPED_SHOWN])


def worker_view(worker: Worker) -> WorkerView:
    """One worker."""
    return _views([worker])[0]


def _views(found: Iterable[Worker]) -> list[WorkerView]:
    found = list(found)
    held = Attempt.objects.filter(
        worker__in=found, stage_run__state=State.RUNNING, number=F("stage_run__attempt_number"), ended_at=None
    ).select_related("stage_run__experiment", "stage_run__condition", "stage_run__stage")
    held = held.defer(
        "data", "examples", "stage_run__spec", "stage_run__experiment__recipe", "stage_run__experiment__notes"
    )
    running: dict[tuple[int | None, str], list[Attempt]] = defaultdict(list)
    for attempt in held.order_by("pk"):
        running[attempt.worker_id, attempt.device].append(attempt)
    return [WorkerView(one, [_slot(one, name, running) for name in one.devices]) for one in found]


def _slot(worker: Worker, device: str, running: dict[tuple[int | None, str], list[Attempt]]) -> Slot:
    attempts = running[worker.pk, device]  # two slots of one name share a GPU: each shows one of its runs
    return Slot(device, attempts.pop(0) if attempts else None, _gpus(worker, device))


def _gpus(worker: Worker, device: str) -> list[dict[str, Any]]:
    """Figures of the GPUs of a slot: cuda:0, or cuda:0-3."""
    kind, _, place = device.partition(":")
    if kind != "cuda":
        return []
    first, _, last = place.partition("-")
    known: list[dict[str, Any]] = worker.usage.get("gpus", [])
    return known[int(first) : int(last or first) + 1]


def queue_views() -> list[QueueView]:
    """Every queue, the default one first."""
    views = workers()
    live = [view.worker for view in views if view.live]
    silent = sorted(
        (view.worker for view in views if not view.live), key=lambda worker: worker.heartbeat_at, reverse=True
    )
    running = _only_running()
    stored = Queue.objects.in_bulk()
    found = []
    for name in known_queues():
        row = stored.get(name, Queue(name=name))
        serving = [worker for worker in live if name in worker.queues]
        taking = sum(worker.drained_at is None and worker.out_of_service_at is None for worker in serving)
        found.append(
            QueueView(
                name,
                row.paused_at,
                row.paused_by,
                _line(name),
                taking,
                bool(serving),
                silent=next((worker for worker in silent if name in worker.queues), None),
                only_running=running[name],
            )
        )
    return found


def _only_running() -> dict[str, list[Experiment]]:
    """Queue → experiments of which runs go on and none is to come, so that they are not in its line. One query."""
    states = StageRun.objects.filter(experiment=OuterRef("pk"), queue=OuterRef("runs__queue"))
    coming = Exists(states.filter(state__in=(State.READY, State.WAITING)))
    going = Experiment.objects.filter(~coming, runs__state=State.RUNNING).only("name").order_by("pk")
    found: dict[str, list[Experiment]] = defaultdict(list)
    for one in going.annotate(queue=F("runs__queue")).distinct():
        found[one.queue].append(one)  # type: ignore[attr-defined]  # annotated
    return found


def lately(worker: Worker) -> list[Attempt]:
    """The last attempts that it made and that are over, the newest first, with their runs. One query."""
    over = Attempt.objects.filter(worker=worker, ended_at__isnull=False)
    named = over.select_related("stage_run__experiment", "stage_run__condition", "stage_run__stage").only(
        "outcome", "started_at", "ended_at", "stage_run__seed", "stage_run__experiment__name",
        "stage_run__condition__name", "stage_run__stage__name",
    )  # fmt: skip
    return list(
        named.annotate(took=F("ended_at") - F("started_at")).order_by("-ended_at", "-pk")[:LATELY_SHOWN]
    )


def _line(queue: str) -> list[Standing]:
    """The experiments of a queue with their next runs, as many as fit on the page."""

    def count(state: State) -> Count:
        return Count("runs", filter=Q(runs__queue=queue, runs__state=state))

    experiments = list(
        in_line(queue)
        .select_related("owner")
        .annotate(ready=count(State.READY), waiting=count(State.WAITING), running=count(State.RUNNING))
    )
    ready = in_queue_order(StageRun.objects.filter(queue=queue, state=State.READY))
    shown: dict[int, list[tuple[int, StageRun]]] = defaultdict(list)
    for place, run in enumerate(ready.select_related("condition", "stage").defer("spec")[:SHOWN], 1):
        shown[run.experiment_id].append((place, run))
    last = len(experiments) - 1
    return [
        Standing(one, at == 0, at == last, one.ready, one.waiting, one.running, shown[one.pk])  # type: ignore[attr-defined]
        for at, one in enumerate(experiments)
    ]


@dataclass(frozen=True)
class QueuePlace:
    """Where an experiment stands in a queue."""

    queue: str
    paused_at: datetime | None
    paused_by: str
    place: int  # from 1
    experiments: int
    runs_before: int  # ready ones of other experiments

    @property
    def first(self) -> bool:
        """Whether it is the next."""
        return self.place == 1

    @property
    def last(self) -> bool:
        """Whether all others go before it."""
        return self.place == self.experiments


def queue_places(experiment: Experiment) -> list[QueuePlace]:
    """An experiment's place in each queue in which it has runs to come. Three queries a queue."""
    names = experiment.runs.filter(state__in=(State.READY, State.WAITING)).values_list("queue", flat=True)
    found = []
    for name in sorted(set(names)):
        ids = list(in_line(name).values_list("pk", flat=True))
        if experiment.pk in ids:
            at = ids.index(experiment.pk)
            ready = StageRun.objects.filter(queue=name, state=State.READY, experiment__in=ids[:at])
            row = Queue.objects.filter(name=name).first() or Queue(name=name)
            found.append(QueuePlace(name, row.paused_at, row.paused_by, at + 1, len(ids), ready.count()))
    return found


def events(*, worker: Worker | None = None) -> list[QueueEvent]:
    """What people did, the newest first."""
    found = QueueEvent.objects.order_by("-id")
    return list((found.filter(worker=worker) if worker else found)[:15])
