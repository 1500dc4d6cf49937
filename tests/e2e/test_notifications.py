"""What happens reaches open pages at once, and a real webhook exactly once, from the worker's messenger."""

import json
import time
from collections.abc import Iterator

import pytest
from django.db.models.functions import Now
from playwright.sync_api import Browser, Page, expect

from tests import factories
from tests.axe import violations, without_policy
from tests.receiver import receiving
from webapp.notifications import news
from webapp.notifications.models import Delivery, Notification
from webapp.notifications.outbox import deliver_due
from webapp.runs import lifecycle
from webapp.runs.models import StageRun, State
from workers import messenger

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def looks(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The messenger of a worker, at work: a list that grows with every look of it."""
    ended: list[float] = []

    def look(*, seconds: float) -> None:
        deliver_due(seconds=seconds)
        ended.append(time.monotonic())

    monkeypatch.setattr(messenger, "LOOK", 0.2)
    monkeypatch.setattr(messenger, "deliver_due", look)
    thread = messenger.Messenger()
    thread.start()
    yield ended
    thread.stop()
    assert not thread.is_alive()


def fail(run: StageRun) -> None:
    factories.make_attempt(run, state=State.RUNNING)
    assert lifecycle.move(run.pk, State.RUNNING, State.FAILED, error="out of memory; take less")


@pytest.mark.parametrize("path", ["/notifications/", "/experiments/", "/experiments/demo-1/"])
def test_a_failure_is_said_on_any_open_page(page: Page, address: str, path: str) -> None:
    experiment = factories.make_experiment("demo-1")
    run = factories.run_of(experiment, "baseline", "pretrain")
    page.goto(address + path)
    page.wait_for_function("() => document.body.dataset.newest === '0'")
    fail(run)
    news.tell()
    toast = page.locator("#toasts .toast")
    expect(toast).to_have_count(1)
    expect(toast).to_contain_text("out of memory; take less")
    expect(page.get_by_role("link", name="Notifications (1)")).to_be_visible()
    toast.get_by_role("link").click()
    page.wait_for_url(f"{address}/runs/{run.pk}/")
    expect(page.get_by_role("link", name="Notifications", exact=True)).to_be_visible()
    expect(page.locator("#toasts .toast")).to_have_count(0)


def test_a_message_is_put_away_and_does_not_come_back(page: Page, address: str) -> None:
    run = factories.run_of(factories.make_experiment("demo-1"), "baseline", "pretrain")
    page.goto(f"{address}/views/")
    fail(run)
    news.tell()
    page.get_by_role("button", name="Dismiss").click()
    page.reload()
    expect(page.get_by_role("link", name="Notifications (1)")).to_be_visible()
    expect(page.locator("#toasts .toast")).to_have_count(0)


def test_a_webhook_set_up_in_the_browser_gets_the_failure_once(
    page: Page, address: str, looks: list[float]
) -> None:
    run = factories.run_of(factories.make_experiment("demo-1"), "baseline", "pretrain")
    with receiving(503) as receiver:
        page.goto(f"{address}/notifications/")
        page.get_by_label("Webhook").fill(receiver.url)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("The secret of your webhook")).to_be_visible()
        page.get_by_role("link", name="I have kept it").click()
        fail(run)
        expect(page.locator("#toasts .toast")).to_have_count(1)
        _until(lambda: Delivery.objects.exclude(error="").exists())
        page.reload()
        expect(page.locator("main")).to_contain_text("1 try: 127.0.0.1 answered 503")
        Delivery.objects.update(due_at=Now())
        _until(lambda: Delivery.objects.exclude(sent_at=None).exists())
        before = len(looks)
        _until(lambda: len(looks) >= before + 3)
        page.reload()
        expect(page.locator(".inbox")).to_contain_text("Webhook: sent")
    assert [json.loads(body)["event"] for _, body in receiver.came] == ["failed", "failed"]
    assert len({body for _, body in receiver.came}) == 1
    assert Notification.objects.count() == 1


def test_axe_finds_nothing_beside_a_message(browser: Browser, page: Page, address: str) -> None:
    run = factories.run_of(factories.make_experiment("demo-1"), "baseline", "pretrain")
    other = without_policy(browser, page, viewport={"width": 390, "height": 844})
    other.goto(f"{address}/notifications/")
    fail(run)
    news.tell()
    expect(other.locator("#toasts .toast")).to_have_count(1)
    assert violations(other) == []
    other.goto("about:blank")
    other.context.close()


def _until(reached) -> None:  # type: ignore[no-untyped-def]
    limit = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < limit
        time.sleep(0.1)
