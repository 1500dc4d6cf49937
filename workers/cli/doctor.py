"""`mulberry doctor`: what is in order on this machine, what is not, and what to do about it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

from training import rewards
from training.data_sets import DATA_SETS
from training.folders import data_folder, home_folder
from workers import devices
from workers.cli.commands import CommandError, database
from workers.stack import postgres_programs, supervisor
from workers.stack.postgres import Postgres, PostgresError

ENOUGH = 5_000_000_000  # bytes free: an experiment of the demo's size leaves far less


class Check(NamedTuple):
    """One line: what was looked at, whether it is in order, and what was found or what to do."""

    name: str
    good: bool
    text: str


def run(*, as_json: bool) -> int:
    """Print every check; 1 when one is not in order."""
    checks = [check for look in LOOKS for check in look()]
    if as_json:
        print(json.dumps([check._asdict() for check in checks], indent=1))
    else:
        for check in checks:
            print(f"{'ok     ' if check.good else 'PROBLEM'}  {check.name:<12}  {check.text}")
    return 0 if all(check.good for check in checks) else 1


def _programs() -> Iterator[Check]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Check("python", sys.version_info >= (3, 11), python)
    for package in ("torch", "transformers", "trl"):
        try:
            yield Check(package, True, version(package))
        except PackageNotFoundError:
            yield Check(package, False, "is not installed; run `make setup`")
    browser = next(
        filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None
    )
    yield Check("browser", True, browser or "no Chromium: only `make test` needs one")


def _home() -> Iterator[Check]:
    home = home_folder()
    exists = next(folder for folder in (home, *home.parents) if folder.exists())
    writable = os.access(exists, os.W_OK)
    yield Check("home", writable, str(home) if writable else f"{exists} cannot be written; set MULBERRY_HOME")
    free = shutil.disk_usage(exists).free
    advice = "" if free > ENOUGH else "; free some space"
    yield Check("disk", free > ENOUGH, f"{free / 1e9:.1f} GB free for {home}{advice}")
    held = supervisor.running(home)
    yield Check(
        "running", True, f"{held[1]} (process {held[0]})" if held else "`mulberry up` does not run here"
    )


def _postgres() -> Iterator[Check]:
    if os.environ.get("DATABASE_URL"):
        yield Check("postgres", True, "DATABASE_URL is set; the embedded one is not used")
        return
    home = home_folder()
    server = Postgres(home)
    try:
        if not (home / "postgres").exists():
            programs = postgres_programs.runnable_by(None)
            said = subprocess.run(
                [programs / "postgres", "--version"], capture_output=True, text=True, check=True
            )
            yield Check("postgres", True, f"{said.stdout.strip()}; no cluster yet")
            return
        server.check()
        yield Check(
            "postgres", True, f"cluster in {server.data}, {server.size() / 1e6:.0f} MB; log in {server.log}"
        )
    except (PostgresError, postgres_programs.MissingError) as error:
        yield Check("postgres", False, str(error))


def _database() -> Iterator[Check]:
    if not database.announced():
        yield Check("database", True, "none is announced; `mulberry up` starts one")
        return
    try:
        database.connect()
    except (CommandError, ImproperlyConfigured) as error:
        needed = bool(os.environ.get("DATABASE_URL")) or supervisor.running(home_folder()) is not None
        yield Check("database", not needed, str(error))
        return
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    text = (
        f"{missing} migrations are missing; start `mulberry up`" if missing else "answers, migrations applied"
    )
    yield Check("database", not missing, text)


def _work() -> Iterator[Check]:
    yield _devices()
    folder = data_folder()
    missing = [one.name for one in DATA_SETS.values() if one.missing(folder)]
    advice = f"; not there: {', '.join(missing)} (see `mulberry data`)" if missing else ""
    yield Check("data", True, f"{folder}{advice}")


def _devices() -> Check:
    """The slots that a worker started here would have, by the same two variables."""
    numbers = {}
    for name in ("MULBERRY_SLOTS", "MULBERRY_DEVICES_PER_SLOT"):
        text = os.environ.get(name, "")
        if text and not (text.isdecimal() and int(text)):
            return Check("devices", False, f"{name} is {text!r}; give a number, 1 or more")
        numbers[name] = int(text) if text else None
    slots, per_slot = numbers.values()
    try:
        found = devices.devices(slots, per_slot or 1)
    except ValueError as error:
        return Check("devices", False, str(error))
    return Check("devices", True, ", ".join(slot.name for slot in found))


def _plugins() -> Iterator[Check]:
    for plugin in rewards.PLUGINS:
        text = f"reward {plugin.name!r} of {plugin.package}"
        yield Check("plug-in", not plugin.problem, f"{text}: {plugin.problem}" if plugin.problem else text)
    if not rewards.PLUGINS:
        yield Check("plug-in", True, "no other package brings rewards")


LOOKS: tuple[Callable[[], Iterator[Check]], ...] = (_programs, _home, _postgres, _database, _work, _plugins)
