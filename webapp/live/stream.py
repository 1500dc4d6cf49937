"""Server-sent events: what PostgreSQL notifies, brought to the open pages, each from its own cursor.

A notification carries ids only and may be lost with its connection; it is never more than a reason to look. What a
page has seen is its cursor, `{attempt id: journal seq}`, sent as the event's id: a page that comes back names its
cursor and gets exactly what it lacks. Records of an attempt become visible in order of seq and together with the
attempt's `journal_seq`, so "after the cursor, up to journal_seq" has neither holes nor doubles.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from asgiref.sync import sync_to_async
from django.db import connection
from django.template.loader import render_to_string

from webapp.notifications.models import Notification
from webapp.runs.lifecycle import CHANNEL
from webapp.runs.models import Attempt, Event, StageRun
from webapp.telemetry import rollouts, series

KEEP_ALIVE_SECONDS = 15.0
COALESCE_SECONDS = 0.25  # from one look to the next at least, however many notifications come between
Cursor = dict[int, int]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Message:
    """One server-sent event; only one with a cursor moves the page's cursor."""

    event: str
    data: dict[str, Any]
    cursor: Cursor | None = None

    def encode(self) -> str:
        """The event as the stream's text."""
        lines = [f"event: {self.event}", f"data: {json.dumps(self.data)}"]
        if self.cursor is not None:
            lines.insert(0, f"id: {encode_cursor(self.cursor)}")
        return "\n".join(lines) + "\n\n"


def encode_cursor(cursor: Cursor) -> str:
    """A cursor as one line of JSON."""
    return json.dumps(cursor, separators=(",", ":"))


def parse_cursor(text: str) -> Cursor:
    """Read a cursor; raises ValueError for anything that encode_cursor does not write."""
    found = json.loads(text) if text else {}
    if not isinstance(found, dict) or not all(type(seq) is int for seq in found.values()):
        raise ValueError("a cursor is a JSON object of attempt id → seq")
    return {int(attempt): seq for attempt, seq in found.items()}


@dataclass(eq=False)
class Page:
    """One open stream: what it is about (None: everything), whose it is, and the reason to look again."""

    experiment: int | None = None
    run: int | None = None
    user: int | None = None
    only_told: bool = False  # nothing but what its person is told of
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def concerns(self, note: dict[str, Any]) -> bool:
        """True when a notification is about what this page shows, or tells its person something."""
        if "user" in note:
            return bool(note["user"] == self.user)
        if self.only_told:
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
                        found = json.loads(note.payload)
                        self._wake({page for page in self.pages if page.concerns(found)})
            except psycopg.OperationalError as error:
                log.warning("the live connection to the database broke, next try in 1 s: %s", error)
                await asyncio.sleep(1)

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


class RolloutNews:
    """What is new in a list of rollouts, of one run or of several, since its page last looked."""

    across = True  # of several runs: each rollout says whose it is

    def __init__(self, run_ids: Iterable[int], cursor: Cursor) -> None:
        self.run_ids = list(run_ids)
        self.cursor = dict(cursor)
        self._shown: Any = None
        self._total: int | None = None

    def __call__(self) -> list[Message]:
        """Messages in the order in which the page applies them; the last one moves the cursor."""
        attempts = Attempt.objects.filter(stage_run__in=self.run_ids)
        seqs = dict(attempts.values_list("id", "journal_seq"))
        facts = (len(seqs), self.facts())
        messages = []
        if facts != self._shown:
            messages.append(Message("state", {"attempts": len(seqs)}))
            self._shown, self._total = facts, None  # a new attempt replaces what an earlier one sampled
        if new := {attempt: seq for attempt, seq in seqs.items() if seq > self.cursor.get(attempt, 0)}:
            messages.append(Message("telemetry", {}))
            rows = self._rollouts_up_to(new)
            self.cursor = self.cursor | new  # a new one: messages keep theirs
            messages.append(Message("rollouts", rows, self.cursor))
        return messages

    def facts(self) -> tuple[Any, ...]:
        """What else the page shows, to see whether it changed."""
        return ()

    def _rollouts_up_to(self, seqs: Cursor) -> dict[str, Any]:
        """New rollouts as HTML, newest first; at most as many as the page shows."""
        every = series.rollouts_by_attempt(self.run_ids)
        new = {
            attempt: rows.filter(seq__gt=self.cursor.get(attempt, 0), seq__lte=seqs[attempt])
            for attempt, rows in every.items()
            if attempt in seqs
        }
        if self._total is None:
            known = seqs | {attempt: self.cursor.get(attempt, 0) for attempt in every.keys() - seqs.keys()}
            counted = (rows.filter(seq__lte=known[attempt]) for attempt, rows in every.items())
            self._total = sum(rows.count() for rows in counted)
        else:  # a long list is counted once, not at every look
            self._total += sum(rows.count() for rows in new.values())
        found = rollouts.part(new).rollouts
        html = render_to_string("runs/_rollouts.html", {"rollouts": found, "across": self.across})
        return {"html": html, "total": self._total, "shown": rollouts.SHOWN}


class RunNews(RolloutNews):
    """What is new on a run's page, its rollouts with it."""

    across = False

    def __init__(self, run_id: int, cursor: Cursor) -> None:
        super().__init__([run_id], cursor)
        self.run_id = run_id

    def facts(self) -> tuple[Any, ...]:
        """What the head of the page shows."""
        return _run_facts(self.run_id)


class ListNews:
    """News of an experiment's page, or of the list of experiments: something moved, fetch the fragment again."""

    def __call__(self) -> list[Message]:
        """One message; the page's fragment holds the whole state, so there is no cursor."""
        return [Message("state", {})]


class Told:
    """What a page's person is told beside the page's own news: how many are unread, and the new ones."""

    SHOWN = 3

    def __init__(self, user_id: int, seen: int, page_news: Callable[[], list[Message]]) -> None:
        self.user_id = user_id
        self.seen = seen
        self.page_news = page_news
        self._unread: int | None = None

    def __call__(self) -> list[Message]:
        """The page's messages, then at most one of what its person is told."""
        messages = self.page_news()
        mine = Notification.objects.filter(user=self.user_id, read_at=None)
        unread = mine.count()
        new = list(mine.filter(pk__gt=self.seen).order_by("-pk")[: self.SHOWN])
        if new or unread != self._unread:
            told = [
                {"id": one.pk, "kind": one.kind, "title": one.title, "text": one.text} for one in new[::-1]
            ]
            self.seen = max([self.seen, *(one.pk for one in new)])
            self._unread = unread
            messages = [*messages, Message("told", {"unread": unread, "seen": self.seen, "new": told})]
        return messages


def nothing() -> list[Message]:
    """News of a page that has none of its own."""
    return []


def _run_facts(run_id: int) -> tuple[Any, ...]:
    """What the head of a run's page shows, to see whether it changed."""
    columns = (
        "state",
        "attempt_number",
        "progress_done",
        "progress_total",
        "progress_phase",
        "cancel_requested_at",
    )
    run = StageRun.objects.values_list(*columns).get(pk=run_id)
    return (*run, Event.objects.filter(stage_run=run_id).count())


async def stream(page: Page, news: Callable[[], list[Message]], hub: Hub = HUB) -> AsyncIterator[str]:
    """The text of one page's stream, until the page or the server goes."""
    with hub.open(page):
        yield "retry: 1000\n\n"
        while not hub.closing:
            page.wake.clear()  # before the look: what is said during it is a reason for the next
            for message in await sync_to_async(_looked)(news):
                yield message.encode()
            await asyncio.sleep(COALESCE_SECONDS)
            try:
                await asyncio.wait_for(page.wake.wait(), KEEP_ALIVE_SECONDS)
            except TimeoutError:
                yield ": still here\n\n"


def _looked(news: Callable[[], list[Message]]) -> list[Message]:
    """Read the news and give the connection back: a page may stay open for days."""
    try:
        return news()
    finally:
        connection.close()
