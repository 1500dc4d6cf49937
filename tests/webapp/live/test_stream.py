"""The live stream: a page that comes back with its cursor has everything once."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from tests import factories
from webapp.live.news import (
    Cursor,
    Message,
    NotificationNews,
    RolloutNews,
    RunNews,
    encode_cursor,
    parse_cursor,
)
from webapp.live.stream import Hub, Page, stream
from webapp.notifications.models import Notification
from webapp.runs import lifecycle
from webapp.runs.models import Attempt, StageRun

pytestmark = pytest.mark.services


def totals(messages: list[Message]) -> list[int]:
    return [message.data["total"] for message in messages if message.event == "rollouts"]


def cursor_after(messages: list[Message]) -> Cursor:
    return parse_cursor(encode_cursor(next(m.cursor for m in reversed(messages) if m.cursor is not None)))


@pytest.fixture
def attempt(db: None) -> Attempt:
    return factories.make_run("grpo").attempts.get()


def test_a_page_that_comes_back_gets_what_it_lacks_once(attempt: Attempt) -> None:
    run = attempt.stage_run_id
    factories.add_rollouts(attempt, step=1, count=4)
    first = RunNews(run, {})
    before = first()
    factories.add_rollouts(attempt, step=2, count=4)
    assert totals(before) + totals(first()) == [4, 8]
    factories.add_rollouts(attempt, step=3, count=4)  # while the page is away
    back = RunNews(run, cursor_after(before))  # the second event was sent, but lost on its way
    assert totals(back()) == [12]
    assert back() == []


def test_a_list_is_told_how_many_there_are(attempt: Attempt) -> None:
    factories.add_rollouts(attempt, step=1, count=4)
    news = RolloutNews([attempt.stage_run_id], {})
    assert news()[-1].data == {"total": 4}
    factories.add_rollouts(attempt, step=2, count=4)
    assert news()[-1].data == {"total": 8}


def test_nothing_new_is_nothing_sent(attempt: Attempt) -> None:
    factories.add_rollouts(attempt, count=2)
    news = RunNews(attempt.stage_run_id, {})
    news()
    assert news() == []


def test_each_attempt_has_its_own_place_in_the_cursor(attempt: Attempt) -> None:
    factories.add_rollouts(attempt, step=1, count=2)
    news = RunNews(attempt.stage_run_id, {})
    news()
    run = StageRun.objects.get(pk=attempt.stage_run_id)
    second = factories.make_attempt(run, first_step=1)
    factories.add_rollouts(second, step=2, count=2)
    messages = news()
    assert totals(messages) == [4]
    assert set(cursor_after(messages)) == {attempt.pk, second.pk}
    assert [m.event for m in messages] == ["state", "telemetry", "rollouts"]


def test_what_a_later_attempt_samples_again_is_not_sent(attempt: Attempt) -> None:
    factories.add_rollouts(attempt, step=1, count=2)
    factories.add_rollouts(attempt, step=2, count=2)
    run = StageRun.objects.get(pk=attempt.stage_run_id)
    factories.add_rollouts(factories.make_attempt(run, first_step=1), step=2, count=2)
    messages = RunNews(run.pk, {})()
    assert totals(messages) == [4]


def test_records_that_are_not_yet_announced_wait(attempt: Attempt) -> None:
    factories.add_rollouts(attempt, step=1, count=2)
    Attempt.objects.filter(pk=attempt.pk).update(journal_seq=0)
    assert totals(RunNews(attempt.stage_run_id, {})()) == []


@pytest.mark.parametrize("text", ["[]", "{", '{"1": "2"}', '{"one": 2}'])
def test_a_broken_cursor_is_refused(client: Client, text: str, db: None) -> None:
    client.force_login(factories.make_user())
    assert client.get("/live/", {"cursor": text}).status_code == 400


async def event(events: AsyncIterator[bytes], name: str) -> str:
    async with asyncio.timeout(30):
        async for part in events:
            text = part.decode()
            if f"event: {name}" in text:
                return text
    raise AssertionError(f"the stream ended without {name}")


@pytest.mark.django_db(transaction=True)
async def test_a_notification_brings_the_rollouts() -> None:
    run = await sync_to_async(factories.make_run)("grpo")
    attempt = await sync_to_async(run.attempts.get)()
    hub = Hub()
    events = stream(Page(run.experiment_id, run.pk), [RunNews(run.pk, {})], hub)
    await event(events, "state")

    def record() -> None:
        with transaction.atomic():
            factories.add_rollouts(attempt, step=1, count=3)
            seq = attempt.journal_seq
            lifecycle.notify(experiment=run.experiment_id, run=run.pk, attempt=attempt.pk, seq=seq)

    await sync_to_async(record)()
    text = await event(events, "rollouts")
    assert text.startswith(f'id: {{"{attempt.pk}":{attempt.journal_seq}}}\n')
    assert '"total": 3' in text
    hub.close()
    async with asyncio.timeout(30):
        assert [part async for part in events] == [], "a closing server ends the stream"
    assert not hub.pages


@pytest.mark.django_db(transaction=True)
async def test_a_page_that_goes_at_the_moment_of_news_ends_its_stream() -> None:
    page, hub = Page(only_notifications=True), Hub()
    events = stream(page, [], hub)
    await anext(events)
    waiting = asyncio.ensure_future(anext(events))
    async with asyncio.timeout(60):
        while not page.wake._waiters:
            await asyncio.sleep(0.01)
    page.wake.set()
    waiting.cancel()  # in the same turn of the loop
    await asyncio.wait([waiting], timeout=20)
    assert waiting.cancelled()
    assert not hub.pages


@pytest.mark.parametrize("payload", ["no JSON", "[1]", "null"])
async def test_a_notification_that_cannot_be_read_ends_nothing(payload: str) -> None:
    page, hub = Page(experiment=1), Hub()
    hub.pages.add(page)
    hub._tell(payload)
    assert page.wake.is_set()


@pytest.mark.django_db(transaction=True)
async def test_another_run_does_not_wake_the_page() -> None:
    page = Page(experiment=1, run=2)
    assert page.concerns({"experiment": 1, "run": 2, "attempt": 3, "seq": 4})
    assert not page.concerns({"experiment": 1, "run": 3})
    assert Page(experiment=1).concerns({"experiment": 1, "run": 3})
    assert not Page(experiment=1).concerns({"experiment": 2, "run": 3})
    assert Page().concerns({"experiment": 2, "run": 3})


def test_a_page_hears_what_its_own_person_is_told_and_once(attempt: Attempt) -> None:
    experiment = attempt.stage_run.experiment

    def tell(user: User, key: str) -> Notification:
        return Notification.objects.create(
            user=user, key=key, kind="failed", experiment=experiment, title=key, path="/"
        )

    ada, bob = factories.make_user(), factories.make_user("bob")
    old = tell(ada, "old")
    told = NotificationNews(ada.pk, old.pk)
    assert [(m.data["unread"], m.data["new"]) for m in told()] == [(1, [])]
    assert told() == []
    tell(bob, "theirs")
    new = tell(ada, "new")
    [message] = told()
    assert [one["title"] for one in message.data["new"]] == ["new"]
    assert (message.data["unread"], message.data["seen"]) == (2, new.pk)
    assert told() == []
    assert Page(user=ada.pk).concerns({"user": ada.pk})
    assert not Page(user=bob.pk).concerns({"user": ada.pk})
    assert not Page(user=ada.pk, only_notifications=True).concerns({"experiment": 1, "run": 2})
