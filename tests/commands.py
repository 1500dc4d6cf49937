"""The `mulberry` command as a process of its own that need not import Django, scipy and the like anew.

Tests of a running stack run a hundred commands, which would spend most of their second on imports. A process that has
imported what reads no settings is forked for each: environment, folder, arguments and output are the command's own.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from multiprocessing import forkserver
from multiprocessing.util import get_temp_dir
from pathlib import Path

import django.conf
import pytest

IMPORTED = [
    "celery",
    "django.core.management",
    "django.db.backends.postgresql.base",
    "django.db.models",
    "django.forms",
    "django.template.loader",
    "django.urls",
    "httpx",
    "kombu.transport.filesystem",
    "numpy",
    "psycopg",
    "psycopg_pool",
    "pydantic",
    "scipy.optimize",
    "scipy.stats",
    "training.recipes.availability",
    "training.recipes.plan",
    "workers.cli.main",
]


def mulberry(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m workers.cli ARGUMENTS` in a folder. Raises subprocess.TimeoutExpired after so many seconds."""
    _start()
    context = multiprocessing.get_context("forkserver")
    with tempfile.TemporaryDirectory() as place:
        said = [Path(place) / name for name in ("output", "error")]
        process = context.Process(
            target=_run, args=(list(arguments), dict(environment), str(folder), *map(str, said))
        )
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(["mulberry", *arguments], timeout)
        output, error = (file.read_text(encoding="utf-8") for file in said)
    return subprocess.CompletedProcess(["mulberry", *arguments], process.exitcode, output, error)


@lru_cache(maxsize=1)
def _start() -> None:
    """Start the process that is forked, as none of the tests' home, whose files end before this process does."""
    forkserver.set_forkserver_preload(IMPORTED)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MULBERRY_HOME", raising=False)
        patch.setattr(tempfile, "tempdir", os.environ.get("PYTEST_DEBUG_TEMPROOT"))
        forkserver.ensure_running()
        get_temp_dir()


def _run(arguments: list[str], environment: dict[str, str], folder: str, output: str, error: str) -> None:
    """In the process: become the command."""
    if django.conf.settings.configured:
        raise AssertionError("what is imported before the command has read the settings of the test")
    for name, number, flags in (
        (os.devnull, 0, os.O_RDONLY),
        (output, 1, os.O_WRONLY | os.O_CREAT),
        (error, 2, os.O_WRONLY | os.O_CREAT),
    ):
        opened = os.open(name, flags, 0o644)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["mulberry", *arguments]
    runpy.run_module("workers.cli", run_name="__main__", alter_sys=True)
