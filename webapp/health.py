"""Two probes, for whoever watches the dashboard: does this process serve, and can everything do its work.

Each check runs in a thread of its own, one at a time, and is kept for a second: whatever hangs, and however often somebody
asks, an answer comes within LIMIT and costs one connection at most. Answers name no host, path or user; the log does.
"""

import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.views import defaults
from django.views.decorators.http import require_safe

from training.process import disk
from webapp import celery
from webapp.runs.querysets import willing_workers

log = logging.getLogger("mulberry.health")
LIMIT = 4.0  # seconds until a check counts as failed
CONNECT = 2  # seconds for a connection
KEPT = 1.0  # seconds
RETRY_AFTER = 5  # seconds
_migrated = False  # once true, it stays true for this process's code


class HealthCheck:
    """One thing that must be so; `read` returns what is wrong, in words that anybody may see, or ""."""

    def __init__(self, read: Callable[[], str]) -> None:
        self.name = read.__name__.strip("_")
        self._read = read
        self._lock = threading.Lock()
        self._found: Future[str] = Future()
        self._ended_at: float | None = float("-inf")  # monotonic; None while it runs

    def start(self) -> "Future[str]":
        """What is read now, or was just before."""
        with self._lock:
            if self._ended_at is not None and time.monotonic() - self._ended_at > KEPT:
                self._found, self._ended_at = Future(), None
                threading.Thread(target=self._run, name=f"checks {self.name}", daemon=True).start()
            return self._found

    def _run(self) -> None:
        try:
            problem = self._read()
        except Exception as error:
            log.warning("the check of the %s failed: %s", self.name, str(error).strip())
            problem = f"cannot be checked ({type(error).__name__}); see the log of the web process"
        self._found.set_result(problem)
        self._ended_at = time.monotonic()


def problems(checks: list[HealthCheck]) -> dict[str, str]:
    """What is wrong with each, "" where nothing is; all are asked at once, and it takes LIMIT at most."""
    until = time.monotonic() + LIMIT
    running = {check.name: check.start() for check in checks}
    found = {}
    for name, future in running.items():
        try:
            found[name] = future.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            found[name] = f"no answer within {LIMIT:.0f} s"
    return found


@contextmanager
def _new_connection() -> Iterator[BaseDatabaseWrapper]:
    """One of no pool, this thread's for a while: a database that is being shut down still answers over those it has."""
    probe = connections["default"].copy()
    probe.settings_dict["OPTIONS"].pop("pool", None)
    probe.settings_dict["OPTIONS"]["connect_timeout"] = CONNECT
    connections["default"] = probe
    try:
        yield probe
    finally:
        del connections["default"]
        probe.close()


def _serving() -> str:
    global _migrated
    try:
        with _new_connection() as probe:
            if not _migrated:
                executor = MigrationExecutor(probe)
                if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                    return "migrations are missing; run manage.py migrate"
                _migrated = True
            with probe.cursor() as cursor:
                cursor.execute("SELECT 1")
    except Error as error:
        log.warning("the database does not answer: %s", str(error).strip())  # it names host and user
        return "the database does not answer; see the log of the web process"
    return ""


def _database() -> str:
    try:
        with _new_connection() as probe, probe.cursor() as cursor:
            cursor.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'")
            if any(cursor.fetchone()):
                return "it is read-only"
            cursor.execute("SELECT pg_logical_emit_message(true, 'mulberry', 'ready')")  # a write to no table
    except Error as error:
        log.warning("the database cannot be written to: %s", str(error).strip())
        return "it does not answer, or cannot be written to; see the log of the web process"
    return ""


def _worker() -> str:
    try:
        with _new_connection():
            return "" if willing_workers().exists() else "none takes runs; start one with `mulberry worker`"
    except Error:
        return "not known without the database"


def _home() -> str:
    return _folder(settings.MULBERRY_HOME)


def _storage() -> str:
    """Where workers have a home of their own, the web may see storage read-only, as docker-compose.yml has it."""
    return _folder(Path(settings.MULBERRY_STORAGE), only_seen=not celery.EMBEDDED)


def _folder(folder: Path, *, only_seen: bool = False) -> str:
    while not folder.exists():
        folder = folder.parent  # made with the first run
    try:
        if only_seen:
            os.scandir(folder).close()
        else:
            with tempfile.TemporaryFile(dir=folder) as tried:
                tried.write(b"ready")
        usage = shutil.disk_usage(folder)
    except OSError as error:
        log.warning("%s: %s", folder, error)
        return f"cannot be {'read' if only_seen else 'written to'} ({error.strerror})"
    kept = disk.reserve(usage.total)
    return (
        ""
        if usage.free >= kept
        else f"{usage.free / 1e9:.1f} GB free; {kept / 1e9:.1f} GB are kept in reserve"
    )


def _broker() -> str:
    try:
        celery.reach(CONNECT)
    except celery.OUT_OF_REACH as error:
        log.warning("the broker does not answer: %s", error)
        return "it does not answer; see the log of the web process"
    return ""


SERVING = [HealthCheck(_serving)]
READY = [HealthCheck(one) for one in (_database, _worker, _home, _storage, _broker)]


@require_safe
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """200 "ok" when pages can be served: tables are there and the database takes new connections; else 503 and why."""
    (problem,) = problems(SERVING).values()
    return HttpResponse(f"{problem or 'ok'}\n", "text/plain", 503 if problem else 200)


@require_safe
@login_not_required
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when experiments can be launched and trained, else 503; the JSON has what is wrong of each check, or "ok"."""
    found = problems(READY)
    ready = not any(found.values())
    checks = {name: problem or "ok" for name, problem in found.items()}
    return JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)


def fault(request: HttpRequest) -> HttpResponse:
    """Instead of a page that failed: 503 where the database is out of reach, or has no connection left; else 500."""
    if isinstance(sys.exception(), OperationalError | InterfaceError):
        page = loader.get_template("503.html").render()
        return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER)})
    return defaults.server_error(request)
