"""Everything that descends from a process is found and ended, sessions of their own or not."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from training.process.start_times import start_time
from workers import processes
from workers.processes import Host

# A leader whose child leads a session of its own and has a child there: what torchrun's ranks look like.
TREE = """
import os, subprocess, sys, time
rank = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100)']); time.sleep(100)"
subprocess.Popen([sys.executable, "-c", rank], start_new_session=True)
time.sleep(100)
"""


@pytest.fixture
def leader() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", TREE], start_new_session=True)
    yield child
    if child.poll() is None:  # whole, so that none is begotten while the others end
        processes.kill(grown(child.pid, 3))
    child.wait()


def grown(pid: int, count: int) -> set[psutil.Process]:
    start = start_time(pid)
    for _ in range(200):
        if len(family := processes.family(pid, start)) >= count:
            return family
        time.sleep(0.05)
    raise AssertionError(f"{family} never became {count}")


def test_descendants_in_sessions_of_their_own_are_killed(leader: subprocess.Popen[bytes]) -> None:
    family = grown(leader.pid, 3)
    assert len({os.getsid(p.pid) for p in family}) == 2
    assert processes.kill(family) == set()
    assert processes.living(family) == set()


def test_descendants_that_were_seen_are_killed_after_their_leader_died(
    leader: subprocess.Popen[bytes],
) -> None:
    family = grown(leader.pid, 3)
    leader.kill()
    leader.wait()
    assert len(processes.living(family)) == 2
    assert processes.kill(family) == set()
    assert processes.living(family) == set()


def test_a_number_given_to_another_process_is_left_alone(leader: subprocess.Popen[bytes]) -> None:
    started = start_time(leader.pid)
    assert started is not None
    assert processes.find(leader.pid, started) is not None
    assert processes.find(leader.pid, started - 60) is None
    assert processes.family(leader.pid, started - 60) == set()
    assert processes.find(None, None) is None


def test_a_zombie_counts_as_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    started = start_time(child.pid)
    for _ in range(200):
        if psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.05)
    assert processes.find(child.pid, started) is None
    child.wait()


def test_a_host_tells_only_what_it_can_know(leader: subprocess.Popen[bytes]) -> None:
    here = Host.this()
    boot, _, namespace = here.boot_id.partition(":")
    started = start_time(leader.pid)
    assert not here.saw_end_of(here.boot_id, leader.pid, started, silent=True)
    assert here.saw_end_of(here.boot_id, leader.pid, (started or 0) - 60, silent=False)
    assert here.saw_end_of(f"another-boot:{namespace}", leader.pid, started, silent=True)
    assert not here.saw_end_of(f"another-boot:{namespace}", leader.pid, started, silent=False)
    assert not here.saw_end_of(f"{boot}:another-container", leader.pid, (started or 0) - 60, silent=True)


def test_training_sees_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "DATABASE_URL",
        "DJANGO_SECRET_KEY",
        "CELERY_BROKER_URL",
        "MULBERRY_DATA",
        "CUDA_VISIBLE_DEVICES",
    ):
        monkeypatch.setenv(name, "x")
    environment = processes.minimal_environment()
    assert {"MULBERRY_DATA", "CUDA_VISIBLE_DEVICES"} <= environment.keys()
    assert not {"DATABASE_URL", "DJANGO_SECRET_KEY", "CELERY_BROKER_URL"} & environment.keys()


def test_a_child_runs_our_code_wherever_it_starts(tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "__init__.py").write_text("raise ImportError('somebody else')")
    shown = subprocess.run(
        processes.python_module("workers.cli", "--help"),
        cwd=tmp_path,
        env=processes.own_code({**os.environ, "PYTHONPATH": "/nowhere"}),
        capture_output=True,
        text=True,
    )
    assert shown.returncode == 0, shown.stderr
