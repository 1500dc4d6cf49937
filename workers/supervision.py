"""Supervision: one claimed run from its run directory to its end, by a thread of the worker."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from django.db.models.functions import Now

from training.process import torchrun
from webapp.runs.models import Attempt, StageRun, State
from workers import processes, run_spec
from workers.claim import LEASE, Claim
from workers.database import GONE, close_quietly
from workers.devices import Device
from workers.fitness import Fitness
from workers.ingest import Ingest, UnfitRecord
from workers.launcher import Launcher, LaunchError, Training
from workers.next_state import HOST_FAULT, Ending, conclude

log = logging.getLogger("mulberry.supervision")

TICK = 0.2  # seconds between looks at the journal and the process
WATCH = 0.5  # between looks for a cancellation or a lost claim
HEARTBEAT = 10.0
ALIVE = 60.0  # how far ahead the deadline file is kept while this worker lives
LIMIT = LEASE.total_seconds() - 10  # of silence from the database, after which training is not extended
GRACE = 6.0  # seconds from TERM to KILL when cancelled
GRACE_SHUTDOWN = 10.0  # the same when the worker shuts down
WAITS = (0.5, 1.0, 2.0, 5.0)  # seconds between tries to reach it again


class Supervision:
    """Holds one claim. `run()` returns when the run has its next state, or is somebody else's."""

    def __init__(
        self,
        claim: Claim,
        device: Device,
        launcher: Launcher,
        stopping: threading.Event,
        fitness: Fitness | None = None,
    ) -> None:
        self.claim, self.device, self.launcher, self.stopping = claim, device, launcher, stopping
        self.fitness = fitness  # of this machine; None: nobody looks at it
        self.run_dir, self.storage = run_spec.folders(claim)
        self.environment: dict[str, str] = {}  # what the stage reads of this worker's: keys
        self.training: Training | None = None
        self.ingest: Ingest | None = (
            None  # None: nothing of the run was started, so what lies there is not its own
        )
        self.family: set[psutil.Process] = set()
        self.recorded = False  # the training process is in the database
        self.cancelled = self.fenced = False
        self.term_at: float | None = None
        self.problem: dict[str, str] | None = None  # a `finished` record of this side's making
        self.reached = time.monotonic()  # when the last heartbeat that the database took was sent
        self.due = {"heartbeat": 0.0, "watch": 0.0, "family": 0.0, "database": 0.0}
        self.failures = 0
        self.state: State | None = None

    def run(self) -> State | None:
        """Supervise to the end; returns the run's next state, None when the claim was lost."""
        try:
            if not self._insist(self._prepare):
                return None
            while not self._over():
                self._tick()
                time.sleep(TICK)
            self._kill()
            return self.state if not self.fenced and self._insist(self._finish) else None
        finally:
            self._kill()

    def _prepare(self) -> None:
        """Run directory, spec, first deadline. A problem here is the run's error, not the worker's."""
        try:
            run_spec.take(self.run_dir, self.claim, fresh=True)
            run_spec.take(self.storage, self.claim, fresh=self.claim.number == 1)
            told = run_spec.of_claim(self.claim, self.device, self.storage)
            named = told.spec.settings.environment()
            self.environment = {name: os.environ[name] for name in named if name in os.environ}
            (self.run_dir / "spec.json").write_text(told.model_dump_json(indent=2), encoding="utf-8")
            self._write_deadline()
        except ValueError as error:
            return self._fail("bad_setting", str(error).splitlines()[0])
        except OSError as error:
            return self._fail(HOST_FAULT, self._sick() or f"{self.run_dir} cannot be made: {error}")
        Attempt.objects.filter(pk=self.claim.attempt).update(run_dir=str(self.run_dir))
        self.ingest = Ingest(self.claim.attempt)

    def _over(self) -> bool:
        if self.fenced or self.problem is not None:
            return True
        if self.training is None:
            return self.cancelled or self.stopping.is_set()
        return self.training.ended.is_set()

    def _tick(self) -> None:
        if self.training is None:
            self._launch()
        else:
            self._every("family", 1.0 if self.term_at is None else TICK, self._look_around)
            self._stop_if_asked()
        self._every("heartbeat", HEARTBEAT, self._extend_deadline)
        if time.monotonic() >= self.due["database"]:
            self._reach(self._talk)

    def _launch(self) -> None:
        try:
            if not self.launcher.ready():
                return
            self.training = self.launcher.start(self.run_dir, self.environment, self.device.processes)
        except LaunchError as error:
            if not self.stopping.is_set():
                self._fail("error", str(error))

    def _talk(self) -> None:
        """Everything that needs the database, in the order of its importance."""
        self._every("watch", WATCH, self._watch)
        if self.training is not None and not self.recorded:
            Attempt.objects.filter(pk=self.claim.attempt).update(
                pid=self.training.pid, process_started=self.training.start_time
            )
            self.recorded = True
        assert self.ingest is not None
        self._bring_in(self.ingest.flush)

    def _bring_in(self, action: Callable[[], object]) -> None:
        try:
            action()
        except UnfitRecord as error:
            self._fail("bad_setting", str(error))
        if self.ingest is not None and self.ingest.damage and self.problem is None:
            self._fail("damaged_journal", self.ingest.damage)

    def _watch(self) -> None:
        """Renew the lease when it is time, and see whether the claim still holds and goes on."""
        mine = StageRun.objects.filter(
            pk=self.claim.run, attempt_number=self.claim.number, state=State.RUNNING
        )
        sent = time.monotonic()
        if sent - self.reached >= HEARTBEAT:
            mine.update(lease_until=Now() + LEASE)
            Attempt.objects.filter(pk=self.claim.attempt, ended_at=None).update(heartbeat_at=Now())
        row = mine.values_list("cancel_requested_at").first()
        if row is None:
            log.warning("run %s is no longer held by attempt %s", self.claim.run, self.claim.number)
            self.fenced = True
            return
        self.cancelled = row[0] is not None
        if sent - self.reached >= HEARTBEAT:
            self.reached = sent

    def _extend_deadline(self) -> None:
        if self.problem is None and not self.fenced:
            self._write_deadline()

    def _write_deadline(self) -> None:
        """Training ends itself past this time: soon after this worker's death, or when nobody may hold it.

        By the machine's monotonic clock, which both processes share and nobody sets.
        """
        deadline = min(time.monotonic() + ALIVE, self.reached + LIMIT)
        aside = self.run_dir / "deadline.new"
        aside.write_text(f"{deadline:.3f}")
        aside.rename(self.run_dir / "deadline")

    def _look_around(self) -> None:
        """Remember descendants while their ancestors live: an orphan no longer says where it came from."""
        assert self.training is not None
        self.family = processes.living(self.family) | processes.family(
            self.training.pid, self.training.start_time
        )

    def _stop_if_asked(self) -> None:
        assert self.training is not None
        if not (self.cancelled or self.stopping.is_set()):
            return
        now = time.monotonic()
        if self.term_at is None:
            self.term_at = now
            leader = processes.find(self.training.pid, self.training.start_time)
            if leader is not None:
                leader.terminate()
        elif now - self.term_at > (GRACE if self.cancelled else GRACE_SHUTDOWN):
            self._kill()

    def _kill(self) -> None:
        """Leave nothing of this run alive."""
        if self.training is None:
            return
        self.family |= processes.family(self.training.pid, self.training.start_time)
        left = processes.kill(self.family)
        if left:
            log.error("processes of run %s would not die: %s", self.claim.run, sorted(p.pid for p in left))

    def _finish(self) -> None:
        """Nothing of the run lives any more: bring in the rest of its journal, and move the run on."""
        recorded = None
        if self.ingest is not None:
            self._bring_in(self.ingest.drain)
            recorded = self.ingest.finished or self._failure()
        ended = self.problem or recorded
        if (ended or {}).get("status") != "succeeded" and not self.cancelled and (why := self._sick(ended)):
            ended = {"status": "failed", "reason": HOST_FAULT, "hint": why}
        ending = Ending(
            finished=ended,
            code=self.training.code if self.training else None,
            stopped=self.stopping.is_set(),
            text=last_line(self.run_dir / "output.txt") if self.ingest else "",
        )
        claim = self.claim
        self.state = conclude(run=claim.run, number=claim.number, attempt=claim.attempt, ending=ending)

    def _sick(self, ended: dict[str, str] | None = None) -> str:
        """What is wrong with this machine, whatever the run's last word was; it then takes no more runs. Empty: nothing is."""
        if self.fitness is None:
            return ""
        said = ended["hint"] if ended and ended["reason"] == HOST_FAULT else ""
        why = self.fitness.problem() or said
        if why:
            self.fitness.out_of_service(why)
        return why

    def _failure(self) -> dict[str, str] | None:
        """What a process other than the first left, where that one was ended before it could write it down."""
        failure = torchrun.first_failure(self.run_dir)
        return {"status": "failed", **failure} if failure else None

    def _fail(self, reason: str, hint: str) -> None:
        self.problem = {"status": "failed", "reason": reason, "hint": hint}

    def _every(self, what: str, seconds: float, action: Callable[[], None]) -> None:
        now = time.monotonic()
        if now >= self.due[what]:
            action()
            self.due[what] = now + seconds

    def _insist(self, action: Callable[[], None]) -> bool:
        """Do something with the database, however long it takes to reach; False when the worker must end."""
        while not self._reach(action):
            if self.stopping.is_set() and self.failures > len(WAITS):
                log.error("run %s is left to the janitor: no database", self.claim.run)
                return False
            time.sleep(max(0.0, self.due["database"] - time.monotonic()))
        return True

    def _reach(self, action: Callable[[], None]) -> bool:
        """Do something with the database; when that is out of reach, say when to try again."""
        try:
            action()
        except GONE as error:
            wait = WAITS[min(self.failures, len(WAITS) - 1)]
            self.failures += 1
            self.due["database"] = time.monotonic() + wait
            log.warning("run %s: no database, again in %s s: %s", self.claim.run, wait, str(error).strip())
            close_quietly()
            return False
        self.failures = 0
        return True


def last_line(output: Path) -> str:
    """The last line of what training printed that has a word in it; empty when there is none."""
    try:
        with output.open("rb") as file:
            file.seek(max(0, output.stat().st_size - 4096))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line for line in text.splitlines() if any(map(str.isalnum, line))]
    return lines[-1].strip()[:300] if lines else ""
