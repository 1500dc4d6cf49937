"""`mulberry up`: database, web and one worker on this machine, started and ended together.

Each child runs under a guard (guard.py) that ends it when this process is gone, however it went; when the guard is killed,
the kernel ends it. Web and worker and their guards also hold the database's pipe, so that the database ends last even then,
and the home's lock, so that the next start waits until the last one is over.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from training.process.start_times import start_time
from workers.processes import own_code, python_module
from workers.stack import guard
from workers.stack.postgres import Postgres, PostgresError

WORKER_GRACE = 25.0  # seconds; a running stage ends its step and saves a checkpoint
WEB_GRACE = 8.0
READY_LIMIT = 90.0
RESTARTS = 5  # of one child within RESTART_WINDOW seconds; then something is wrong for good
RESTART_WINDOW = 120.0
ASK_EVERY = 5.0  # seconds between two questions whether the database takes new connections
LOG_LIMIT = 10_000_000  # bytes; a longer log is put aside as .1 at start


class StartError(RuntimeError):
    """`mulberry up` cannot go on; the message is one line and says what to do."""


class AlreadyRunningError(StartError):
    """Another `mulberry up` has this home."""

    def __init__(self, pid: int, address: str) -> None:
        self.address = address
        super().__init__(f"Mulberry already runs on this home: {address} (process {pid})")


@dataclass
class Child:
    """A guarded process, and when it was started."""

    name: str
    command: list[str]
    stop_signal: signal.Signals
    grace: float
    guarded: subprocess.Popen[bytes] | None = None
    starts: list[float] = field(default_factory=list)


class Stack:
    """Everything that `mulberry up` starts, in order, and stops in the opposite order."""

    def __init__(self, home: Path, port: int, say: Callable[[str], None]) -> None:
        self.home, self.port, self.say = home, port, say
        self.address = f"http://127.0.0.1:{port}"
        self.postgres = None if os.environ.get("DATABASE_URL") else Postgres(home)
        web = python_module("workers.cli", "web", "--port", str(port))
        self.web = Child("web", web, signal.SIGTERM, WEB_GRACE)
        self.worker = Child("worker", python_module("workers"), signal.SIGTERM, WORKER_GRACE)
        self._lock = -1
        self._asked_at, self._refused = time.monotonic(), False  # whether the database takes new connections

    def start(self, stopping: threading.Event) -> bool:
        """Start all of it; True when the web answers, False when told to stop before. Raises StartError.

        Call `stop` in any case.
        """
        self._lock = take_lock(self.home, self.address, self.say)
        self.say(f"starting Mulberry in {self.home}")
        refuse_used_port(self.port)
        for name in ("postgres", "web", "worker"):
            _put_aside(self.log(name))
        if self.postgres:
            try:
                self.postgres.start(keep_open=(self._lock,))
            except PostgresError as error:
                raise StartError(str(error)) from None
        self._start(self.web)
        if not self._wait_for_web(stopping):
            return False
        self._start(self.worker)
        return True

    def log(self, name: str) -> Path:
        """Where a child's output goes."""
        return self.home / "logs" / f"{name}.log"

    def check(self) -> None:
        """Start children again that ended by themselves. Raises StartError when one keeps ending."""
        if self.postgres and (status := self.postgres.poll()) is not None:
            self.say(f"the database ended (status {status}); starting it again, see {self.log('postgres')}")
            try:
                self.postgres.restart(keep_open=(self._lock,))
            except PostgresError as error:
                raise StartError(str(error)) from None
        elif self.postgres and (shutdown := self.postgres.finish_shutdown()):
            self.say(shutdown)
        elif self.postgres and time.monotonic() - self._asked_at > ASK_EVERY:
            self._ask_database(self.postgres)
        for child in (self.web, self.worker):
            assert child.guarded is not None
            if (status := child.guarded.poll()) is None:
                continue
            recent = [at for at in child.starts if at > time.monotonic() - RESTART_WINDOW]
            if len(recent) >= RESTARTS:
                raise StartError(
                    f"the {child.name} keeps ending (status {status}); see {self.log(child.name)}"
                )
            self.say(
                f"the {child.name} ended (status {status}); starting it again, see {self.log(child.name)}"
            )
            guard.end_orphan(child.guarded)
            self._start(child)

    def stop(self) -> None:
        """End the worker (at a checkpoint), the web, the database; release the home."""
        for child in (self.worker, self.web):
            if child.guarded is not None:
                guard.stop(child.guarded)
                child.guarded = None
        if self.postgres:
            self.postgres.stop()
        if self._lock >= 0:
            os.truncate(self._lock, 0)
            os.close(self._lock)
            self._lock = -1

    def _ask_database(self, postgres: Postgres) -> None:
        """Say when it stops taking new connections, and when it takes them again; what has one goes on."""
        refusal = postgres.refuses()
        if refusal and not self._refused:
            self.say(f"the database takes no new connection ({refusal}); see {self.log('postgres')}")
        if self._refused and not refusal:
            self.say("the database takes new connections again")
        self._refused, self._asked_at = bool(refusal), time.monotonic()

    def _start(self, child: Child) -> None:
        keep_open = [self._lock]
        if self.postgres and (pipe := self.postgres.life_pipe) is not None:
            keep_open.append(pipe)
        child.starts.append(time.monotonic())
        child.guarded = guard.start(
            child.command,
            log=self.log(child.name),
            stop_signal=child.stop_signal,
            grace=child.grace,
            environment=own_code({**os.environ, "MULBERRY_HOME": str(self.home)}),
            keep_open=keep_open,
            share=True,
        )

    def _wait_for_web(self, stopping: threading.Event) -> bool:
        deadline = time.monotonic() + READY_LIMIT
        while not answers(self.address):
            assert self.web.guarded is not None
            if (status := self.web.guarded.poll()) is not None:
                raise StartError(f"the web ended (status {status}): {_last_line(self.log('web'))}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.address}/healthz does not answer; see {self.log('web')}")
            if stopping.wait(0.1):
                return False
        return True


def answers(address: str) -> bool:
    """Whether a dashboard at this address says that it is ready."""
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=5) as response:  # noqa: S310  (our own address)
            return bool(response.status == 200)
    except OSError:  # refused, reset, timed out, or a status that is no success
        return False


def take_lock(home: Path, address: str, say: Callable[[str], None]) -> int:
    """Lock a home for this process; return the descriptor that holds the lock. Raises StartError.

    While a last start's children are still ending (their supervisor was killed), this waits for them.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StartError(
            f"{home} cannot be written ({error.strerror}); set MULBERRY_HOME to a folder that can"
        ) from None
    deadline, said = time.monotonic() + 2 * WORKER_GRACE, False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = running(home)
            if holder is not None:
                os.close(lock)
                raise AlreadyRunningError(*holder) from None
            if time.monotonic() > deadline:
                os.close(lock)
                raise StartError(
                    f"processes of the last `mulberry up` do not end; end them: {_holders(home / 'lock')}"
                ) from None
            if not said:
                say("the last `mulberry up` was killed; waiting for its children to end")
                said = True
            time.sleep(0.2)
        else:
            break
    os.truncate(lock, 0)
    os.pwrite(
        lock,
        json.dumps({"pid": os.getpid(), "started": start_time(os.getpid()), "address": address}).encode(),
        0,
    )
    return lock


def _holders(lock: Path) -> str:
    """Number and command of each process that has the file open, as far as this user may see."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and any(Path(file.path) == lock for file in process.open_files()):
                found.append(f"{process.pid} ({' '.join(process.info['cmdline'] or [])[:80]})")
    return ", ".join(found) or f"whoever holds {lock}"


def running(home: Path) -> tuple[int, str] | None:
    """Process number and address of the `mulberry up` that has this home, if one is alive."""
    try:
        holder = json.loads((home / "lock").read_text())
        alive = start_time(holder["pid"]) == holder["started"]
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return (holder["pid"], holder["address"]) if alive else None


def refuse_used_port(port: int) -> None:
    """Raise StartError when something else listens on the port."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError as error:
            raise StartError(
                f"port {port} cannot be used ({error.strerror}); give another one with --port (make: PORT=…)"
            ) from None


@contextlib.contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C, TERM and a closed terminal set; further ones change nothing (stopping takes seconds)."""
    stopping = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in numbers}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _put_aside(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f"{lines[-1]} (more in {log})" if lines else f"see {log}"
