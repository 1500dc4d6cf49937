"""The messenger takes turns, outlives a database that is away, and its death ends no worker."""

import os
import threading

import pytest

from workers import messenger
from workers.database import GONE
from workers.janitor import advisory_lock
from workers.worker import end_with_thread


def test_its_death_ends_no_worker(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    ended: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *asked: ended.append(asked))
    error = ValueError("a rule of the diagnosis is broken")
    died = threading.ExceptHookArgs((ValueError, error, None, messenger.Messenger()))
    end_with_thread(died)
    assert ended == []
    assert "told nothing" in caplog.text
    end_with_thread(threading.ExceptHookArgs((ValueError, error, None, threading.Thread())))
    assert len(ended) == 1


@pytest.mark.parametrize(
    "error", [GONE[0]("the server closed the connection"), ValueError("a rule is broken")]
)
def test_it_goes_on_when_the_database_is_back_and_after_a_fault(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    looks, again = [], threading.Event()

    def fail(**_: object) -> None:
        looks.append(1)
        if len(looks) > 2:
            again.set()
        raise error

    class Chosen:
        def __init__(self, lock: int) -> None:
            assert lock == messenger.LOCK

        def __enter__(self) -> bool:
            return True

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(messenger, "advisory_lock", Chosen)
    monkeypatch.setattr(messenger, "deliver_due", fail)
    monkeypatch.setattr(messenger, "LOOK", 0.01)
    monkeypatch.setattr(messenger, "AFTER_FAULT", 0.01)
    thread = messenger.Messenger()
    thread.start()
    assert again.wait(10)
    thread.stop()
    assert not thread.is_alive()


@pytest.mark.django_db
def test_it_does_not_wait_for_the_janitors() -> None:
    with advisory_lock() as janitor, advisory_lock(messenger.LOCK) as own:
        assert janitor and own
