"""The page of notifications: each person's own, and their settings."""

import pytest
from django.test import Client

from tests import factories
from webapp.notifications import outbox
from webapp.notifications.models import Delivery, Notification, Wishes

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


def make_notification(name: str = "ada", key: str = "failed:1") -> Notification:
    experiment = factories.make_experiment(f"demo-{key[-1]}")
    return Notification.objects.create(
        user=factories.make_user(name), kind="failed", key=key, experiment=experiment,
        title=f"{experiment.name} <failed>", path=f"/experiments/{experiment.name}/",
    )  # fmt: skip


def test_opening_one_reads_it(ada: Client) -> None:
    one, other = make_notification(), make_notification(key="failed:2")
    assert "Notifications<span data-unread> (2)</span>" in ada.get("/").content.decode()
    assert ada.get(f"/notifications/{one.pk}/").headers["Location"] == one.path
    page = ada.get("/notifications/").content.decode()
    assert "1 unread" in page
    assert "&lt;failed&gt;" in page
    ada.post("/notifications/read/")
    other.refresh_from_db()
    assert other.read_at is not None


def test_nobody_sees_or_reads_those_of_others(ada: Client) -> None:
    theirs = make_notification("bob")
    assert ada.get(f"/notifications/{theirs.pk}/").status_code == 404
    ada.post("/notifications/read/")
    theirs.refresh_from_db()
    assert theirs.read_at is None
    assert "&lt;failed&gt;" not in ada.get("/notifications/").content.decode()


def test_the_secret_is_shown_once(ada: Client) -> None:
    first = ada.post("/notifications/settings/", {"ended": "on", "webhook_url": "https://x.example/hook"})
    wishes = Wishes.objects.get()
    assert (wishes.ended, wishes.failed) == (True, False)
    assert wishes.webhook_secret in first.content.decode()
    assert first.headers["Cache-Control"] == "no-store"
    assert wishes.webhook_secret not in ada.get("/notifications/").content.decode()
    ada.post("/notifications/settings/", {"webhook_url": "https://x.example/other"})
    assert Wishes.objects.get().webhook_secret == wishes.webhook_secret
    renewed = ada.post("/notifications/secret/")
    assert Wishes.objects.get().webhook_secret in renewed.content.decode()
    assert Wishes.objects.get().webhook_secret != wishes.webhook_secret


def test_a_test_message_saves_the_webhook_and_says_what_became_of_it(
    ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    monkeypatch.setitem(outbox.SENDERS, Delivery.Channel.WEBHOOK, lambda *what: sent.append(what))
    page = ada.post("/notifications/settings/", {"webhook_url": "https://x.example/hook", "do": "try"})
    [(message, wishes)] = sent
    assert wishes.webhook_url == Wishes.objects.get().webhook_url == "https://x.example/hook"
    assert outbox.payload(message)["event"] == "test" and outbox.payload(message)["experiment"] is None
    assert "The test message was sent and accepted." in page.content.decode()
    assert not Notification.objects.exists()


def test_where_the_page_stands_after_saving_leads_back_to_it(ada: Client) -> None:
    for name in ("settings", "secret"):
        answer = ada.get(f"/notifications/{name}/")
        assert (answer.status_code, answer.headers["Location"]) == (302, "/notifications/"), name


def test_a_wrong_address_is_refused_with_the_reason(ada: Client) -> None:
    page = ada.post("/notifications/settings/", {"webhook_url": "ftp://x.example/"}).content.decode()
    assert "give a whole address" in page
    assert not Wishes.objects.exists()


def test_mail_that_is_not_set_up_is_said(ada: Client) -> None:
    assert "MULBERRY_EMAIL_URL" in ada.get("/notifications/").content.decode()
