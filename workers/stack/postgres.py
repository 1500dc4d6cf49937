"""The embedded PostgreSQL 18: a private cluster on a Unix socket.

One process at a time may start it: whoever holds the home's lock (supervisor.py).
"""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from workers.stack import guard, postgres_programs
from workers.stack.system_account import AccountError, can_reach, system_account

MAJOR = "18"
NAME = "mulberry"  # of the superuser and of the database
SOCKET_PATH_LIMIT = 100  # bytes; the kernel's is 107, macOS's 103
START_LIMIT = 120.0  # seconds; recovery after a hard kill is part of it
SHUTDOWN_PATIENCE = 2.0  # seconds from a shutdown that nobody here asked for until its clients are cut off
FAST_SHUTDOWN_LIMIT = 30.0  # seconds, the patience among them, until it is ended without one


class PostgresError(RuntimeError):
    """PostgreSQL cannot run; the message is one line and says what to do."""


class Postgres:
    """A cluster in `home`/postgres and the server on it; one process at a time may start it (the home's lock)."""

    def __init__(self, home: Path, options: Mapping[str, str] | None = None) -> None:
        """`options` are server settings (fsync=off for tests)."""
        self.home = home
        self.options = dict(options or {})
        self.log = home / "logs" / "postgres.log"
        self._server: subprocess.Popen[bytes] | None = None
        self._stopping_since: float | None = None  # monotonic
        self._asked: signal.Signals | None = None  # to end, after that

    @cached_property
    def account(self) -> pwd.struct_passwd | None:
        """Who the server runs as; None is this process's own user."""
        folder = self.home / "postgres"
        if folder.exists():
            owner = folder.stat().st_uid
            if owner == os.geteuid() != 0:
                return None
            name = _name_of(owner)
            if owner == 0:
                raise PostgresError(
                    f"{folder} belongs to root, as which PostgreSQL does not run; move it away"
                )
            if os.geteuid() != 0:
                raise PostgresError(
                    f"{folder} belongs to {name}; start as {name}, or use another MULBERRY_HOME"
                )
            return pwd.getpwuid(owner)
        if os.geteuid() != 0:
            return None
        try:
            return system_account()
        except AccountError as error:
            raise PostgresError(str(error)) from None

    @cached_property
    def folder(self) -> Path:
        """`home`/postgres, made on first use; a link into /var/lib/mulberry when the system account cannot enter `home`."""
        folder = self.home / "postgres"
        if not folder.exists():
            with contextlib.suppress(FileNotFoundError):
                folder.unlink()  # a link whose target is gone
            self._make_folder(folder)
        resolved = folder.resolve()
        if not can_reach(self.account, resolved, "w"):
            raise PostgresError(
                f"{resolved} cannot be entered by {_name_of(resolved.stat().st_uid)}; see docs/operations.md"
            )
        return resolved

    def _make_folder(self, folder: Path) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        inside = can_reach(self.account, self.home)
        parent = self.home if inside else postgres_programs.STATE
        parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix="cluster-" if not inside else ".cluster-", dir=parent))
        if self.account:
            os.chown(made, self.account.pw_uid, self.account.pw_gid)
        if inside:
            made.rename(folder)
        else:
            folder.symlink_to(made)

    @cached_property
    def sockets(self) -> Path:
        """A new private folder with a short path, for the socket of this server alone."""
        places = ["/run"] if os.geteuid() == 0 else [os.environ.get("XDG_RUNTIME_DIR", "")]
        for place in [*places, tempfile.gettempdir(), "/tmp"]:  # noqa: S108  (mkdtemp makes it private)
            path_bytes = len(os.fsencode(place)) + len("/mulberry-12345678/.s.PGSQL.5432")
            if not place or path_bytes > SOCKET_PATH_LIMIT or not os.access(place, os.W_OK | os.X_OK):
                continue
            if not can_reach(self.account, Path(place)):
                continue
            folder = Path(tempfile.mkdtemp(prefix="mulberry-", dir=place))
            if self.account:
                os.chown(folder, self.account.pw_uid, self.account.pw_gid)
            return folder
        raise PostgresError("no short, writable folder for the database's socket; make /tmp writable")

    @cached_property
    def password(self) -> str:
        """The superuser's password, generated with the cluster."""
        path = self.folder / "password"
        if not path.exists():
            if self.data.exists():
                raise PostgresError(
                    f"{path} is missing; put it back, or move {self.folder} away to start empty"
                )
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(24))
            self._give(path)
        return path.read_text().strip()

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """Where the server listens, with the password; known before it is started."""
        return f"postgresql://{NAME}:{self.password}@/{NAME}?host={self.sockets}"

    def start(self, keep_open: tuple[int, ...] = ()) -> str:
        """Make the cluster if there is none, start the server, announce its URL in `home`/database_url."""
        try:
            if not self.data.exists():
                self._initialise()
            self.check()
            self._end_earlier_server()
            self._remove_earlier_sockets()
            self._run(keep_open)
            self._create_database()
            _write_private(self.home / "database_url", self.url)
        except OSError as error:
            self.stop()
            raise PostgresError(
                f"{error.filename or self.home}: {error.strerror}; {_advice(str(error))}"
            ) from None
        except PostgresError:
            self.stop()
            raise
        return self.url

    def poll(self) -> int | None:
        """Exit status of a server that ended, None while it runs."""
        return self._server.poll() if self._server else 0

    def finish_shutdown(self) -> str | None:
        """End a shutdown that waits for its clients, who never go; what was done, in a sentence, None where nothing was.

        TERM is PostgreSQL's "smart" shutdown: it takes no new connection while pools keep the old ones open for good. Such a
        server gets INT (clients are cut off), and QUIT (it recovers at its next start) where even that does not end it.
        """
        if self._server is None or self._status() != "stopping":
            self._stopping_since = None
            return None
        now = time.monotonic()
        if self._stopping_since is None:
            self._stopping_since, self._asked = now, None
        waited, number = now - self._stopping_since, signal.SIGINT
        if waited < SHUTDOWN_PATIENCE:
            return None  # an orderly shutdown may be at its end
        if waited > FAST_SHUTDOWN_LIMIT:
            number = signal.SIGQUIT
        if self._asked == number:
            return None
        self._asked = number
        lines = self._lock_lines()
        if not lines:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(lines[0]), number)
        return f"the database was told to shut down and takes no new connection; ending it (signal {int(number)})"

    def refuses(self) -> str | None:
        """Why the server takes no new connection now, None when it does; it takes two seconds at most."""
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            return _reason(str(error))
        return None

    def _lock_lines(self) -> list[str]:
        """postmaster.pid: the first line is the process, the eighth what it is doing; empty where there is none."""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _status(self) -> str:
        """What the server is doing by its own account: starting, ready, stopping; "" where it does not say."""
        lines = self._lock_lines()
        return lines[7].strip() if len(lines) > 7 else ""

    @property
    def life_pipe(self) -> int | None:
        """Descriptor whose last copy, when closed, ends the server: children that need it to the end hold one."""
        return self._server.stdin.fileno() if self._server and self._server.stdin else None

    def restart(self, keep_open: tuple[int, ...] = ()) -> None:
        """Start again at the same URL after the server ended by itself."""
        self._end_earlier_server()
        self._run(keep_open)

    def stop(self) -> None:
        """Shut down (fast: open transactions are rolled back) and take the announcement and the socket away."""
        if self._server:
            guard.stop(self._server)
            self._server = None
        announced = self.home / "database_url"
        if "sockets" in self.__dict__:
            if announced.exists() and str(self.sockets) in announced.read_text():
                announced.unlink()
            shutil.rmtree(self.sockets, ignore_errors=True)
            del self.__dict__["sockets"]

    @cached_property
    def _programs(self) -> Path:
        """Folder of initdb and postgres, in a place where the account can run them."""
        try:
            return postgres_programs.runnable_by(self.account)
        except postgres_programs.MissingError as error:
            raise PostgresError(str(error)) from None

    def _initialise(self) -> None:
        new = self.folder / "data.new"
        if new.exists():
            shutil.rmtree(new)  # an earlier start was killed half-way; it never was a cluster
        self.password  # noqa: B018  (initdb reads its file)
        command = [str(self._programs / "initdb"), "-D", str(new), "-U", NAME, "-A", "scram-sha-256"]
        command += ["--pwfile", str(self.folder / "password"), "-E", "UTF8", "--locale=C"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if self.options.get("fsync") == "off":
            command.append("--no-sync")
        made = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=_environment(),
            cwd=self.folder,
            user=self.account.pw_uid if self.account else None,
            group=self.account.pw_gid if self.account else None,
            extra_groups=[] if self.account else None,
        )
        if made.returncode != 0:
            raise PostgresError(f"initdb failed: {_reason(made.stderr)}")
        new.rename(self.data)

    def size(self) -> int:
        """Bytes that the cluster takes."""
        return sum(path.stat().st_size for path in self.data.rglob("*") if path.is_file())

    def check(self) -> None:
        """Raise PostgresError when the data directory is not one that this server can use."""
        mark = self.data / "PG_VERSION"
        if not mark.exists() or not (self.data / "global" / "pg_control").exists():
            raise PostgresError(
                f"{self.data} is not a complete cluster; move {self.folder} away to start empty"
            )
        found = mark.read_text().strip()
        if found != MAJOR:
            raise PostgresError(
                f"{self.data} is of PostgreSQL {found}, this is {MAJOR}; pg_dump it with {found} and restore, "
                "or move it away to start empty"
            )

    def _end_earlier_server(self) -> None:
        """End a server that a hard kill left on this cluster, or forget one whose number another process has."""
        lock, lines = self.data / "postmaster.pid", self._lock_lines()
        if not lines:
            return
        try:
            process = psutil.Process(int(lines[0]))
            ours = process.name().startswith("postgres") and Path(process.cwd()) == self.data
        except (psutil.NoSuchProcess, IndexError, ValueError):
            return  # PostgreSQL itself takes over such a file
        if not ours:
            lock.unlink()
            return
        for number, seconds in ((signal.SIGINT, 30), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)):
            with contextlib.suppress(psutil.TimeoutExpired, psutil.NoSuchProcess):
                process.send_signal(number)
                process.wait(seconds)
                return

    def _remove_earlier_sockets(self) -> None:
        """Remove the socket folder of a start that could not do so itself; its announcement names it."""
        announced = self.home / "database_url"
        if announced.exists():
            folder = Path(announced.read_text().strip().rpartition("?host=")[2])
            if folder.name.startswith("mulberry-") and folder != self.sockets:
                shutil.rmtree(folder, ignore_errors=True)

    def _run(self, keep_open: tuple[int, ...]) -> None:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_line_prefix": "%m ",
            **self.options,
        }
        command = [str(self._programs / "postgres"), "-D", str(self.data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        written = self.log.stat().st_size if self.log.exists() else 0
        self._server = guard.start(
            command,
            log=self.log,
            stop_signal=signal.SIGINT,
            grace=30,
            account=self.account,
            environment=_environment(),
            keep_open=keep_open,
            remove=self.sockets,
        )
        deadline = time.monotonic() + START_LIMIT
        while True:
            try:
                psycopg.connect(self.url.replace(f"/{NAME}?", "/postgres?")).close()
                return
            except psycopg.OperationalError as error:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    said = self.log.read_bytes()[written:].decode(errors="replace")
                    raise PostgresError(f"PostgreSQL did not start: {_reason(said or str(error))}") from None
            time.sleep(0.05)

    def _create_database(self) -> None:
        with psycopg.connect(self.url.replace(f"/{NAME}?", "/postgres?"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))

    def _give(self, path: Path) -> None:
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)


def _environment() -> dict[str, str]:
    """PostgreSQL gets no secrets and no locale of ours."""
    return {"PATH": os.defpath, "LC_ALL": "C"}


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _write_private(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # 0600
    with os.fdopen(handle, "w") as file:
        file.write(text + "\n")
    Path(temporary).replace(path)


def _advice(message: str) -> str:
    if "No space left" in message:
        return "free some space on this disk"
    return "make it writable, or set MULBERRY_HOME to a folder that is"


def _reason(output: str) -> str:
    """The one line of a program's output that says what went wrong."""
    lines = [line for line in output.splitlines() if line.strip()]
    if any("No space left" in line for line in lines):
        return "the disk is full (No space left on device); free some space"
    worst = [line for mark in ("FATAL:", "PANIC:", "error:", "could not") for line in lines if mark in line]
    return (worst or lines or ["it said nothing"])[0].strip()
