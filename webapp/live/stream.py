"""Server-sent events: what PostgreSQL notifies, brought to the open pages, each from its own cursor.

A notification carries ids only and may be lost with its connection; it is never more than a reason to look (news.py).
Pages wait in the event loop; they read in a few threads that all of them share (shared_reads.py).
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.db import connection

from webapp.live.news import News
from webapp.live.shared_reads import end_request_thread
from webapp.runs.lifecycle import CHANNEL

KEEP_ALIVE_SECONDS = 15.0
COALESCE_SECONDS = 0.25  # from one read to the next at least, however many notifications come between
log = logging.getLogger(__name__)


@dataclass(eq=False)
class Page:
    """One open stream: what it is about (None: everything), whose it is, and the reason to look again."""

    experiment: int | None = None
    run: int | None = None
    user: int | None = None
    only_notifications: bool = False  # nothing but what its person is told of
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def concerns(self, note: dict[str, Any]) -> bool:
        """True when a notification is about what this page shows, or tells its person something."""
        if "user" in note:
            return bool(note["user"] == self.user)
        if self.only_notifications:
            return False
        about_run = self.run is None or note.get("run") == self.run
        return about_run and (self.experiment is None or note.get("experiment") == self.experiment)


class Hub:
    """The one LISTEN connection of this process, open while a page is."""

    def __init__(self) -> None:
        self.pages: set[Page] = set()
        self.closing = False
        self._listener: asyncio.Task[None] | None = None

    @contextmanager
    def open(self, page: Page) -> Iterator[Page]:
        """Wake the page at what concerns it until the block ends."""
        self.pages.add(page)
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen())
        try:
            yield page
        finally:
            self.pages.discard(page)
            if not self.pages:
                self._listener.cancel()
                self._listener = None

    def close(self) -> None:
        """End every stream, now and from now on: the server is stopping."""
        self.closing = True
        self._wake(self.pages)

    async def _listen(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(**_address(), autocommit=True) as listening:
                    await listening.execute(f"LISTEN {CHANNEL}")
                    self._wake(self.pages)  # what was said before this connection listened
                    async for note in listening.notifies():
                        self._tell(note.payload)
            except (psycopg.Error, OSError) as error:
                log.warning("the live connection to the database broke, next try in 1 s: %s", error)
                await asyncio.sleep(1)

    def _tell(self, payload: str) -> None:
        """Wake the pages that a notification is about; all of them where it cannot be read: somebody else's ends nothing."""
        try:
            found = json.loads(payload)
            about = {page for page in self.pages if page.concerns(found)}
        except (ValueError, TypeError, AttributeError):
            log.warning("a notification cannot be read: %.100r", payload)
            about = set(self.pages)
        self._wake(about)

    @staticmethod
    def _wake(pages: set[Page]) -> None:
        for page in pages:
            page.wake.set()


HUB = Hub()


def _address() -> dict[str, Any]:
    """Where Django's database is, for a connection of our own."""
    settings = connection.settings_dict
    named = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    options = {key: value for key, value in settings["OPTIONS"].items() if key != "pool"}
    return options | {key: settings[name] for key, name in named.items() if settings[name]}


async def stream(page: Page, news: Sequence[News], hub: Hub = HUB) -> AsyncIterator[bytes]:
    """One page's stream, until the page or the server goes; what is in `news` is looked for in this order."""
    end_request_thread()
    with hub.open(page):
        yield b"retry: 1000\n\n"
        while not hub.closing:
            page.wake.clear()  # before the read: what is said during it is a reason for the next
            for one in news:
                for message in await one.read_shared():
                    yield message.encoded
            await asyncio.sleep(COALESCE_SECONDS)
            try:
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):  # wait_for of 3.11 may swallow the page's end
                    await page.wake.wait()
            except TimeoutError:
                yield b": still here\n\n"
