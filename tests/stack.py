"""A real `mulberry up` for end-to-end tests, and a look at what it leaves behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests import commands

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "tests" / "data"  # of the real data sets; read unless MULBERRY_DATA names the whole ones
OURS = ("MULBERRY_", "DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_")


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class RunningStack:
    """`mulberry up` on a home and a port of its own; `environment` adds to a clean one."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="mulberry-stack-"))
        self.home.chmod(0o711)  # as root the database runs under another account, which must get through
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self.environment = {
            **clean,
            "MULBERRY_HOME": str(self.home),
            "MULBERRY_DATA": os.environ.get("MULBERRY_DATA", str(SAMPLES)),
            "OMP_NUM_THREADS": "1",
            **(environment or {}),
        }
        self.output = self.home / "up.txt"
        self.process: subprocess.Popen[bytes] | None = None
        self.launched: dict[tuple[str, ...], subprocess.CompletedProcess[str]] = {}

    def start(self, timeout: float = 90) -> None:
        """Start it and return when the dashboard answers."""
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workers.cli", "up", "--port", str(self.port)],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + timeout
        while "Ctrl-C stops it" not in self.output.read_text():
            assert self.process.poll() is None, f"mulberry up ended: {self.said()}"
            assert time.monotonic() < deadline, f"mulberry up is not ready: {self.said()}"
            time.sleep(0.1)

    def said(self) -> str:
        """What it printed, and the logs of its children."""
        logs = [self.output, *sorted((self.home / "logs").glob("*.log"))]
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}" for log in logs)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 60) -> int:
        """Signal it and wait for its end; its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout)

    def mulberry(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a `mulberry` command against it."""
        return commands.mulberry(arguments, self.environment, ROOT, timeout)

    def launch_early(self, *arguments: str) -> None:
        """Launch what a later test waits for, so that it trains while others run."""
        if arguments not in self.launched:
            self.launched[arguments] = self.mulberry("launch", *arguments, "--json")

    def wait_for_runs(self, experiment: str, timeout: float) -> dict[str, int]:
        """Wait until none of an experiment's runs is to come; how many have which state."""
        query = (
            "SELECT r.state, count(*) FROM runs_stagerun r"
            " JOIN experiments_experiment e ON e.id = r.experiment_id WHERE e.name = %s GROUP BY 1"
        )
        deadline = time.monotonic() + timeout
        while (states := dict(self.rows(query, [experiment]))).keys() & {"waiting", "ready", "running"}:
            assert time.monotonic() < deadline, f"{experiment} is not over: {states}"
            time.sleep(0.5)
        return states

    def sign_in_link(self) -> str:
        """A new one-time link."""
        made = self.mulberry("sign-in")
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def database_url(self) -> str:
        """Where its database listens."""
        given = self.environment.get("DATABASE_URL")
        return given or (self.home / "database_url").read_text().strip()

    def rows(self, query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """Ask its database."""
        with psycopg.connect(self.database_url()) as connection:
            return connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]

    def processes(self) -> list[psutil.Process]:
        """Every live process that was started for this home, this test's own excepted."""
        return processes_of(self.home)

    def web(self) -> psutil.Process:
        """The process that serves the dashboard; its guard has its command line as arguments."""
        serving = [one for one in self.processes() if one.cmdline()[-4:-2] == ["workers.cli", "web"]]
        return next(one for one in serving if "--" not in one.cmdline())

    def remove(self) -> None:
        """End what is left of it, and its files."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        end_and_remove(self.home)


def end_and_remove(folder: Path, patience: float = 10) -> list[str]:
    """Remove a folder with the database clusters of the homes in it; the command lines of what had to be ended first.

    What does not end by itself, as guards do when that which they guard has gone, is asked to, then made to.
    """
    left = psutil.wait_procs(processes_of(folder), timeout=patience)[1]
    pids, highest = {process.pid for process in left}, []
    for process in left:
        with suppress(psutil.NoSuchProcess):
            if process.ppid() not in pids:
                highest.append(process)
                process.terminate()
    while found := psutil.wait_procs(processes_of(folder), timeout=3 * patience)[1]:
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
    for cluster in folder.rglob("postgres"):
        if cluster.is_symlink():
            shutil.rmtree(cluster.resolve(), ignore_errors=True)
    shutil.rmtree(folder)
    return [" ".join(process.info["cmdline"] or [process.info["name"]]) for process in highest]


def processes_of(home: Path) -> list[psutil.Process]:
    """Live processes (no zombies) with a MULBERRY_HOME here or below, or inside or with an argument below it.

    Their `info` has name and command line as they were: a process may end before it is asked.
    """
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        try:
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            mine = Path(process.environ().get("MULBERRY_HOME", "/")).is_relative_to(home)
            below = any(word.startswith(str(home)) for word in process.cmdline())
            if mine or below or Path(process.cwd()).is_relative_to(home):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
