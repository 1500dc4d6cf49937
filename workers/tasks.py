"""The one task: take runs from a queue until nothing fits."""

import logging
import threading
from dataclasses import dataclass

from webapp.celery import app
from webapp.runs.models import Worker
from workers.claim import next_run
from workers.database import GONE, close_quietly
from workers.devices import Slots
from workers.fitness import Fitness
from workers.launcher import Launcher
from workers.supervision import Supervision

log = logging.getLogger("mulberry.tasks")


@dataclass
class WorkerProcess:
    """What the threads of a worker process share."""

    row: Worker
    slots: Slots
    launcher: Launcher
    fitness: Fitness
    stopping: threading.Event


_here: list[WorkerProcess] = []


def become(worker: WorkerProcess) -> WorkerProcess:
    """Make this process that worker."""
    _here[:] = [worker]
    return worker


def current() -> WorkerProcess:
    """The worker that this process is."""
    return _here[0]


@app.task(name="workers.tasks.run_next")  # type: ignore[untyped-decorator]
def run_next(queue: str) -> None:
    """Occupy one slot: claim the next run of the queue, supervise it to its end, and again."""
    worker = current()
    with worker.slots.taken() as device:
        while not worker.stopping.is_set() and worker.fitness.ready():
            try:
                claim = next_run(queue, worker.row, device)
            except GONE as error:
                log.warning("no database to claim from: %s", str(error).strip())
                close_quietly()
                return
            if claim is None:
                return
            state = Supervision(claim, device, worker.launcher, worker.stopping, worker.fitness).run()
            log.info("run %s attempt %s: %s", claim.run, claim.number, state or "lost")
