"""The warm server starts stages, reports their ends, and comes back when it dies."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from workers import launcher as module
from workers.launcher import LaunchError, WarmLauncher
from workers.processes import python

pytestmark = pytest.mark.slow

# the server without the imports that make a stage start quickly: nothing here trains
LIGHT = "import training.warm as warm; warm.import_heavy_libraries = lambda: None; warm.main()"


@pytest.fixture
def warm() -> Iterator[WarmLauncher]:
    launcher = WarmLauncher()
    yield launcher
    launcher.close()


def wait_for(condition: Callable[[], object], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def test_a_stage_runs_and_the_server_comes_back_from_the_dead(
    warm: WarmLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "python", lambda *arguments: python("-c", LIGHT, *arguments[2:]))
    wait_for(warm.ready)
    started = warm.start(tmp_path, {})
    assert started.start_time is not None
    assert started.ended.wait(60)
    assert started.code == 1  # there is no spec.json
    assert b"spec.json" in (tmp_path / "output.txt").read_bytes()
    first = warm.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: not warm.ready())
    wait_for(warm.ready)
    assert warm.pid != first
    warm.close()
    assert not psutil.pid_exists(first)


def test_a_server_that_cannot_import_is_reported(
    warm: WarmLauncher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "SOURCE", tmp_path)
    monkeypatch.setattr(module, "python", lambda *_: ["false"])

    def tries() -> bool:
        try:
            warm.ready()
        except LaunchError as error:
            assert "worker's log" in str(error)
            return True
        return False

    wait_for(tries)


def test_what_has_ended_is_forgotten(warm: WarmLauncher, tmp_path: Path) -> None:
    wait_for(warm.ready)
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        started = warm.start(folder, {})
        assert started.ended.wait(60)
        assert started.code == 1
    server = warm._server
    assert server is not None
    assert (server._runs, server._new) == ({}, {})


def test_a_process_that_cannot_be_started_ends_no_other(
    warm: WarmLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = (
        "import os, training.warm as warm; warm.import_heavy_libraries = lambda: None\n"
        "def fork(real=os.fork, first=[1]):\n"
        "    if first: first.pop(); raise OSError(11, 'Resource temporarily unavailable')\n"
        "    return real()\n"
        "os.fork = fork; warm.main()"
    )
    monkeypatch.setattr(module, "python", lambda *arguments: python("-c", full, *arguments[2:]))
    wait_for(warm.ready)
    server = warm.pid
    with pytest.raises(LaunchError, match="Resource temporarily unavailable"):
        warm.start(tmp_path, {})
    assert warm.start(tmp_path, {}).ended.wait(60)
    assert warm.pid == server
