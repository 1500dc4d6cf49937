"""Launchers: start `training` on a run directory, through the warm server or by argv list; never a shell."""

import json
import logging
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from training.folders import SOURCE
from training.process import torchrun
from training.process.start_times import start_time
from workers.processes import kill, minimal_environment, python, session

log = logging.getLogger("mulberry.launcher")
STARTS = 3  # failed starts of the warm server in a row, after which a run is told so
ANSWER = 30.0  # seconds: a fork takes milliseconds


class LaunchError(Exception):
    """Training cannot be started on this machine; the text says what to look at."""


@dataclass
class Training:
    """A training process; `ended` is set once it is gone, with its exit code (None: nobody saw it)."""

    pid: int
    start_time: float | None
    ended: threading.Event = field(default_factory=threading.Event)
    code: int | None = None

    def end(self, code: int | None) -> None:
        """Record that the process is gone."""
        self.code = code
        self.ended.set()


class Launcher(Protocol):
    """What starts training processes."""

    def ready(self) -> bool:
        """Whether start() will answer at once. Raises LaunchError when it never will."""

    def start(self, run_dir: Path, environment: Mapping[str, str], processes: int = 1) -> Training:
        """Start training in a session of its own, several processes by torchrun.

        `environment`: variables beside the usual ones. Raises LaunchError.
        """

    def close(self) -> None:
        """End what belongs to the launcher."""


class DirectLauncher:
    """A fresh interpreter for each run; `program` is what it is told instead of training's name."""

    def __init__(self, *program: str) -> None:
        self.program = program

    def ready(self) -> bool:
        """Always."""
        return True

    def start(self, run_dir: Path, environment: Mapping[str, str], processes: int = 1) -> Training:
        """Start `python -m training RUN_DIR`; its output goes to RUN_DIR/output.txt."""
        given = minimal_environment()
        with (run_dir / "output.txt").open("ab") as output:
            child = subprocess.Popen(
                python(*self.program, str(run_dir)) if self.program else torchrun.command(run_dir, processes),
                cwd=SOURCE,
                # training sets its own number of threads; torchrun would complain without one
                env={"OMP_NUM_THREADS": "1", **given, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        started = Training(child.pid, start_time(child.pid))
        name = f"waits for {child.pid}"
        threading.Thread(target=lambda: started.end(child.wait()), name=name, daemon=True).start()
        return started

    def close(self) -> None:
        """Nothing belongs to it."""


class WarmLauncher:
    """One `training.warm` server, started in the background, and started again when it dies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._failures = 0
        self._closed = False

    def ready(self) -> bool:
        """Whether the server has its libraries imported; starts one when there is none."""
        with self._lock:
            if self._closed:
                raise LaunchError("this worker is shutting down")
            if self._server is not None and self._server.gone.is_set():
                self._failures = 0 if self._server.ready.is_set() else self._failures + 1
                self._server = None
            if self._failures >= STARTS:
                self._failures = 0  # the next run gets fresh tries
                raise LaunchError("training cannot be imported here; see the worker's log for the traceback")
            if self._server is None:
                self._server = _Server()
            return self._server.ready.is_set()

    def start(self, run_dir: Path, environment: Mapping[str, str], processes: int = 1) -> Training:
        """Have the server fork a stage, or torchrun. Raises LaunchError when the server dies over it."""
        with self._lock:
            server = self._server
        if server is None:
            raise LaunchError("the warm server is not ready")
        return server.start(run_dir, environment, processes)

    @property
    def pid(self) -> int | None:
        """The server's process, if there is one."""
        with self._lock:
            return self._server.child.pid if self._server else None

    def close(self) -> None:
        """Close the socket: the server kills its children and ends."""
        with self._lock:
            self._closed = True
            server, self._server = self._server, None
        if server is not None:
            server.close()


class _Server:
    """One life of the warm server: the socket, the thread that reads it, and the runs that it started."""

    def __init__(self) -> None:
        self.ready, self.gone = threading.Event(), threading.Event()
        self._answered = threading.Condition()
        self._writing = threading.Lock()
        self._runs: dict[str, Training] = {}  # that have not ended
        self._new: dict[str, Training] = {}  # that start() has not handed out; they may have ended already
        self._refused: dict[str, str] = {}  # that were not started, and why
        self._socket, theirs = socket.socketpair()
        with theirs:
            self.child = subprocess.Popen(
                python("-m", "training.warm", "--fd", str(theirs.fileno())),
                cwd=SOURCE,
                env=minimal_environment(),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        threading.Thread(target=self._read, name="warm server", daemon=True).start()

    def start(self, run_dir: Path, environment: Mapping[str, str], processes: int) -> Training:
        asked = {
            "op": "start",
            "run_dir": str(run_dir),
            "env": dict(environment),
            "processes": processes,
        }
        request = json.dumps(asked).encode() + b"\n"
        try:
            with self._writing:
                self._socket.sendall(request)
        except OSError as error:
            raise LaunchError(f"the warm server is gone: {error}") from None
        with self._answered:
            known = self._answered.wait_for(
                lambda: str(run_dir) in self._new or str(run_dir) in self._refused or self.gone.is_set(),
                timeout=ANSWER,
            )
            if reason := self._refused.pop(str(run_dir), ""):
                raise LaunchError(f"no process can be started here: {reason}")
            if not known or str(run_dir) not in self._new:
                raise LaunchError("the warm server died or gave no answer")
            return self._new.pop(str(run_dir))

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        try:
            self.child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            kill(session(self.child.pid))
            self.child.wait()

    def _read(self) -> None:
        with self._socket.makefile("rb") as lines:
            try:
                for line in lines:
                    self._take(json.loads(line))
            except OSError as error:
                log.warning("lost the warm server: %s", error)
        self._end()

    def _take(self, event: dict[str, object]) -> None:
        match event:
            case {"event": "ready"}:
                self.ready.set()
            case {"event": "started", "run_dir": str(run_dir), "pid": int(pid), "start_time": float(at)}:
                with self._answered:
                    self._runs[run_dir] = self._new[run_dir] = Training(pid, at)
                    self._answered.notify_all()
            case {"event": "refused", "run_dir": str(run_dir), "reason": str(reason)}:
                with self._answered:
                    self._refused[run_dir] = reason
                    self._answered.notify_all()
            case {"event": "exited", "run_dir": str(run_dir), "code": int(code)}:
                with self._answered:
                    self._runs.pop(run_dir).end(code)
            case _:
                raise ValueError(f"the warm server said {event}")

    def _end(self) -> None:
        """The server is gone: whatever it started has nobody to report its end."""
        deadline = time.monotonic() + 5
        while self.child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        with self._answered:
            for run in self._runs.values():
                run.end(None)
            self._runs.clear()
            self.gone.set()
            self._answered.notify_all()


def launcher(kind: str) -> Launcher:
    """The launcher that MULBERRY_LAUNCHER names; the warm server starts importing at once."""
    if kind == "direct":
        return DirectLauncher()
    warm = WarmLauncher()
    warm.ready()
    return warm
