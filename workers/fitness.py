"""Whether this worker's machine can do its work: a worker whose disk is full, read-only or broken takes no runs until it is well."""

import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from django.db.models.functions import Now

from training.process import disk
from webapp.runs.models import Worker
from workers.database import GONE, close_quietly

log = logging.getLogger("mulberry.fitness")

PAUSES = (
    5.0,
    10.0,
    20.0,
    40.0,
    60.0,
)  # seconds between tests while it is out of service; the last one again and again
LATELY = 600.0  # seconds in service after which the pauses begin anew
PROBE = os.urandom(4096)  # what a test writes and reads


class Fitness(threading.Thread):
    """Tests the folders of runs; while a test fails, the worker is out of service. Runs until `stop()`."""

    def __init__(self, worker: Worker, folders: Sequence[Path]) -> None:
        super().__init__(name="fitness", daemon=True)
        self.worker, self.folders = worker, folders
        self.why = ""  # it is out of service; empty: it is not
        self._stored = ""  # of `why`, in the database
        self._failures, self._well_since = 0, float("-inf")
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._ended = False

    def ready(self) -> bool:
        """Whether a run may be taken now; a test that fails takes the worker out of service."""
        if not self.why and (problem := self.problem()):
            self.out_of_service(problem)
        return not self.why

    def problem(self) -> str:
        """What a test of every folder finds, a clause; empty when nothing is wrong."""
        return next((found for folder in self.folders if (found := problem(folder))), "")

    def out_of_service(self, why: str) -> None:
        """Take no more runs until a test passes."""
        with self._lock:
            if self.why:
                return
            if time.monotonic() - self._well_since > LATELY:
                self._failures = 0
            self.why = why
        log.error("out of service: %s", why)
        self._news.set()

    def stop(self) -> None:
        """End the thread."""
        self._ended = True
        self._news.set()
        self.join(timeout=10)

    def run(self) -> None:
        """Say in the database how it is, and while it is out of service test it again, ever less often."""
        try:
            while not self._ended:
                settled = not self.why and not self._stored
                self._news.wait(None if settled else PAUSES[min(self._failures, len(PAUSES) - 1)])
                if not self._news.is_set() and self.why:
                    self.test_again()
                self._news.clear()
                self.store()
        finally:
            close_quietly()

    def test_again(self) -> None:
        """Go back into service if a test passes."""
        self._failures += 1
        if problem := self.problem():
            self.why = problem
            return
        log.warning("in service again")
        self.why, self._well_since = "", time.monotonic()

    def store(self) -> None:
        """Say in the database how it is; a database out of reach is told at the next change or test."""
        if self.why == self._stored:
            return
        row, why = Worker.objects.filter(pk=self.worker.pk), self.why
        try:
            if not why:
                row.update(out_of_service_at=None, out_of_service_why="")
            elif self._stored:
                row.update(out_of_service_why=why)
            else:
                row.update(out_of_service_at=Now(), out_of_service_why=why)
        except GONE as error:
            log.warning("no database: %s", str(error).strip())
            close_quietly()
            return
        self._stored = why


def problem(folder: Path) -> str:
    """What keeps a folder from being written to, a clause: no room, or a file that cannot be written, read back or removed."""
    probe = folder / f".probe-{uuid4().hex[:8]}"
    try:
        if full := disk.full(folder):
            return full
        folder.mkdir(parents=True, exist_ok=True)
        with probe.open("xb") as file:
            file.write(PROBE)
            file.flush()
            os.fsync(file.fileno())
        same = probe.read_bytes() == PROBE
        probe.unlink()
    except OSError as error:
        return f"{folder} cannot be written to: {error.strerror or error}"
    return "" if same else f"{folder} does not give back what is written to it"
