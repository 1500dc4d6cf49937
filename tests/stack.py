"""A real `mulberry up` for end-to-end tests, and a look at what it leaves behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import psycopg

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
        return subprocess.run(
            [sys.executable, "-m", "workers.cli", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

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

    def remove(self) -> None:
        """End what is left of it, and its files."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        if (cluster := self.home / "postgres").is_symlink():
            shutil.rmtree(cluster.resolve())
        shutil.rmtree(self.home)


def processes_of(home: Path) -> list[psutil.Process]:
    """Live processes (no zombies) with this MULBERRY_HOME, or inside or with an argument below it.

    Their `info` has name and command line as they were: a process may end before it is asked.
    """
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        try:
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            mine = process.environ().get("MULBERRY_HOME") == str(home)
            below = any(word.startswith(str(home)) for word in process.cmdline())
            if mine or below or Path(process.cwd()).is_relative_to(home):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
