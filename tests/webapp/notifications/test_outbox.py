"""What goes out: signed, once, tried again until it is accepted, and with nothing secret in the log."""

import hashlib
import hmac
import json
import logging
import socket
import threading
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db.models.functions import Now

from tests import factories
from tests.receiver import receiving
from webapp.notifications import outbox
from webapp.notifications.models import Delivery, Notification, Wishes
from webapp.runs import lifecycle
from webapp.runs.models import State

pytestmark = pytest.mark.django_db
SECRET = "a-secret-of-the-webhook"


def fail_a_run(**wishes: object) -> None:
    experiment = factories.make_experiment(
        "demo-1", conditions=["baseline"], stages=[("pretrain", "pretrain")]
    )
    values = {"ended": False, "critical": False, "webhook_secret": SECRET}
    Wishes.objects.create(user=experiment.owner, **values | wishes)
    run = experiment.runs.get()
    factories.make_attempt(run, state=State.RUNNING)
    assert lifecycle.move(run.pk, State.RUNNING, State.FAILED, error="out of memory; take less")


def make_due() -> None:
    Delivery.objects.exclude(due_at=None).update(due_at=Now())


def test_a_webhook_is_signed_and_sent_once() -> None:
    with receiving() as receiver:
        fail_a_run(webhook_url=receiver.url)
        for _ in range(3):
            outbox.deliver_due()
    [(headers, body)] = receiver.came
    stamp, mark = (part.split("=")[1] for part in headers["mulberry-signature"].split(","))
    assert mark == hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    said = json.loads(body)
    assert (said["event"], said["experiment"], said["text"]) == (
        "failed",
        "demo-1",
        "out of memory; take less",
    )
    assert headers["mulberry-delivery"] == str(Notification.objects.get().pk) == str(said["id"])
    delivery = Delivery.objects.get()
    assert delivery.sent_at is not None and delivery.due_at is None


@pytest.mark.parametrize("status", [500, 302, 404])
def test_what_is_not_accepted_is_tried_again_later(status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with receiving(status, status) as receiver:
        fail_a_run(webhook_url=receiver.url)
        outbox.deliver_due()
        outbox.deliver_due()
        assert len(receiver.came) == 1, "it waits before it tries again"
        make_due()
        outbox.deliver_due()
        first = Delivery.objects.get()
        assert (first.tries, first.sent_at, first.error) == (2, None, f"127.0.0.1 answered {status}")
        make_due()
        outbox.deliver_due()
        make_due()
        outbox.deliver_due()
    assert len(receiver.came) == 3
    assert len({headers["mulberry-delivery"] for headers, _ in receiver.came}) == 1
    assert Delivery.objects.get().sent_at is not None
    assert SECRET not in caplog.text
    assert "token=hidden" not in caplog.text


@pytest.mark.slow
def test_it_is_given_up_after_the_last_wait() -> None:
    with receiving(*[500] * 20) as receiver:
        fail_a_run(webhook_url=receiver.url)
        for _ in range(10):
            outbox.deliver_due()
            make_due()
    assert len(receiver.came) == len(outbox.WAITS) + 1
    assert Delivery.objects.get().due_at is None


def test_a_server_that_is_not_there_is_said_without_its_path() -> None:
    with receiving() as receiver:
        url = receiver.url
    fail_a_run(webhook_url=url)
    outbox.deliver_due()
    assert Delivery.objects.get().error == "127.0.0.1: ConnectError"


def test_a_webhook_that_was_removed_is_not_tried() -> None:
    with receiving() as receiver:
        fail_a_run(webhook_url=receiver.url)
        outbox.tell()
        Wishes.objects.update(webhook_url="")
        outbox.deliver_due()
    assert receiver.came == []
    assert Delivery.objects.get().due_at is None


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x.example/",
        "//x.example",
        "x",
        "http://",
        "http://u:p@x.example/",
        "http://x:no/",
        "file:///etc/passwd",
        f"http://{'a' * 64}.example/",
    ],
)
def test_a_webhook_is_a_plain_address(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|signed|host name"):
        outbox.check_webhook(url)


def test_an_operator_may_name_the_hosts_that_webhooks_go_to(settings) -> None:  # type: ignore[no-untyped-def]
    settings.MULBERRY_WEBHOOK_HOSTS = ["hooks.example"]
    assert outbox.check_webhook("https://hooks.example/x")
    with receiving() as receiver:
        fail_a_run(webhook_url=receiver.url)
        outbox.deliver_due()
    assert receiver.came == []
    assert "MULBERRY_WEBHOOK_HOSTS" in Delivery.objects.get().error


def test_a_mail_is_sent_where_mail_is_set_up(settings) -> None:  # type: ignore[no-untyped-def]
    settings.EMAIL_HOST = ""
    fail_a_run(email="ada@lab.example")
    outbox.deliver_due()
    assert mail.outbox == []
    assert "MULBERRY_EMAIL_URL" in Delivery.objects.get().error
    settings.EMAIL_HOST = "mail.example"
    settings.CSRF_TRUSTED_ORIGINS = ["https://lab.example"]
    Delivery.objects.update(due_at=Now() - timedelta(seconds=1))
    outbox.deliver_due()
    [message] = mail.outbox
    assert message.to == ["ada@lab.example"]
    assert message.subject == "[Mulberry] demo-1: pretrain, baseline, seed 0 failed"
    assert f"https://lab.example{Notification.objects.get().path}" in message.body


def test_a_server_that_sends_a_byte_now_and_then_keeps_no_other_message_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "LONGEST", 0.3)
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as trickling, receiving() as receiver:

        def trickle() -> None:
            peer, _ = trickling.accept()
            with peer, suppress(OSError):
                while not ended.wait(0.02):
                    peer.sendall(b"H")

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        fail_a_run(webhook_url=f"http://127.0.0.1:{trickling.getsockname()[1]}/", email="ada@lab.example")
        eve = factories.make_user("eve")
        others = {"webhook_url": receiver.url, "webhook_secret": SECRET, "everybody": True, "ended": False}
        Wishes.objects.create(user=eve, **others)
        outbox.deliver_due(seconds=60)
        ended.set()
        thread.join()
    assert len(receiver.came) == 1
    first = Delivery.objects.filter(channel="webhook").order_by("pk")[0]
    assert first.error == "127.0.0.1: no answer within 0 s" and first.due_at is not None


def test_a_fault_about_one_message_keeps_no_other_back(
    monkeypatch: pytest.MonkeyPatch, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setitem(outbox.SENDERS, Delivery.Channel.EMAIL, broken)
    with receiving() as receiver:
        fail_a_run(email="ada@lab.example", webhook_url=receiver.url)
        outbox.tell()
        Delivery.objects.filter(channel="email").update(due_at=Now() - timedelta(hours=1))  # the first
        outbox.deliver_due(seconds=60)
        assert len(receiver.came) == 1
    assert Delivery.objects.get(channel="email").error == "it cannot be sent: KeyError"
