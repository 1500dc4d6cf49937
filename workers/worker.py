"""The life of a worker process: register, start Celery's worker with a thread for each slot, end in time."""

import logging
import os
import secrets
import signal
import threading
import time
from pathlib import Path

from celery import signals
from django.conf import settings
from django.db.models.functions import Now

from training.code_version import code_version
from training.process.start_times import start_time
from webapp.celery import app
from webapp.runs.models import Worker
from workers import janitor, tasks
from workers.database import GONE, close_quietly
from workers.devices import Slots
from workers.fitness import Fitness
from workers.launcher import launcher
from workers.messenger import Messenger
from workers.processes import Host
from workers.reporter import Reporter, Tail, secrets as secrets_of_log

log = logging.getLogger("mulberry.worker")

END_WITHIN = 15.0  # seconds from the signal to the end of the process, whatever its runs do


def register(host: Host, queues: list[str], slots: Slots) -> Worker:
    """A row for this process; its name is new at each start, as its pid and start time are."""
    return Worker.objects.create(
        name=f"worker-{secrets.token_hex(3)}@{host.hostname}",
        hostname=host.hostname,
        boot_id=host.boot_id,
        pid=os.getpid(),
        process_started=start_time(os.getpid()) or 0.0,
        queues=queues,
        devices=[device.name for device in slots.devices],
        version=code_version(),
    )


def run(queues: list[str], places: Slots) -> int:
    """Run a worker in this process until SIGTERM or SIGINT; returns its exit code.

    Runs in progress end at a checkpoint and become ready again.
    """
    host = Host.this()
    tail = Tail(secrets_of_log())
    logging.getLogger().addHandler(tail)
    started = launcher(settings.MULBERRY_LAUNCHER)
    threading.excepthook = end_with_thread
    row = register(host, queues, places)
    fitness = Fitness(row, [settings.MULBERRY_HOME, Path(settings.MULBERRY_STORAGE)])
    process = tasks.become(tasks.WorkerProcess(row, places, started, fitness, threading.Event()))
    janitor.drain_late_journals(host)
    threads = (janitor.Janitor(row), Messenger(), Reporter(row, tail), fitness)
    for thread in threads:
        thread.start()
    signals.worker_shutting_down.connect(_on_shutdown, weak=False)
    signals.setup_logging.connect(_keep_logging, weak=False)
    try:
        return _serve(row.name, queues, len(places.devices))
    finally:
        process.stopping.set()
        for thread in threads:
            thread.stop()
        started.close()
        _sign_off(row)


def _sign_off(row: Worker) -> None:
    """Say that this worker has stopped; where that cannot be written its silence says so."""
    try:
        Worker.objects.filter(pk=row.pk).update(stopped_at=Now())
    except GONE as error:
        log.warning("no database to sign off in: %s", str(error).strip())
    close_quietly()


def _serve(name: str, queues: list[str], concurrency: int) -> int:
    worker = app.Worker(
        hostname=name,
        pool_cls="celery.concurrency.thread:TaskPool",
        concurrency=concurrency,
        queues=queues,
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    log.info(
        "%s takes runs from %s on %s", name, ", ".join(queues), settings.CELERY_BROKER_URL.split("@")[-1]
    )
    worker.start()
    return int(worker.exitcode or 0)


def _keep_logging(**_: object) -> None:
    """Having a receiver for this signal, Celery leaves logging as main() set it up."""


def _on_shutdown(**_: object) -> None:
    """Runs in the signal handler: tell the supervising threads, and see that the process does end."""
    process = tasks.current()
    if not process.stopping.is_set():
        process.stopping.set()
        threading.Thread(target=_end_in_time, name="end in time", daemon=True).start()


def end_with_thread(died: threading.ExceptHookArgs) -> None:
    """A worker without its janitor looks dead to the others: end it, so that whoever keeps it starts it again."""
    assert died.exc_value is not None
    name = died.thread.name if died.thread else "?"
    if isinstance(died.thread, Messenger):
        log.critical("people are told nothing from here any more", exc_info=died.exc_value)
        return  # what is told is no reason to stop training
    log.critical("the thread %s died; ending this worker", name, exc_info=died.exc_value)
    os.kill(os.getpid(), signal.SIGTERM)


def _end_in_time() -> None:
    time.sleep(END_WITHIN)
    log.error("runs did not end within %s s; ending without them", END_WITHIN)
    tasks.current().launcher.close()
    os._exit(1)
