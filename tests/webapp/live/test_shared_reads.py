"""Reads that open streams share: a few threads, one read for all that want the same, nothing held between reads."""

import asyncio
import threading
from collections.abc import Sequence

import pytest
from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tests import factories
from webapp.live import news
from webapp.live.news import ListNews, RunNews
from webapp.live.shared_reads import SHARED_READS, THREADS, SharedReads, end_request_thread

pytestmark = pytest.mark.services


class Reading:
    """A read that ends when it is told to."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.times = threading.Event(), threading.Event(), 0

    def __call__(self) -> int:
        self.times += 1
        self.begun.set()
        assert self.go_on.wait(60)
        return self.times


async def begun(reading: Reading) -> None:
    assert await asyncio.to_thread(reading.begun.wait, 60)


async def test_pages_that_wait_for_the_same_read_share_it_and_one_that_has_begun_is_not_shared() -> None:
    shared, reading = SharedReads(1), Reading()
    first = asyncio.create_task(shared.read("a", reading))
    await begun(reading)
    later = [asyncio.create_task(shared.read("a", reading)) for _ in range(50)]
    await asyncio.sleep(0)
    reading.go_on.set()
    assert await first == 1
    assert await asyncio.gather(*later) == [2] * 50, (
        "what was committed after the first began needs another read"
    )
    assert await shared.read("a", reading) == 3


async def test_a_page_that_leaves_takes_no_read_away_from_the_others() -> None:
    shared, reading = SharedReads(1), Reading()
    first = asyncio.create_task(shared.read("other", reading))
    await begun(reading)
    leaves, stays = (asyncio.create_task(shared.read("a", reading)) for _ in range(2))
    await asyncio.sleep(0)
    leaves.cancel()
    reading.go_on.set()
    assert (await first, await stays) == (1, 2)
    with pytest.raises(asyncio.CancelledError):
        await leaves


async def test_however_many_different_reads_there_are_few_run_at_once() -> None:
    running, most, lock = 0, 0, threading.Lock()
    names = set()

    def read() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            names.add(threading.current_thread().name)
        with lock:
            running -= 1

    shared = SharedReads()
    await asyncio.gather(*(shared.read(number, read) for number in range(300)))
    assert most <= THREADS and len(names) <= THREADS


async def test_an_error_reaches_every_page_that_waits_for_it() -> None:
    def read() -> None:
        raise LookupError("gone")

    found = await asyncio.gather(*(SharedReads().read("a", read) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in found] == [LookupError] * 3


@pytest.mark.django_db(transaction=True)
async def test_a_read_gives_its_connection_back() -> None:
    def read() -> BaseDatabaseWrapper:
        own = connections["default"]
        own.ensure_connection()
        return own

    found = await SHARED_READS.read("a", read)
    assert found is not connections["default"] and found.connection is None


@pytest.mark.django_db(transaction=True)
async def test_pages_of_one_run_have_their_rollouts_counted_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = await sync_to_async(factories.make_run)("grpo")
    attempt = await sync_to_async(run.attempts.get)()
    await sync_to_async(factories.add_rollouts)(attempt, count=4)
    shared, reading, counted = SharedReads(1), Reading(), []
    monkeypatch.setattr(news, "SHARED_READS", shared)
    rollouts_by_attempt = news.series.rollouts_by_attempt

    def count(run_ids: Sequence[int]) -> object:
        counted.append(run_ids)
        return rollouts_by_attempt(run_ids)

    monkeypatch.setattr(news.series, "rollouts_by_attempt", count)
    busy = asyncio.create_task(shared.read("busy", reading))
    await begun(reading)
    pages = [asyncio.create_task(RunNews(run.pk, {}).read_shared()) for _ in range(20)]
    other = asyncio.create_task(RunNews(run.pk, {attempt.pk: attempt.journal_seq}).read_shared())
    await asyncio.sleep(0)
    reading.go_on.set()
    await busy
    found = await asyncio.gather(*pages)
    assert len(counted) == 1
    assert len({id(messages[-1].encoded) for messages in found}) == 1, "all of them send the same bytes"
    assert [message.event for message in await other] == ["state"], "a page that knows more shares nothing"


async def test_a_list_asks_the_database_nothing() -> None:
    assert [message.event for message in await ListNews().read_shared()] == ["state"]


async def test_the_thread_of_a_request_ends_and_comes_back_when_it_is_wanted() -> None:
    async with ThreadSensitiveContext() as context:
        first = await sync_to_async(threading.current_thread)()
        end_request_thread()
        assert context not in SyncToAsync.context_to_thread_executor
        await asyncio.to_thread(first.join, 60)
        assert not first.is_alive()
        assert await sync_to_async(threading.current_thread)() is not first
    end_request_thread()  # outside of a request there is none
