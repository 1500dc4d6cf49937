"""What is new for an open page: messages, each read from what the page knows.

What a page has seen is its cursor, `{attempt id: journal seq}`, sent as the event's id: a page that comes back names its
cursor and gets exactly what it lacks. Records of an attempt become visible in order of seq and together with the
attempt's `journal_seq`, so "after the cursor, up to journal_seq" has neither holes nor doubles.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from webapp.live.shared_reads import SHARED_READS
from webapp.notifications.models import Notification
from webapp.runs.models import Attempt, Event, StageRun
from webapp.telemetry import series

Cursor = dict[int, int]


@dataclass(frozen=True)
class Message:
    """One server-sent event; only one with a cursor moves the page's cursor."""

    event: str
    data: dict[str, Any]
    cursor: Cursor | None = None

    @cached_property
    def encoded(self) -> bytes:
        """The event as the stream has it; of several pages that get it, all send these bytes."""
        lines = [f"event: {self.event}", f"data: {json.dumps(self.data)}"]
        if self.cursor is not None:
            lines.insert(0, f"id: {encode_cursor(self.cursor)}")
        return ("\n".join(lines) + "\n\n").encode()


def encode_cursor(cursor: Cursor) -> str:
    """A cursor as one line of JSON."""
    return json.dumps(cursor, separators=(",", ":"))


def parse_cursor(text: str) -> Cursor:
    """Read a cursor; raises ValueError for anything that encode_cursor does not write."""
    found = json.loads(text) if text else {}
    if not isinstance(found, dict) or not all(type(seq) is int for seq in found.values()):
        raise ValueError("a cursor is a JSON object of attempt id → seq")
    return {int(attempt): seq for attempt, seq in found.items()}


class News(ABC):
    """What is new of one subject since a page last looked.

    A read is a function of the subject, of what the page knows and of the database, so pages that know the same share it.
    """

    subject: tuple[Hashable, ...]  # what it is about
    known: Hashable  # what the page knows of it

    @abstractmethod
    def read(self, known: Any) -> tuple[list[Message], Any]:
        """Messages in the order in which the page applies them, and what it knows then."""

    def __call__(self) -> list[Message]:
        """Read here and now."""
        messages, self.known = self.read(self.known)
        return messages

    async def read_shared(self) -> list[Message]:
        """Read in one of the threads that the streams share."""
        known = self.known
        messages: list[Message]
        messages, self.known = await SHARED_READS.read((*self.subject, known), lambda: self.read(known))
        return messages


class Seen(NamedTuple):
    """What a page knows of a list of rollouts."""

    cursor: frozenset[tuple[int, int]]
    facts: tuple[Any, ...] | None  # None: it has not looked yet
    total: int | None  # rollouts up to the cursor; None: not counted


class RolloutNews(News):
    """That rollouts came in, of one run or of several, since a list last looked: how many there are; a page asks which."""

    def __init__(self, run_ids: Iterable[int], cursor: Cursor) -> None:
        self.run_ids = tuple(run_ids)
        self.subject = (type(self), self.run_ids)
        self.known = Seen(frozenset(cursor.items()), None, None)

    def read(self, known: Seen) -> tuple[list[Message], Seen]:
        """The last message moves the cursor."""
        attempts = Attempt.objects.filter(stage_run__in=self.run_ids)
        seqs, cursor = dict(attempts.values_list("id", "journal_seq")), dict(known.cursor)
        facts, total = (len(seqs), *self.facts()), known.total
        messages = []
        if facts != known.facts:
            messages.append(Message("state", {"attempts": len(seqs)}))
            total = None  # a new attempt replaces what an earlier one sampled
        if new := {attempt: seq for attempt, seq in seqs.items() if seq > cursor.get(attempt, 0)}:
            messages.append(Message("telemetry", {}))
            total = self._rollouts_up_to(new, cursor, total)
            cursor |= new
            messages.append(Message("rollouts", {"total": total}, cursor))
        return messages, Seen(frozenset(cursor.items()), facts, total)

    def facts(self) -> tuple[Any, ...]:
        """What else the page shows, to see whether it changed."""
        return ()

    def _rollouts_up_to(self, seqs: Cursor, cursor: Cursor, total: int | None) -> int:
        """How many there are in all; `total`: before those that are new, None where they were not counted."""
        every = series.rollouts_by_attempt(self.run_ids)
        if total is None:
            upto = seqs | {attempt: cursor.get(attempt, 0) for attempt in every.keys() - seqs.keys()}
            return sum(rows.filter(seq__lte=upto[attempt]).count() for attempt, rows in every.items())
        new = {  # a long list is counted once, not at every read
            attempt: rows.filter(seq__gt=cursor.get(attempt, 0), seq__lte=seqs[attempt])
            for attempt, rows in every.items()
            if attempt in seqs
        }
        return total + sum(rows.count() for rows in new.values())


class RunNews(RolloutNews):
    """What is new on a run's page."""

    def __init__(self, run_id: int, cursor: Cursor) -> None:
        super().__init__([run_id], cursor)
        self.run_id = run_id

    def facts(self) -> tuple[Any, ...]:
        """What the head of the page shows."""
        return _run_facts(self.run_id)


class ListNews(News):
    """News of an experiment's page, or of the list of experiments: something moved, fetch the fragment again."""

    known = None

    def read(self, known: None) -> tuple[list[Message], None]:
        """One message; the page's fragment holds the whole state, so there is no cursor."""
        return [Message("state", {})], None

    async def read_shared(self) -> list[Message]:
        """Nothing is asked of the database."""
        return self()


class NotificationNews(News):
    """What a person is told, whichever page they have open: how many are unread, and the new ones."""

    SHOWN = 3

    def __init__(self, user_id: int, seen: int) -> None:
        self.user_id = user_id
        self.subject = (NotificationNews, user_id)
        self.known: tuple[int, int | None] = (seen, None)

    def read(self, known: tuple[int, int | None]) -> tuple[list[Message], tuple[int, int]]:
        """One message at most."""
        seen, unread_before = known
        mine = Notification.objects.filter(user=self.user_id, read_at=None)
        unread = mine.count()
        new = list(mine.filter(pk__gt=seen).order_by("-pk")[: self.SHOWN])
        if not new and unread == unread_before:
            return [], (seen, unread)
        seen = max([seen, *(one.pk for one in new)])
        new_ones = [
            {"id": one.pk, "kind": one.kind, "title": one.title, "text": one.text} for one in new[::-1]
        ]
        return [Message("notifications", {"unread": unread, "seen": seen, "new": new_ones})], (seen, unread)


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
