"""The dashboard under a real server: pages, files, and an end while a stream is open."""

import signal
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.served import served, session

pytestmark = pytest.mark.services

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
