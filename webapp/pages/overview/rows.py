"""What the overview says of the installation now: what needs attention, what runs, what waits, on what, what came out."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Count, F, Q
from django.urls import reverse
from django.utils import timezone

from webapp.experiments.models import Experiment
from webapp.experiments.templatetags.humane import ago, size
from webapp.notifications.models import Notification
from webapp.pages.overview.experiments_running import RunningExperiment, RunUnderWay, running_experiments
from webapp.pages.overview.newest_results import LastResult, last_results
from webapp.pages.overview.timeline import Timeline, timeline
from webapp.runs import querysets as runs
from webapp.runs.models import Attempt, Queue, StageRun, State, Worker

FAILED_SHOWN = 4
FAILED_WITHIN = timedelta(days=7)  # what failed longer ago and was left so has been seen
NEXT_SHOWN = 5
RUNNING_SHOWN = 20
DISK_LOW_SHARE = 0.1
DISK_LOW_BYTES = 10_000_000_000


@dataclass(frozen=True)
class Concern:
    """Something that needs a person: how bad, what, and where to act."""

    severity: str  # critical or warning
    what: str
    detail: str
    url: str = ""
    notification: int | None = None  # that it is of, and that may be put aside


@dataclass(frozen=True)
class WorkerUse:
    """A worker that has not stopped, and how many of its slots are taken."""

    worker: Worker
    used: int
    answers: bool

    @property
    def drains(self) -> bool:
        """Whether it takes nothing new, as a person wants it."""
        return self.worker.drained_at is not None

    @property
    def trouble(self) -> str:
        """Why it takes nothing new though it answers, in two words; empty where it does."""
        if self.worker.out_of_service_at is not None:
            return "out of service"
        return "draining" if self.drains else ""

    @property
    def takes(self) -> bool:
        """Whether it takes runs."""
        return self.answers and not self.drains and self.worker.out_of_service_at is None

    @property
    def slots(self) -> int:
        """Runs that it takes at once."""
        return len(self.worker.devices)

    @property
    def free(self) -> int:
        """Slots that could take a run now."""
        return max(0, self.slots - self.used) if self.takes else 0


@dataclass(frozen=True)
class Overview:
    """Everything on the page."""

    empty: bool  # nothing was ever launched
    concerns: Sequence[Concern]
    under_way: Sequence[RunningExperiment]
    running_count: int
    next_up: Sequence[StageRun]
    ready_count: int
    waiting_count: int
    workers: Sequence[WorkerUse]
    timeline: Timeline
    results: Sequence[LastResult]

    @property
    def ready_later(self) -> int:
        """Ready runs that come after those that are next up."""
        return max(0, self.ready_count - len(self.next_up))

    @property
    def runs_elsewhere(self) -> int:
        """Runs under way in experiments that have no tile."""
        return max(0, self.running_count - sum(len(one.runs) + one.more_runs for one in self.under_way))

    @property
    def slots(self) -> int:
        """Slots of the workers that answer."""
        return sum(use.slots for use in self.workers if use.answers)

    @property
    def free(self) -> int:
        """Of them, those that are free."""
        return sum(use.free for use in self.workers)


def overview(user_id: int) -> Overview:
    """The page's contents for a person. Twenty-two queries at most, and some for each result that changed."""
    counts = StageRun.objects.filter(
        experiment__imported=False, state__in=(State.RUNNING, State.READY, State.WAITING)
    ).aggregate(
        running=Count("pk", filter=Q(state=State.RUNNING)),
        ready=Count("pk", filter=Q(state=State.READY)),
        waiting=Count("pk", filter=Q(state=State.WAITING)),
    )
    running, workers = _running(), _workers()
    concerns = [
        *_of_workers(workers, counts["ready"]),
        *_of_queues(),
        *_of_disk(),
        *_critical(user_id),
        *_failed(),
        *_unreachable(running),
    ]
    results = last_results()
    return Overview(
        empty=not results and not Experiment.objects.exists(),
        concerns=sorted(concerns, key=lambda one: one.severity != "critical"),
        under_way=running_experiments(running),
        running_count=counts["running"],
        next_up=_next_up(),
        ready_count=counts["ready"],
        waiting_count=counts["waiting"],
        workers=workers,
        timeline=timeline(use.worker for use in workers if use.answers),
        results=results,
    )


def _running() -> list[RunUnderWay]:
    found = runs.for_pages().filter(state=State.RUNNING).order_by("started_at", "pk")[:RUNNING_SHOWN]
    held = Attempt.objects.filter(
        stage_run__in=[run.pk for run in found], number=F("stage_run__attempt_number")
    ).defer("data", "examples")
    attempts = {attempt.stage_run_id: attempt for attempt in held}
    return [
        RunUnderWay(
            run,
            runs.shown_state(run),
            attempts[run.pk].device if run.pk in attempts else "",
            attempts[run.pk].hostname if run.pk in attempts else "",
        )
        for run in found
    ]


def _next_up() -> list[StageRun]:
    """The next ready runs in the order in which workers claim them."""
    return list(runs.in_queue_order(runs.named().filter(state=State.READY))[:NEXT_SHOWN])


def _workers() -> list[WorkerUse]:
    held = Count("attempts", filter=Q(attempts__ended_at=None))
    limit = timezone.now() - runs.UNREACHABLE_AFTER
    return [
        WorkerUse(worker, worker.held, worker.heartbeat_at >= limit)
        for worker in Worker.objects.filter(stopped_at=None).annotate(held=held).order_by("name")
    ]


def _of_workers(workers: Sequence[WorkerUse], ready: int) -> Iterator[Concern]:
    if ready and not any(use.answers for use in workers):
        yield Concern(
            "critical",
            f"No worker answers, and {_count(ready, 'run')} {'are' if ready > 1 else 'is'} queued",
            "Start one (mulberry up, or mulberry worker); the queue goes on by itself.",
        )
    for use in workers:
        if not use.answers:
            yield Concern(
                "warning",
                f"Worker {use.worker.name} is unreachable",
                f"Its last sign of life was {ago(use.worker.heartbeat_at)}; its runs are taken back when their lease ends.",
            )
        elif use.worker.out_of_service_at is not None:
            why = use.worker.out_of_service_why
            yield Concern(
                "critical",
                f"Worker {use.worker.name} is out of service",
                f"{why[:1].upper()}{why[1:]}. It takes no runs until it can write there; what it ran was given back.",
                reverse("worker", args=[use.worker.pk]),
            )


def _of_queues() -> Iterator[Concern]:
    """Queues with runs that wait for them: those that no worker serves, though there are workers, and paused ones."""
    counts = Counter(runs.ready_by_queue(StageRun.objects.filter(state=State.READY)))
    served = runs.served_queues()
    for name in sorted(counts.keys() - set(served)) if served else ():
        wait = "wait" if counts[name] != 1 else "waits"
        yield Concern(
            "warning",
            f"{_count(counts[name], 'run')} {wait} on queue {name}, which no worker serves",
            f"Start one with mulberry worker --queues {name}; workers serve {', '.join(served)}.",
            f"{reverse('workers')}#queue-{name}",
        )
    for queue in Queue.objects.filter(paused_at__isnull=False).order_by("name"):
        yield Concern(
            "warning",
            f"The queue {queue.name} is paused",
            f"By {queue.paused_by}, {ago(queue.paused_at)}; {_count(counts[queue.name], 'queued run')} {'wait' if counts[queue.name] != 1 else 'waits'} for it.",
            reverse("workers"),
        )


def _of_disk() -> Iterator[Concern]:
    """Disks of this machine that are nearly full: the home's, and that of the checkpoints."""
    seen = set()
    for folder in (str(settings.MULBERRY_HOME), settings.MULBERRY_STORAGE):
        path = Path(folder)
        if "://" in folder or not path.exists() or (device := path.stat().st_dev) in seen:
            continue
        seen.add(device)
        usage = shutil.disk_usage(path)
        if usage.free < min(DISK_LOW_BYTES, DISK_LOW_SHARE * usage.total):
            yield Concern(
                "critical" if usage.free < DISK_LOW_BYTES / 10 else "warning",
                f"The disk of {path} is nearly full",
                f"{size(usage.free)} of {size(usage.total)} are free; runs fail when it is full.",
            )


def _critical(user_id: int) -> Iterator[Concern]:
    """Critical findings that the person was told of and has not read."""
    told = Notification.objects.filter(user=user_id, kind=Notification.Kind.CRITICAL, read_at=None)
    for one in told.order_by("-pk")[:FAILED_SHOWN]:
        yield Concern("critical", one.title, one.text, one.path, one.pk)


def _failed() -> Iterator[Concern]:
    since = timezone.now() - FAILED_WITHIN
    failed = runs.named().filter(state=State.FAILED, finished_at__gt=since, experiment__archived_at=None)
    newest = failed.order_by("-finished_at", "-pk")
    shown = list(newest[: FAILED_SHOWN + 1])
    for run in shown[:FAILED_SHOWN]:
        yield Concern(
            "critical",
            f"{run.experiment.name}: {run.stage.name}, {run.condition.name}, seed {run.seed} failed",
            f"{run.error} ({ago(run.finished_at)})".strip(),
            reverse("run", args=[run.pk]),
        )
    if len(shown) > FAILED_SHOWN:
        yield Concern(
            "warning",
            f"{_count(failed.count() - FAILED_SHOWN, 'more run')} failed in the last 7 days",
            "The list of experiments has them.",
            f"{reverse('experiments')}?state=failed",
        )


def _unreachable(running: Sequence[RunUnderWay]) -> Iterator[Concern]:
    """Runs that their worker no longer reports; those of an experiment on one machine in one line."""
    silent: dict[tuple[str, str], list[RunUnderWay]] = defaultdict(list)
    for one in running:
        if one.state == "unreachable":
            silent[one.run.experiment.name, one.host].append(one)
    for (experiment, host), ones in silent.items():
        run = ones[0].run
        heard = max(one.run.heartbeat_at for one in ones)  # type: ignore[attr-defined]  # annotated
        silence = ago(heard).removesuffix(" ago")
        if len(ones) == 1:
            yield Concern(
                "warning",
                f"{experiment}: {run.stage.name}, {run.condition.name}, seed {run.seed} is unreachable",
                f"{host} has not reported it for {silence}.",
                reverse("run", args=[run.pk]),
            )
        else:
            yield Concern(
                "warning",
                f"{len(ones)} runs of {experiment} on {host} unreachable for {silence}",
                "A run whose worker stays silent is taken over by another one.",
                reverse("experiment", args=[experiment]),
            )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
