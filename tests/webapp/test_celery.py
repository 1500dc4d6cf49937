"""Announcing is best effort: whatever is wrong with the broker, the rows are there and the janitor says it again."""

import logging

import pytest
from amqp.exceptions import AccessRefused, NotAllowed
from kombu.exceptions import OperationalError

from webapp import celery


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
    assert "could not announce" in caplog.text
