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


@contextmanager
def served(port: int = 0) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server process and its address; it has no limit of its own on how long streams may go on."""
    port = port or free_port()
    command = [sys.executable, "-m", "uvicorn", "webapp.asgi:application", "--port", str(port)]
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


def _wait_until_it_answers(address: str, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 60
    while time.monotonic() < limit and process.poll() is None:
        try:
            if httpx.get(f"{address}/healthz").text == "ok\n":
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")
