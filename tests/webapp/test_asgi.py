"""The dashboard under a real server: pages, files, and an end while a stream is open."""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing

import httpx
import psutil
import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction

from tests import factories
from tests.served import served, session
from webapp.live.shared_reads import THREADS
from webapp.notifications.models import Notification
from webapp.runs import lifecycle

pytestmark = pytest.mark.services

POOL = 16  # connections at most: webapp/asgi.py
Server = tuple[subprocess.Popen[bytes], str]


@pytest.fixture
def server(transactional_db: None) -> Iterator[Server]:
    """A server of the test's own, to end."""
    with served() as found:
        yield found


@pytest.fixture(scope="module")
def address(django_db_setup: None) -> Iterator[str]:
    """Where a server is that the other tests share."""
    with served() as (_, where):
        yield where


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_open_stream_does_not_keep_the_server(server: Server, number: signal.Signals) -> None:
    process, address = server
    with httpx.stream("GET", f"{address}/live/", cookies=session(), timeout=30) as stream:
        chunks = stream.iter_text()
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert "content-encoding" not in stream.headers
        assert next(chunks).startswith("retry:")
        process.send_signal(number)
        for _ in chunks:
            pass  # what was on its way; then the stream ends cleanly
    process.wait(timeout=90)


def test_static_files_and_pages_are_served(address: str, transactional_db: None) -> None:
    for path in ("css/mulberry.css", "js/live.js", "vendor/htmx-4.0.1/htmx.min.js"):
        assert httpx.get(f"{address}/static/{path}").status_code == 200
    answer = httpx.get(f"{address}/", follow_redirects=True)
    assert "mulberry up" in answer.text


def test_open_streams_hold_no_database_connection(address: str, transactional_db: None) -> None:
    """More pages than the pool has connections stay open, and another page still answers."""
    with httpx.Client(timeout=30, cookies=session(), limits=httpx.Limits(max_connections=40)) as pages:
        streams = []
        try:
            for _ in range(20):
                stream = pages.stream("GET", f"{address}/live/")
                response = stream.__enter__()
                streams.append(stream)
                assert next(response.iter_text()).startswith("retry:")
            assert pages.get(f"{address}/").status_code == 200
        finally:
            for stream in streams:
                stream.__exit__(None, None, None)


STREAMS = 200


@pytest.mark.slow
async def test_idle_streams_hold_neither_threads_nor_connections(server: Server) -> None:
    """Two hundred open pages: threads and connections as without them, others answer, each is told everything once."""
    process, address = server
    web, cookies = psutil.Process(process.pid), await sync_to_async(_cookies)()
    limits = httpx.Limits(max_connections=STREAMS + 10)
    async with (
        httpx.AsyncClient(timeout=60, cookies=cookies, limits=limits) as client,
        AsyncExitStack() as opened,
    ):

        async def open_one() -> AsyncIterator[str]:
            response = await opened.enter_async_context(
                client.stream("GET", f"{address}/live/?only=notifications")
            )
            assert response.status_code == 200
            return response.aiter_lines()

        async def told(lines: AsyncIterator[str]) -> list[str]:
            """Titles of the next event."""
            async for line in lines:
                if line.startswith("data: "):
                    return [one["title"] for one in json.loads(line.removeprefix("data: "))["new"]]
            raise AssertionError("the stream ended")

        assert (await client.get(f"{address}/")).status_code == 200
        alone, others = web.num_threads(), await sync_to_async(_connections)()
        streams = await asyncio.gather(*(open_one() for _ in range(STREAMS)))
        assert await asyncio.gather(*map(told, streams)) == [[]] * STREAMS
        assert web.num_threads() <= alone + THREADS + POOL
        assert await sync_to_async(_connections)() <= others + POOL + 1  # the pool, and the one that listens
        for _ in range(2 * POOL):
            assert (await client.get(f"{address}/")).status_code == 200
        for title in ("first", "second"):
            await sync_to_async(_tell)(title)
            assert await asyncio.gather(*map(told, streams)) == [[title]] * STREAMS
        assert web.num_threads() <= alone + THREADS + POOL


def _connections() -> int:
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def _tell(title: str) -> None:
    with closing(connection), transaction.atomic():
        user, experiment = factories.make_user(), factories.make_experiment(title)
        Notification.objects.create(
            user=user, key=title, kind="failed", experiment=experiment, title=title, path="/"
        )
        lifecycle.notify(user=user.pk)


def _cookies() -> dict[str, str]:
    with closing(connection):
        return session()
