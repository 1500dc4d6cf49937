"""Announcing is best effort: whatever is wrong with the broker, the rows are there and the janitor says it again."""

import logging
from collections.abc import Callable

import pytest
from amqp.exceptions import AccessRefused, NotAllowed
from celery import Celery
from django.contrib.auth.models import User
from kombu.exceptions import OperationalError

from tests.silence import silent_peer
from training.recipes import recipe as recipes
from webapp import celery
from webapp.launch.launch import launch


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("away"),
        ConnectionRefusedError("refused"),
        AccessRefused("a wrong password"),
        NotAllowed("no such virtual host"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_broker_that_refuses_is_logged(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(celery.app, "send_task", refuse)
    with caplog.at_level(logging.WARNING):
        celery.announce("default")
        celery.ANNOUNCER.finish(60)
    assert "could not announce" in caplog.text


@pytest.mark.django_db
def test_a_launch_does_not_wait_for_a_broker_that_swallows_packets(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callable[..., object]
) -> None:
    announcer = celery.Announcer()
    monkeypatch.setattr(celery, "EMBEDDED", False)
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)  # Celery would prefer it
    monkeypatch.setattr(celery, "ANNOUNCER", announcer)
    with silent_peer() as port:
        silent = Celery(broker=f"amqp://127.0.0.1:{port}//")
        silent.conf.broker_connection_timeout = 600
        silent.conf.broker_transport_options = {"max_retries": 1, "interval_start": 0}
        monkeypatch.setattr(celery, "app", silent)
        with django_capture_on_commit_callbacks(execute=True):
            launch(recipe=recipes.build(recipes.read("smoke")), owner=User.objects.create_user("ada"))
        assert announcer.waiting.unfinished_tasks  # nobody has answered yet, and the launch is over
        for _ in range(2 * celery.WAITING):
            celery.announce("default")
        assert announcer.waiting.full()


def test_what_waited_for_a_broker_that_is_away_is_dropped_and_what_comes_later_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    announcer, asked = celery.Announcer(), []

    def refuse(*_: object, queue: str, **__: object) -> None:
        asked.append(queue)
        if queue == "first":
            raise OperationalError("away")

    monkeypatch.setattr(celery.app, "send_task", refuse)
    for queue in ("first", "second", "third"):
        announcer.waiting.put(queue)
    announcer.say("fourth")
    announcer.finish(60)
    announcer.say("fifth")
    announcer.finish(60)
    assert asked == ["first", "fifth"]
