"""The dashboard under uvicorn on the test database, for tests that need a real server."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.db import connection
from django.test import Client

from tests import factories
from tests.stack import free_port

IN_FLIGHT = "/requests-in-flight"  # of COUNTING
DASHBOARD, COUNTING = "webapp.asgi:application", "tests.counting:application"
PATIENCE = 60.0  # seconds; a shared machine has slow moments


@contextmanager
def served(port: int = 0, application: str = DASHBOARD) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server process and its address; it has no limit of its own on how long streams may go on."""
    port = port or free_port()
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--log-level", "warning"],
        env={**os.environ, "DATABASE_URL": database_url()},
        cwd=settings.ROOT,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(address, process)
        yield process, address
    finally:
        process.kill()
        process.wait()


def database_url() -> str:
    """Where the test database is, for a process of its own."""
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


def session() -> dict[str, str]:
    """The cookie of a signed-in person."""
    client = Client()
    client.force_login(factories.make_user())
    return {"sessionid": client.cookies["sessionid"].value}


def wait_until_idle(address: str) -> None:
    """Return when a server of COUNTING answers no request and nothing but this test is at work in its database.

    Otherwise the server would read tables in one order while the test empties them in another: a deadlock.
    """
    working = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    limit = time.monotonic() + PATIENCE
    while True:
        requests = int(httpx.get(f"{address}{IN_FLIGHT}").text)
        with connection.cursor() as cursor:
            cursor.execute(working)
            ((queries,),) = cursor.fetchall()
        if not requests and not queries:
            return
        assert time.monotonic() < limit, f"{requests} requests and {queries} queries do not end"
        time.sleep(0.02)


def _wait_until_it_answers(address: str, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit and process.poll() is None:
        try:
            if httpx.get(f"{address}/healthz").text == "ok\n":
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")
