"""A backup: the database and the files that it names, as of one moment, in a folder that tells what must lie in it.

The dump and the list of files come from one snapshot of the database. Of a journal what the database has read is copied,
of checkpoints those that it names and that are still there; each copy is compared with the checkpoint's own manifest.
`backup.json` is written last: a folder without it is no backup.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from training.code_version import code_version
from training.process import checkpoints
from workers.stack import postgres_programs

MANIFEST, DUMP = "backup.json", "database.dump"
FORMAT = 1
BESIDE_THE_JOURNAL = ("spec.json", "output.txt")  # of a run directory
BLOCK = 1 << 20  # bytes
CHECKPOINTS = (
    "SELECT DISTINCT ON (path) path, manifest_sha256, final FROM runs_checkpoint ORDER BY path, id DESC"
)
ATTEMPTS = "SELECT run_dir, journal_offset FROM runs_attempt WHERE run_dir <> '' ORDER BY id"


class BackupError(RuntimeError):
    """The message is one line and says what to do."""


@dataclass
class Backup:
    """A folder that is being filled."""

    folder: Path
    storage: Path
    runs: Path
    files: dict[str, list[Any]] = field(default_factory=dict)  # path in the folder → bytes, SHA-256
    missing: list[str] = field(default_factory=list)  # what the database names and is not whole any more
    elsewhere: list[str] = field(default_factory=list)  # what it names outside both folders


def make(folder: Path, url: str, storage: Path, runs: Path, say: Callable[[str], None]) -> Backup:
    """Write a backup into a new or empty folder. Raises BackupError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupError(f"{folder} is not empty; give a folder that is, or that is not there yet")
    if any(folder.resolve().is_relative_to(one.resolve()) for one in (storage, runs)):
        raise BackupError(f"{folder} lies inside what it would hold; give another one")
    made = Backup(folder, storage, runs)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with psycopg.connect(url) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            ((snapshot,),) = connection.execute("SELECT pg_export_snapshot()").fetchall()
            server = connection.info.server_version // 10_000
            say(f"dumping the database (PostgreSQL {server})")
            client = _dump(folder / DUMP, url, server, snapshot)
            named = connection.execute(CHECKPOINTS).fetchall(), connection.execute(ATTEMPTS).fetchall()
        _note(made, folder / DUMP)
        for path, sha256, final in named[0]:
            _checkpoint(made, Path(path), sha256, final)
        for run_dir, offset in named[1]:
            _run(made, Path(run_dir), offset)
    except OSError as error:
        raise BackupError(f"{error.filename or folder}: {error.strerror}; {folder} is no backup") from None
    except psycopg.Error as error:
        raise BackupError(f"the database: {' '.join(str(error).split())}; {folder} is no backup") from None
    written = {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(),
        "code_version": code_version(),
        "server": server,
        "client": client,
        "storage": str(storage),
        "runs": str(runs),
        "missing": made.missing,
        "elsewhere": made.elsewhere,
        "files": made.files,
    }
    (folder / MANIFEST).write_text(json.dumps(written, indent=1, ensure_ascii=False), encoding="utf-8")
    return made


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a backup, every file of which is there and whole. Raises BackupError."""
    try:
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise BackupError(f"{folder} is no whole backup: it has no {MANIFEST} that can be read") from None
    if found.get("format") != FORMAT:
        raise BackupError(
            f"{folder} is a backup of format {found.get('format')}, this reads {FORMAT}; restore by the version "
            f"that made it ({found.get('code_version')})"
        )
    for name, (size, sha256) in found["files"].items():
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise BackupError(f"{folder}: {name} lies outside it; this is no backup of ours")
        try:
            whole = [*_read_whole(folder / name)] == [size, sha256]
        except OSError as error:
            raise BackupError(f"{folder / name}: {error.strerror}; take another backup") from None
        if not whole:
            raise BackupError(f"{folder / name} is not as it was written; take another backup")
    return found


def run_client(program: Path, url: str, *options: str) -> None:
    """Run a program of PostgreSQL on a database, its password in the environment. Raises BackupError."""
    parts = conninfo_to_dict(url)
    password = str(parts.pop("password", None) or "")
    done = subprocess.run(
        [str(program), f"--dbname={make_conninfo(**parts)}", *options],  # type: ignore[arg-type]
        env={**os.environ, "PGPASSWORD": password, "LC_ALL": "C"},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error:" in line] or [done.stderr.strip()]
        raise BackupError(f"{program.name}: {lines[0].partition('error: ')[2] or lines[0]}")


def client(name: str, at_least: int) -> tuple[Path, int]:
    """The oldest of the programs here of so high a version, and its version. Raises BackupError."""
    found = sorted(_clients(name))
    for version, path in found:
        if version >= at_least:
            return path, version
    here = " and ".join(str(version) for version, _ in found) or "missing"
    raise BackupError(
        f"this needs {name} of PostgreSQL {at_least} or newer, and here it is {here}; "
        f"install postgresql-client-{at_least}, and see that it is the {name} in PATH"
    )


def _clients(name: str) -> Iterator[tuple[int, Path]]:
    places = [shutil.which(name)]
    with contextlib.suppress(postgres_programs.MissingError):
        places.append(str(postgres_programs.runnable_by(None) / name))
    for place in filter(None, places):
        said = subprocess.run([place, "--version"], capture_output=True, text=True)
        number = said.stdout.partition("PostgreSQL) ")[2].partition(".")[0].strip()
        if said.returncode == 0 and number[:2].isdecimal():
            yield int(number[:2]), Path(place)


def _dump(file: Path, url: str, server: int, snapshot: str) -> int:
    program, version = client("pg_dump", server)
    options = ("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={file}")
    run_client(program, url, *options)
    return version


def _checkpoint(made: Backup, path: Path, sha256: str, final: bool) -> None:
    """Copy a checkpoint; a point to resume from that is gone was pruned, a final one should be there."""
    if not path.is_relative_to(made.storage):
        made.elsewhere.append(str(path))
        return
    target = made.folder / "storage" / path.relative_to(made.storage)
    try:
        shutil.copytree(path, target)
        found = checkpoints.read(target)
    except (OSError, shutil.Error):  # a stage that trains takes old ones away
        found = None
    if found is None or found.manifest_sha256 != sha256:
        shutil.rmtree(target, ignore_errors=True)
        if final:
            made.missing.append(str(path))
        return
    for file in sorted(one for one in target.rglob("*") if one.is_file()):
        _note(made, file)


def _run(made: Backup, run_dir: Path, offset: int) -> None:
    """Copy a run directory with as much of its journal as the database has read; others come when they are read."""
    if not run_dir.is_relative_to(made.runs):
        made.elsewhere.append(str(run_dir))
        return
    target = made.folder / "runs" / run_dir.relative_to(made.runs)
    if not run_dir.is_dir():
        return  # of another machine, or removed: what it held is in the database
    target.mkdir(parents=True, exist_ok=True)
    for name in BESIDE_THE_JOURNAL:
        if (run_dir / name).is_file():
            shutil.copy2(run_dir / name, target / name)
            _note(made, target / name)
    if (run_dir / "journal").is_file():
        with (run_dir / "journal").open("rb") as source, (target / "journal").open("wb") as copy:
            left = offset
            while left and (part := source.read(min(left, BLOCK))):
                copy.write(part)
                left -= len(part)
        _note(made, target / "journal")


def _note(made: Backup, file: Path) -> None:
    made.files[str(file.relative_to(made.folder))] = [*_read_whole(file)]


def _read_whole(file: Path) -> tuple[int, str]:
    """Bytes and SHA-256."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return file.stat().st_size, digest
