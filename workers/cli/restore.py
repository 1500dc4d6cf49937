"""A restore: a backup's database and files into a home and a database that hold nothing; never over what is there."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from workers.cli import backup
from workers.cli.backup import BackupError
from workers.stack import supervisor
from workers.stack.postgres import Postgres, PostgresError

# Paths are absolute in the database; the processes of then are none of now, whatever their numbers.
MOVED = (
    ("UPDATE runs_checkpoint SET path = %(to)s || substr(path, length(%(from)s) + 1) WHERE {under}", "path"),
    ("UPDATE runs_attempt SET run_dir = %(to)s || substr(run_dir, length(%(from)s) + 1) WHERE {under}", "run_dir"),
)  # fmt: skip
LET_GO = (
    "UPDATE runs_attempt SET pid = NULL, process_started = NULL WHERE ended_at IS NULL",
    "UPDATE runs_stagerun SET lease_until = now() WHERE state = 'running'",
    "UPDATE runs_worker SET stopped_at = now() WHERE stopped_at IS NULL",
)
FOLDERS = ("storage", "runs")


def restore(folder: Path, home: Path, storage: Path, url: str | None, say: Callable[[str], None]) -> None:
    """Put a backup into an empty home and database (url None: a new embedded one). Raises BackupError.

    On an error nothing of it stays.
    """
    targets = {"storage": storage, "runs": home / "runs"}
    _refuse_what_is_there(home, targets, url)
    say("checking every file of the backup")
    found = backup.read(folder)
    try:
        with _database(home, url) as database:
            _restore_database(folder, found, database, targets, say)
            for name in FOLDERS:
                say(f"copying {name}")
                if (folder / name).exists():
                    shutil.copytree(folder / name, targets[name], dirs_exist_ok=True)
    except (OSError, BackupError, PostgresError, supervisor.StartError, psycopg.Error) as error:
        _remove(home, targets, url)
        raise BackupError(f"nothing was restored: {' '.join(_why(error).split())}") from None


def _why(error: Exception) -> str:
    if isinstance(error, shutil.Error):  # of a folder: which files, and why each
        _, target, why = error.args[0][0]
        return f"{target}: {why}"
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)


def _refuse_what_is_there(home: Path, targets: dict[str, Path], url: str | None) -> None:
    cluster = home / "postgres"
    if url is None and (cluster.exists() or cluster.is_symlink()):
        raise BackupError(f"{home} has a database already; set MULBERRY_HOME to an empty folder")
    for path in targets.values():
        if path.exists() and any(path.iterdir()):
            raise BackupError(
                f"{path} is not empty; restore into an empty MULBERRY_HOME and MULBERRY_STORAGE"
            )
    if url is not None:
        try:
            with psycopg.connect(url) as connection:
                tables = (
                    "SELECT 1 FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
                )
                if connection.execute(tables).fetchone():
                    raise BackupError("the database of DATABASE_URL has tables already; give an empty one")
        except psycopg.Error as error:
            raise BackupError(f"the database: {' '.join(str(error).split())}") from None


@contextmanager
def _database(home: Path, url: str | None) -> Iterator[str]:
    """Where to restore to; the embedded one is made, and stopped afterwards: `mulberry up` starts it."""
    if url is not None:
        yield url
        return
    lock = supervisor.take_lock(home, "", lambda _: None)
    server = Postgres(home)
    try:
        yield server.start(keep_open=(lock,))
    finally:
        server.stop()
        os.truncate(lock, 0)
        os.close(lock)


def _restore_database(
    folder: Path, found: dict[str, Any], url: str, targets: dict[str, Path], say: Callable[[str], None]
) -> None:
    with psycopg.connect(url) as connection:
        server = connection.info.server_version // 10_000
    if server < found["server"]:
        raise BackupError(
            f"the backup is of PostgreSQL {found['server']}, and this is {server}; restore into {found['server']} or newer"
        )
    program, _ = backup.client("pg_restore", found["client"])
    say(f"restoring the database (PostgreSQL {server})")
    options = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")
    backup.run_client(program, url, *options, str(folder / backup.DUMP))
    with psycopg.connect(url) as connection:
        for (statement, column), name in zip(MOVED, FOLDERS, strict=True):
            before, now = found[name], str(targets[name].resolve())
            under = f"starts_with({column}, %(from)s || '/')"
            connection.execute(statement.format(under=under), {"from": before, "to": now})
        for statement in LET_GO:
            connection.execute(statement)


def _remove(home: Path, targets: dict[str, Path], url: str | None) -> None:
    """Take away what was made: all of it was empty, or not there, before. A database's transaction took itself away."""
    for path in targets.values():
        with contextlib.suppress(FileNotFoundError):
            for one in path.iterdir():
                shutil.rmtree(one, ignore_errors=True)
    cluster = home / "postgres"
    if url is None and cluster.exists():
        shutil.rmtree(cluster.resolve(), ignore_errors=True)
        cluster.unlink() if cluster.is_symlink() else None
