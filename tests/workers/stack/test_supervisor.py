"""`mulberry up`: it comes up, keeps its children up, and leaves nothing, however it ends.

The tests of `stack_of_its_own` share a home and take it over as the one before left it: running. Each works alone, too.
"""

import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.stack import ROOT, RunningStack, free_port
from workers.processes import living
from workers.stack.supervisor import answers
from workers.stack.system_account import can_reach

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
NewStack = Callable[..., RunningStack]


@pytest.fixture(scope="module")
def stack_of_its_own() -> Iterator[RunningStack]:
    """A stack that the tests of this module stop, kill and start again; SIGINT ends it and all that belongs to it."""
    made = RunningStack()
    try:
        yield made
        assert made.stop(signal.SIGINT) == 0, made.said()
        assert made.processes() == []
    finally:
        made.remove()


@pytest.fixture
def up(stack_of_its_own: RunningStack) -> RunningStack:
    """The module's stack, running, whose children were not started again often: after RESTARTS it gives up, as it should."""
    stack = stack_of_its_own
    running = stack.process is not None and stack.process.poll() is None
    if running and stack.output.read_text().count("starting it again") > 1:
        assert stack.stop(signal.SIGINT) == 0, stack.said()
        running = False
    if not running:
        stack.start()
    return stack


def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.1)


def child(stack: RunningStack, *words: str) -> psutil.Process:
    """The one process of the stack whose command line has these words and that is no guard."""
    found = [p for p in stack.processes() if set(words) <= set(p.info["cmdline"]) and not is_guard(p)]
    assert len(found) == 1, found
    return found[0]


def is_guard(process: psutil.Process) -> bool:
    return "--grace" in " ".join(process.info["cmdline"])


def guards(stack: RunningStack) -> dict[psutil.Process, psutil.Process]:
    """Each guard with what it guards."""
    return {guard: guard.children()[0] for guard in stack.processes() if is_guard(guard)}


def postmaster(stack: RunningStack) -> psutil.Process:
    (found,) = [p for p in stack.processes() if p.info["name"] == "postgres" and "-D" in p.info["cmdline"]]
    return found


def socket_folder(stack: RunningStack) -> Path:
    return Path(stack.database_url().rpartition("?host=")[2])


def test_a_second_start_on_the_same_home_points_to_the_first(up: RunningStack) -> None:
    stack = up
    second = stack.mulberry("up", "--port", str(free_port()))
    assert second.returncode == 0, second.stderr
    assert f"already runs on this home: {stack.address}" in second.stdout
    assert f"{stack.address}/sign-in/" in second.stdout
    assert answers(stack.address)


def test_children_end_with_a_killed_supervisor_and_the_next_start_is_clean(up: RunningStack) -> None:
    stack = up
    sockets = socket_folder(stack)
    assert stack.process is not None
    stack.process.kill()
    stack.process.wait()
    stack.start()  # at once: it waits until the children of the first are gone
    assert socket_folder(stack) != sockets
    assert not sockets.exists()


def test_everything_killed_at_once_is_no_obstacle(up: RunningStack) -> None:
    stack = up
    for process in stack.processes():
        if "postgres" not in process.info["name"]:  # the database is left alone, without its guard
            with suppress(psutil.NoSuchProcess):  # it ended with the one that started it
                process.kill()
    assert stack.process is not None
    stack.process.wait()
    left = [
        process for process in stack.processes() if "postgres" in process.info["name"]
    ]  # the kernel may have been quicker
    stack.start()
    until(lambda: not living(set(left)), "the earlier database is gone")


def test_what_a_killed_guard_guarded_ends_and_is_started_again(up: RunningStack) -> None:
    stack = up
    for name in ("web", "workers"):
        guard, guarded = next(pair for pair in guards(stack).items() if name in pair[1].cmdline())
        guard.kill()
        until(lambda gone=guarded: not living({gone}), "the kernel ended it")  # type: ignore[misc]
    until(lambda: stack.output.read_text().count("ended (status -9); starting it again") == 2, "it says so")
    until(lambda: answers(stack.address), "the web answers again")
    until(lambda: sum("workers" in one.cmdline() for one in guards(stack).values()) == 1, "one worker")
    assert child(stack, "workers") in guards(stack).values()


def test_killed_guards_of_a_killed_supervisor_leave_nothing(up: RunningStack) -> None:
    stack = up
    assert stack.process is not None
    guarded = guards(stack)
    child(stack, "workers").suspend()  # it could not end by itself
    stack.process.kill()
    for guard in guarded:
        with suppress(psutil.NoSuchProcess):
            guard.kill()
    stack.process.wait()
    stack.start()
    assert not living(set(guarded.values())), "what nobody has waited for yet is gone, too"


def test_a_database_told_to_end_while_its_clients_stay_is_ended_and_started_again(up: RunningStack) -> None:
    stack = up
    before = stack.rows("SELECT pg_postmaster_start_time()")
    said = len(stack.output.read_text())  # by the tests before this one
    client = psycopg.connect(
        stack.database_url()
    )  # it stays, as those of web and worker do: PostgreSQL would wait for it
    try:
        postmaster(stack).terminate()
        until(lambda: "takes no new connection; ending it" in stack.output.read_text()[said:], "it says so")
        until(lambda: "the database ended" in stack.output.read_text()[said:], "it did end")
    finally:
        print(
            "AFTER",
            stack.output.read_text()[-1500:],
            (stack.home / "logs" / "postgres.log").read_text()[-1500:],
        )
        client.close()
    until(lambda: answers(stack.address), "the web answers again")
    assert stack.rows("SELECT pg_postmaster_start_time()") != before


def test_a_database_that_hangs_is_said_and_what_waits_for_it_goes_on(up: RunningStack) -> None:
    stack = up
    before = len(stack.output.read_text())  # of the tests before this one

    def said() -> str:
        return stack.output.read_text()[before:]

    frozen = postmaster(stack)
    frozen.suspend()
    try:
        until(lambda: "the database takes no new connection (" in said(), "it says so")
    finally:
        frozen.resume()
    until(lambda: "the database takes new connections again" in said(), "it says so")
    assert "the database ended" not in said().rpartition("no new connection (")[2]
    assert answers(stack.address)


def test_a_child_that_dies_is_started_again(up: RunningStack) -> None:
    stack = up
    child(stack, "web").kill()
    until(lambda: "the web ended (status 137); starting it again" in stack.output.read_text(), "it says so")
    until(lambda: answers(stack.address), "the web answers again")

    postmaster(stack).kill()
    until(lambda: "the database ended" in stack.output.read_text(), "it says so")
    until(lambda: answers(stack.address), "the web answers again")


def test_what_is_in_the_way_is_said_in_one_line(new_stack: NewStack, tmp_path: Path) -> None:
    stack = new_stack()
    with socket.socket() as other:
        other.bind(("127.0.0.1", stack.port))
        other.listen()
        taken = stack.mulberry("up", "--port", str(stack.port))
    assert (taken.returncode, len(taken.stderr.splitlines())) == (1, 1)
    assert f"port {stack.port} cannot be used" in taken.stderr and "--port" in taken.stderr

    (tmp_path / "file").touch()
    stack.environment["MULBERRY_HOME"] = str(tmp_path / "file" / "home")
    closed = stack.mulberry("up", "--port", str(stack.port))
    assert (closed.returncode, len(closed.stderr.splitlines())) == (1, 1)
    assert "cannot be written" in closed.stderr and "MULBERRY_HOME" in closed.stderr

    stack.environment.update(
        MULBERRY_HOME=str(stack.home), DATABASE_URL=f"postgresql://x@127.0.0.1:{stack.port}/x"
    )
    absent = stack.mulberry("up", "--port", str(stack.port))
    assert (absent.returncode, len(absent.stderr.splitlines())) == (1, 1)
    assert "Connection refused" in absent.stderr
    assert stack.processes() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_needs_nothing_but_a_home(new_stack: NewStack) -> None:
    nobody = pwd.getpwnam("nobody")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = next((p for p in (sys.executable, f"/usr/bin/{version}") if can_reach(nobody, Path(p))), None)
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    if python is None or not can_reach(nobody, Path(libraries)) or not can_reach(nobody, ROOT / "workers"):
        pytest.skip("neither this Python nor the system's can be run by another user")
    stack = new_stack()
    os.chown(stack.home, nobody.pw_uid, nobody.pw_gid)
    stack.environment.update(PYTHONPATH=f"{ROOT}:{libraries}", HOME=str(stack.home))
    with stack.output.open("wb") as output:
        stack.process = subprocess.Popen(
            [python, "-m", "workers.cli", "up", "--port", str(stack.port)],
            cwd=ROOT,
            env=stack.environment,
            stdout=output,
            stderr=output,
            user=nobody.pw_uid,
            group=nobody.pw_gid,
            extra_groups=[],
        )
    until(lambda: "Ctrl-C stops it" in stack.output.read_text(), stack.said())
    assert {process.uids().real for process in stack.processes()} == {nobody.pw_uid}
    assert stack.stop() == 0, stack.said()
    assert stack.processes() == []
