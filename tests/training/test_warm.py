"""The warm start: a stage in milliseconds, a process of its own, and nothing left when the worker is gone."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.training.conftest import Stage, Stages
from training.warm import main as serve

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Warm:
    """The worker's end of a warm server."""

    connection: socket.socket
    received: bytes = b""
    waiting: list[dict[str, Any]] = field(default_factory=list)

    def start(self, run_dir: Path, env: dict[str, str] | None = None) -> dict[str, Any]:
        request = {"op": "start", "run_dir": str(run_dir), **({"env": env} if env else {})}
        self.connection.sendall(json.dumps(request).encode() + b"\n")
        return self.next("started", run_dir)

    def next(self, event: str, run_dir: Path | None = None) -> dict[str, Any]:
        """The next message of this kind (about this run); others wait."""
        while True:
            for message in self.waiting:
                if message["event"] == event and run_dir in (None, Path(message.get("run_dir", ""))):
                    self.waiting.remove(message)
                    return message
            data = self.connection.recv(65536)
            assert data, "the server closed the socket"
            *lines, self.received = (self.received + data).split(b"\n")
            self.waiting += [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Warm, subprocess.Popen[bytes]]]:
    """`python -m training.warm` and this end of its socket."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, "-m", "training.warm", "--fd", str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
    )
    theirs.close()
    opened = Warm(ours)
    assert opened.next("ready")["pid"] == process.pid
    yield opened, process
    ours.close()
    assert process.wait(90) == 0


@pytest.fixture
def warm(server: tuple[Warm, subprocess.Popen[bytes]]) -> Warm:
    return server[0]


@pytest.fixture
def stage(finished: dict[str, Stage], stages: Stages) -> Stage:
    """GRPO, the longest of the tiny stages."""
    return stages.make("run", "grpo", parent=finished["curriculum"].checkpoints / "final")


@pytest.fixture
def long_stage(finished: dict[str, Stage], stages: Stages) -> Stage:
    """A stage that does not end by itself within a test, and has little to prepare."""
    parent = finished["pretrain"].checkpoints / "final"
    return stages.make("long", "sft", parent=parent, changes=[("stages.sft.epochs", 100_000)])


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def has_begun(stage: Stage) -> bool:
    return (stage.run_dir / "journal").exists() and bool(stage.journal.records("metrics"))


def test_the_server_has_one_thread_and_no_cuda(server: tuple[Warm, subprocess.Popen[bytes]]) -> None:
    process = psutil.Process(server[1].pid)
    assert process.num_threads() == 1
    assert not [f for f in process.memory_maps() if "nvidia" in f.path]


def test_a_warm_stage_has_the_losses_of_one_by_hand(
    warm: Warm, stage: Stage, finished: dict[str, Stage]
) -> None:
    started = warm.start(stage.run_dir)
    assert 0 <= time.clock_gettime(time.CLOCK_BOOTTIME) - started["start_time"] < 60
    assert warm.next("exited", stage.run_dir) == {
        "event": "exited",
        "run_dir": str(stage.run_dir),
        "pid": started["pid"],
        "code": 0,
    }
    assert stage.journal.metrics() == finished["grpo"].journal.metrics()
    assert stage.journal.rollouts() == finished["grpo"].journal.rollouts()


@pytest.mark.slow
def test_python_m_training_has_the_same_losses(stage: Stage, finished: dict[str, Stage]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "training", str(stage.run_dir)], cwd=ROOT, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    assert stage.journal.metrics() == finished["grpo"].journal.metrics()


def test_a_stage_has_its_own_session_output_and_descriptors(
    server: tuple[Warm, subprocess.Popen[bytes]], long_stage: Stage
) -> None:
    warm, parent = server
    pid = warm.start(long_stage.run_dir, {"MULBERRY_TEST_MARK": "here"})["pid"]
    wait_for(lambda: has_begun(long_stage))
    process = psutil.Process(pid)
    assert os.getsid(pid) == pid
    files = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    assert str(long_stage.run_dir / "output.txt") in files
    assert not [name for name in files if name.startswith(("socket:", "pipe:"))]
    assert process.ppid() == parent.pid
    os.kill(pid, signal.SIGTERM)
    assert warm.next("exited", long_stage.run_dir)["code"] == 75
    assert long_stage.journal.records("finished")[0]["reason"] == "terminated"


def test_a_killed_stage_is_reported_with_its_signal(warm: Warm, long_stage: Stage) -> None:
    pid = warm.start(long_stage.run_dir)["pid"]
    os.kill(pid, signal.SIGKILL)
    assert warm.next("exited", long_stage.run_dir)["code"] == -signal.SIGKILL


def test_a_folder_without_a_spec_fails_with_a_hint(warm: Warm, tmp_path: Path) -> None:
    warm.start(tmp_path)
    assert warm.next("exited", tmp_path)["code"] == 1
    assert "there is no spec.json" in Stage(tmp_path).journal.records("finished")[0]["hint"]


def forked_warm() -> tuple[Warm, int]:
    """A warm server forked from this process, where the libraries are imported already; and its pid."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            sys.argv = ["training.warm", "--fd", str(theirs.detach())]
            serve()
        finally:
            os._exit(0)
    theirs.close()
    opened = Warm(ours)
    assert opened.next("ready")["pid"] == pid
    return opened, pid


@pytest.mark.parametrize("how", ["closed", "terminated", "killed"])
def test_nothing_is_left_when_the_worker_or_the_server_is_gone(how: str, long_stage: Stage) -> None:
    own, server = forked_warm()
    pid = own.start(long_stage.run_dir)["pid"]
    wait_for(lambda: has_begun(long_stage))
    if how == "closed":  # what the kernel does when the worker dies, by SIGKILL too
        own.connection.close()
    else:
        os.kill(server, signal.SIGTERM if how == "terminated" else signal.SIGKILL)
    os.waitpid(server, 0)
    wait_for(lambda: not is_alive(pid))


def test_descendants_in_sessions_of_their_own_are_killed(tmp_path: Path) -> None:
    """Like torchrun's ranks: a stage that starts processes in new sessions, one of them an orphan at once."""
    script = tmp_path / "server.py"
    script.write_text(
        "import os, pathlib, socket, subprocess, sys, time\n"
        "import training.warm as warm, training.__main__\n"
        "def stage(run_dir):\n"
        "    sleep = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "    child = subprocess.Popen(sleep, start_new_session=True)\n"
        "    orphan = subprocess.run(['sh', '-c', 'setsid sleep 600 >/dev/null 2>&1 & echo $!'], capture_output=True, text=True)\n"
        "    (run_dir / 'pids').write_text(f'{child.pid} {orphan.stdout}')\n"
        "    (run_dir / 'pids').rename(run_dir / 'ready')\n"
        "    time.sleep(600)\n"
        "training.__main__.main = stage\n"
        "warm.import_heavy_libraries = lambda: None\n"
        "warm.main()\n"
    )
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        [sys.executable, str(script), "--fd", str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    theirs.close()
    own = Warm(ours)
    own.next("ready")
    stage = own.start(tmp_path)["pid"]
    wait_for(lambda: (tmp_path / "ready").exists())
    pids = [stage, *map(int, (tmp_path / "ready").read_text().split())]
    assert len(pids) == 3
    assert all(map(is_alive, pids))
    os.kill(stage, signal.SIGKILL)  # what the stage leaves behind goes with it
    assert own.next("exited")["code"] == -signal.SIGKILL
    wait_for(lambda: not any(map(is_alive, pids)))
    ours.close()
    process.wait(60)
