"""The janitor: a thread in every worker that announces ready runs again, takes back those of the dead, and makes
the texts of rollouts searchable."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from webapp.celery import announce
from webapp.runs.models import Attempt, State, Worker
from webapp.runs.querysets import UNREACHABLE_AFTER, ready_by_queue, takeable, willing_workers
from webapp.telemetry import search
from workers import processes
from workers.claim import LEASE
from workers.database import GONE, close_quietly
from workers.ingest import Ingest, UnfitRecord
from workers.next_state import Ending, conclude
from workers.processes import Host
from workers.supervision import HEARTBEAT, last_line

log = logging.getLogger("mulberry.janitor")
_faulty: dict[int, float] = {}  # attempt → when it may be tried again (monotonic)

ANNOUNCE = 5.0  # seconds between announcements of ready runs
NEIGHBOURS = 1.0  # between looks for dead processes on this host
INDEX = 1.0  # between looks for texts that cannot be searched yet; as long at it at most as between looks
AFTER_FAULT = 60.0  # seconds that a fault of our own is not met again
LOCK = 0x6D756C62  # "mulb": one janitor at a time announces and lets leases run out


class Janitor(threading.Thread):
    """Runs until `stop()`; a database out of reach is waited for."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(name="janitor", daemon=True)
        self.worker = worker
        self.host = Host(worker.hostname, worker.boot_id)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the thread after what it is doing."""
        self._stopped.set()
        self.join(timeout=10)

    def run(self) -> None:
        """Look after this host often, and after everybody by turns."""
        due: dict[str, float] = {}
        try:
            while not self._stopped.wait(0.2):
                try:
                    if self._is_due(due, "heartbeat", HEARTBEAT):
                        self._say_alive()
                    if self._is_due(due, "neighbours", NEIGHBOURS):
                        self._without_faults(due, "neighbours", lambda: take_back_from_the_dead(self.host))
                    if self._is_due(due, "announce", ANNOUNCE):
                        self._without_faults(due, "announce", look_after_everybody)
                    if self._is_due(due, "index", INDEX):
                        self._without_faults(due, "index", lambda: search.index_texts(seconds=INDEX))
                except GONE as error:
                    log.warning("no database: %s", str(error).strip())
                    close_quietly()
        finally:
            close_quietly()

    def _say_alive(self) -> None:
        Worker.objects.filter(pk=self.worker.pk).update(heartbeat_at=Now(), stopped_at=None)

    @staticmethod
    def _without_faults(due: dict[str, float], what: str, action: Callable[[], object]) -> None:
        """A fault of one thing that is looked after keeps it back for a while, and nothing else."""
        try:
            action()
        except GONE:
            raise
        except Exception:
            log.exception("%s: it failed, and is tried again in %.0f s", what, AFTER_FAULT)
            due[what] = time.monotonic() + AFTER_FAULT

    @staticmethod
    def _is_due(due: dict[str, float], what: str, seconds: float) -> bool:
        if time.monotonic() < due.get(what, 0.0):
            return False
        due[what] = time.monotonic() + seconds
        return True


def look_after_everybody() -> None:
    """What one janitor at a time does for all hosts."""
    with advisory_lock() as chosen:
        if chosen:
            take_back_expired()
            mark_silent_workers()
            announce_ready()


@contextmanager
def advisory_lock(lock: int = LOCK) -> Iterator[bool]:
    """Hold an advisory lock, the janitors' or another, if nobody else does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held and connection.connection is not None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])


def announce_ready() -> Counter[str]:
    """Announce as many ready runs as live workers have free slots for; returns how many for each queue."""
    ready = Counter(ready_by_queue(takeable()))
    announced: Counter[str] = Counter()
    if not ready:
        return announced
    for worker in willing_workers():
        held = Attempt.objects.filter(worker=worker, ended_at=None).count()
        free = len(worker.devices) - held
        for queue in worker.queues:
            count = max(0, min(free, ready[queue] - announced[queue]))
            announced[queue] += count
            free -= count
            for _ in range(count):
                announce(queue)
    return announced


def mark_silent_workers() -> None:
    """A worker that was silent for a lease is gone; it says so itself should it come back."""
    silent = Worker.objects.filter(stopped_at=None, heartbeat_at__lt=Now() - LEASE)
    silent.update(stopped_at=F("heartbeat_at"))


def take_back_expired() -> None:
    """Take back runs whose lease ran out, but let workers speak first when the database has only just come up."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() - pg_postmaster_start_time() > interval '1 minute'")
        settled = cursor.fetchone()[0]
    if settled:
        take_back_each(held_attempts().filter(stage_run__lease_until__lt=Now()))


def take_back_from_the_dead(host: Host) -> None:
    """Take back what workers of this host held when they died, without waiting for the lease."""
    here = Worker.objects.filter(hostname=host.hostname)
    silent = set(here.filter(heartbeat_at__lt=Now() - UNREACHABLE_AFTER).values_list("pk", flat=True))
    held = held_attempts().filter(hostname=host.hostname)
    dead = [attempt for attempt in held if attempt.worker is None or _is_gone(attempt.worker, host, silent)]
    for attempt in dead:
        if host.boot_id == attempt.boot_id and attempt.pid is not None:
            processes.kill(processes.family(attempt.pid, attempt.process_started))
    take_back_each(dead)
    gone = [worker.pk for worker in here.filter(stopped_at=None) if _is_gone(worker, host, silent)]
    if gone:
        Worker.objects.filter(pk__in=gone).update(stopped_at=Now())


def _is_gone(worker: Worker, host: Host, silent: Container[int]) -> bool:
    """Whether a worker has died, as far as this host can tell; `silent` ones by the database's clock, which all share."""
    return host.saw_end_of(worker.boot_id, worker.pid, worker.process_started, silent=worker.pk in silent)


def held_attempts() -> QuerySet[Attempt]:
    """Attempts that hold a running run, with their workers; asked every second, so without what is long."""
    found = Attempt.objects.filter(stage_run__state=State.RUNNING, number=F("stage_run__attempt_number"))
    return found.select_related("worker").defer("data", "examples", "worker__usage", "worker__gpus")


def take_back_each(attempts: Iterable[Attempt]) -> None:
    """Take back each; one that cannot be, by whatever fault, is tried again after a while and keeps no other back."""
    for attempt in attempts:
        if time.monotonic() < _faulty.get(attempt.pk, 0.0):
            continue
        try:
            take_back(attempt)
        except GONE:
            raise
        except Exception:
            log.exception("attempt %s cannot be taken back; others are", attempt.pk)
            _faulty[attempt.pk] = time.monotonic() + AFTER_FAULT


def take_back(attempt: Attempt) -> State | None:
    """Bring in what the dead attempt's journal still holds, then move its run on; returns the new state."""
    problem = None
    finished = None
    if attempt.run_dir:
        try:
            ingest = Ingest(attempt.pk)
            ingest.drain()
            finished = ingest.finished
            if ingest.damage:
                problem = {"status": "failed", "reason": "damaged_journal", "hint": ingest.damage}
        except UnfitRecord as error:
            problem = {"status": "failed", "reason": "bad_setting", "hint": str(error)}
        except OSError as error:  # it may be read when a worker of this host starts
            log.warning("the journal of attempt %s cannot be read: %s", attempt.pk, error)
    text = last_line(Path(attempt.run_dir) / "output.txt") if attempt.run_dir else ""
    ending = Ending(finished=problem or finished, lost=True, text=text)
    run = attempt.stage_run_id
    state = conclude(run=run, number=attempt.number, attempt=attempt.pk, ending=ending)
    if state is not None:
        log.warning("took run %s back from attempt %s: now %s", run, attempt.number, state)
    return state


def drain_late_journals(host: Host) -> None:
    """At a worker's start: bring in what attempts of this host recorded after they were given up."""
    late = Attempt.objects.filter(hostname=host.hostname, outcome="lost").exclude(run_dir="")
    for attempt in late:
        try:
            if (Path(attempt.run_dir) / "journal").exists():
                Ingest(attempt.pk).drain()
        except (
            UnfitRecord,
            OSError,
        ) as error:  # of one journal: the others, and the worker, need not wait for it
            log.warning("%s", error)
