"""A small server that has the heavy libraries imported and forks a stage in milliseconds.

`python -m training.warm --fd N`: N is the server's end of a Unix socket pair that the worker made. Importing torch,
transformers and trl takes many seconds, and a demo starts dozens of stages, so the server imports them once, keeps
one thread and never touches CUDA (a CUDA context does not survive a fork). JSON lines on the socket:

    server → worker  {"event": "ready", "pid": P}                                once, after the imports
    worker → server  {"op": "start", "run_dir": "/abs", "env": {"NAME": "value"}, "processes": 1}  the last two are optional
    server → worker  {"event": "started", "run_dir": "/abs", "pid": P, "start_time": T}
    server → worker  {"event": "refused", "run_dir": "/abs", "reason": "why"}    instead of started
    server → worker  {"event": "exited", "run_dir": "/abs", "pid": P, "code": C}

T is training.process.start_times.start_time, seconds since the machine's boot; C is the exit code, or -N when signal N killed the process. A stage runs in
a session of its own, with stdin from /dev/null, stdout and stderr appended to RUN_DIR/output.txt, and no descriptor
of the server's. The worker signals it by its pid. When the socket closes (the worker ended, by SIGKILL too) or
the server gets TERM, it kills its stages with all their descendants, sessions of their own or not, and exits.
What a stage leaves behind when it exits is killed as well.
"""

import argparse
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psutil

from training.code_version import code_version
from training.process import collector, openmp, prctl, torchrun
from training.process.start_times import start_time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # no thread pool before the fork; a stage sets torch's own count
openmp.wait_briefly()
os.environ.setdefault(
    "JE_ARROW_MALLOC_CONF", "background_thread:false"
)  # pyarrow's allocator would start one


@dataclass
class StageProcess:
    """A running child; its pid is also its session's id."""

    pid: int
    run_dir: str


def main() -> None:
    """Import, report ready, serve until the socket closes."""
    parser = argparse.ArgumentParser(prog="python -m training.warm", description="Forks stages quickly.")
    parser.add_argument("--fd", type=int, required=True, help="descriptor of this end of the socket pair")
    connection = socket.socket(fileno=parser.parse_args().fd)
    connection.set_inheritable(False)
    code_version()  # every stage forked from here runs the code of now
    with collector.paused_for_imports():
        import_heavy_libraries()
    prctl.adopt_orphans()  # a stage's orphans become our children, so they can be found
    Server(connection).serve()


def import_heavy_libraries() -> None:
    """Import what the stages need, and make what transformers would make anew in each process that loads a model."""
    from training.stages import STAGES

    for kind in STAGES:
        importlib.import_module(f"training.stages.{kind}.train")
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    get_checkpoint_conversion_mapping("gpt2")  # compiles a thousand expressions, of all kinds of models


class Server:
    """One loop over the socket and the ends of children."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.stages: dict[int, StageProcess] = {}
        self.received = b""
        self.ended = False
        self.waker, self.woken = os.pipe()
        os.set_blocking(self.woken, False)
        signal.set_wakeup_fd(self.woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler, so that the wake-up byte is written
        signal.signal(signal.SIGTERM, self._on_term)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to handle

    def serve(self) -> None:
        """Answer until the worker is gone, then leave nothing alive."""
        self._send({"event": "ready", "pid": os.getpid()})
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            selector.register(self.waker, selectors.EVENT_READ)
            while not self.ended:
                for key, _ in selector.select():
                    if key.fileobj is self.connection:
                        self._receive()
                    else:
                        os.read(self.waker, 4096)
                        self._reap()
        _kill_all(list(self.stages))

    def _on_term(self, *_: object) -> None:
        self.ended = True

    def _receive(self) -> None:
        try:
            data = self.connection.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended = True
        *lines, self.received = (self.received + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if request["op"] != "start":
                raise ValueError(f"there is no operation {request['op']!r}; the one there is: start")
            self._start(request["run_dir"], request.get("env", {}), request.get("processes", 1))

    def _start(self, run_dir: str, env: dict[str, str], processes: int) -> None:
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:  # no memory or no number for a process: those that run go on
            self._send({"event": "refused", "run_dir": run_dir, "reason": error.strerror})
            return
        if pid == 0:
            _become_stage(Path(run_dir), env, processes, server)
        self.stages[pid] = StageProcess(pid, run_dir)
        at = start_time(pid) or 0.0  # not reaped yet, so it exists even when it has ended
        self._send({"event": "started", "run_dir": run_dir, "pid": pid, "start_time": at})

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            stage = self.stages.pop(pid, None)
            if stage is not None:  # else an orphan that came to us as the subreaper
                _kill_all([pid], keep=list(self.stages))
                code = os.waitstatus_to_exitcode(status)
                self._send({"event": "exited", "run_dir": stage.run_dir, "pid": pid, "code": code})

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self.connection.sendall(json.dumps(message).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            self.ended = True


def _become_stage(run_dir: Path, env: dict[str, str], processes: int, server: int) -> NoReturn:
    """In the child: leave everything of the server's behind and run the stage."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        prctl.end_with_parent()
        if os.getppid() != server:
            os._exit(code)  # the server died between the fork and the line above
        output = os.open(run_dir / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.environ.update(env)
        if processes > 1:  # torchrun starts them afresh; it is watched, and ended, as a stage is
            argv = torchrun.command(run_dir, processes)
            os.execv(argv[0], argv)  # noqa: S606
        from training.__main__ import main as run_stage

        code = run_stage(run_dir)
    finally:  # whatever happens, the child must never return into the server's loop
        if (error := sys.exception()) is not None:
            sys.excepthook(type(error), error, error.__traceback__)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _kill_all(stages: list[int], keep: list[int] | None = None) -> None:
    """SIGKILL the stages and all that descends from them, until nothing of it is left.

    Found by session, by parent, and (this process being the subreaper) as orphans that came to us; `keep` are stages
    that go on.
    """
    sessions = set(stages)
    while True:
        alive = []
        kept = _with_descendants(keep or [])
        kept_sessions = {_session(pid) for pid in kept}
        ours = {child.pid for child in psutil.Process().children(recursive=True)}
        for process in psutil.process_iter():
            session = _session(process.pid)
            if process.pid == os.getpid() or process.pid in kept or session in kept_sessions:
                continue
            if (process.pid in ours or session in sessions) and _is_running(process):
                alive.append(process)
        if not alive:
            return
        for process in alive:
            sessions.add(process.pid)
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.01)


def _with_descendants(pids: list[int]) -> set[int]:
    found = set(pids)
    for pid in pids:
        try:
            found.update(child.pid for child in psutil.Process(pid).children(recursive=True))
        except psutil.NoSuchProcess:
            continue
    return found


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _is_running(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    main()
