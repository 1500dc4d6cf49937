"""The workers' pages: who runs what, what is next, and the buttons."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests import factories
from webapp.runs import queues
from webapp.runs.models import Queue, QueueEvent, StageRun, State, Worker, WorkerLog
from webapp.runs.querysets import in_line

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


def text(answer: Any) -> str:
    """The page's words."""
    return " ".join(answer.content.decode().split())


def test_without_workers_the_page_says_how_to_start_one(ada: Client) -> None:
    page = text(ada.get("/workers/"))
    assert "No worker runs" in page
    assert "<code>mulberry worker</code>" in page
    assert "Empty: a launch puts its runs here." in page


def test_a_worker_is_shown_with_what_it_runs_and_uses(ada: Client) -> None:
    worker = factories.make_worker("cuda:0", "cuda:1")
    run = factories.make_run("grpo")
    run.attempts.update(worker=worker, device="cuda:1")
    page = text(ada.get("/workers/"))
    assert "state-busy" in page
    assert f'cuda:1</span> <span class="task"><a href="/runs/{run.pk}/">grpo, mul_tokens, seed 0</a>' in page
    assert 'cuda:0</span> <span class="task"><span class="muted">free</span>' in page
    assert "NVIDIA H100 80GB HBM3: 97 % used, 12.9 GB of 85.5 GB" in page
    one = text(ada.get(f"/workers/{worker.pk}/"))
    assert "1 of 2 busy" in one
    assert "42 %" in one and "of 16 cores" in one


def test_a_run_that_is_over_or_taken_over_leaves_its_device_free(ada: Client) -> None:
    worker = factories.make_worker("cpu:0")
    run = factories.make_run("grpo")
    run.attempts.update(worker=worker, device="cpu:0")
    run.attempt_number += 1
    run.save()
    assert "state-idle" in text(ada.get("/workers/"))


@pytest.mark.parametrize(("seconds", "state"), [(25, "idle"), (31, "unreachable")])
def test_a_silent_worker_is_marked(ada: Client, seconds: int, state: str) -> None:
    worker = factories.make_worker("cpu:0", heartbeat_at=timezone.now() - timedelta(seconds=seconds))
    assert f'data-state="{state}"' in text(ada.get("/workers/"))
    assert ("Look at its machine" in text(ada.get(f"/workers/{worker.pk}/"))) == (state == "unreachable")


def test_a_silent_worker_is_named_where_its_queue_waits(ada: Client) -> None:
    factories.make_experiment()
    factories.make_worker("cpu:0", heartbeat_at=timezone.now() - timedelta(seconds=84))
    page = text(ada.get("/workers/"))
    assert "was last heard 1 min 24 s ago" in page and "which no worker serves" not in page
    Worker.objects.update(queues=["gpu"])
    assert "which no worker serves" in text(ada.get("/workers/"))


def test_what_only_runs_and_what_a_worker_did_lately_are_said(ada: Client) -> None:
    worker = factories.make_worker("cpu:0")
    run = factories.make_run("grpo")
    StageRun.objects.exclude(pk=run.pk).update(state=State.CANCELLED)
    assert "only runs under way: <a href=" in text(ada.get("/workers/"))
    assert "Lately" not in text(ada.get(f"/workers/{worker.pk}/"))
    done = factories.make_run("grpo", state=State.SUCCEEDED, experiment=factories.make_experiment("demo-2"))
    done.attempts.update(
        worker=worker, started_at=timezone.now() - timedelta(seconds=90), ended_at=timezone.now()
    )
    page = text(ada.get(f"/workers/{worker.pk}/"))
    assert "Lately" in page and f'href="/runs/{done.pk}/"' in page and "1 min 30 s" in page


def test_the_log_is_text(ada: Client) -> None:
    worker = factories.make_worker("cpu:0")
    WorkerLog.objects.create(worker=worker, text="12:00:00 INFO run 7: <script>alert(1)</script>")
    page = text(ada.get(f"/workers/{worker.pk}/"))
    assert "run 7: &lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_queue_is_paused_and_resumed_by_its_button(ada: Client) -> None:
    factories.make_experiment()
    page = ada.post("/queues/default/pause/", {"next": "/experiments/demo-1/"}, follow=True)
    assert page.redirect_chain == [("/experiments/demo-1/", 302)]
    assert "nothing new starts. What runs goes on" in text(page)
    queue = Queue.objects.get(name="default")
    assert (queue.paused_by, queue.paused_at is None) == ("ada", False)
    assert "<strong>Paused</strong> by ada" in text(ada.get("/workers/"))
    assert "is paused already." in text(ada.post("/queues/default/pause/", follow=True))
    ada.post("/queues/default/resume/")
    assert Queue.objects.get(name="default").paused_at is None
    assert list(QueueEvent.objects.values_list("text", flat=True)) == ["paused", "resumed"]


def test_no_button_leads_elsewhere(ada: Client) -> None:
    answer = ada.post("/queues/default/pause/", {"next": "https://example.com/"})
    assert answer["Location"] == "/workers/"


def test_an_experiment_is_moved_by_its_buttons(ada: Client) -> None:
    for name in ("a-1", "b-1", "c-1"):
        factories.make_experiment(name)
    ada.post("/queues/default/move/", {"experiment": "c-1", "to": "front"})
    assert [one.name for one in in_line("default")] == ["c-1", "a-1", "b-1"]
    page = text(ada.get("/workers/"))
    assert page.index("/experiments/c-1/") < page.index("/experiments/a-1/") < page.index("/experiments/b-1/")
    assert "moved c-1 to the front" in page
    assert ada.post("/queues/default/move/", {"experiment": "c-1", "to": "sideways"}).status_code == 400
    assert ada.post("/queues/default/move/", {"experiment": "nothing", "to": "up"}).status_code == 404
    assert "first already" in text(
        ada.post("/queues/default/move/", {"experiment": "c-1", "to": "up"}, follow=True)
    )


def test_a_worker_out_of_service_says_why_wherever_it_is_named(ada: Client) -> None:
    worker = factories.make_worker("cpu:0")
    why = "the disk under /srv is full: 12 MB are free"
    Worker.objects.filter(pk=worker.pk).update(out_of_service_at=timezone.now(), out_of_service_why=why)
    for path in ("/", "/workers/", f"/workers/{worker.pk}/"):
        page = text(ada.get(path))
        assert "out of service" in page.lower() and why.removeprefix("the") in page, path
    assert "state-out_of_service" in page


def test_a_worker_is_drained_and_takes_runs_again(ada: Client) -> None:
    worker = factories.make_worker("cpu:0")
    ada.post(f"/workers/{worker.pk}/drain/", {"next": f"/workers/{worker.pk}/"})
    page = text(ada.get(f"/workers/{worker.pk}/"))
    assert "state-drained" in page and "Drained by ada" in page
    run = factories.make_run("grpo")
    run.attempts.update(worker=worker, device="cpu:0")
    assert "state-draining" in text(ada.get(f"/workers/{worker.pk}/"))
    ada.post(f"/workers/{worker.pk}/undrain/")
    assert Worker.objects.get(pk=worker.pk).drained_at is None


@pytest.mark.parametrize("path", ["/queues/default/pause/", "/queues/default/move/", "/workers/1/drain/"])
def test_changes_are_posted_by_somebody_signed_in(client: Client, path: str) -> None:
    assert client.post(path)["Location"].startswith("/sign-in")
    client.force_login(factories.make_user())
    assert client.get(path).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(factories.make_user())
    assert strict.post(path).status_code == 403


def test_the_page_asks_few_questions_however_many_runs_wait(
    ada: Client, django_assert_max_num_queries: Any
) -> None:
    for n in range(12):
        factories.make_experiment(f"many-{n}", seeds=(0, 1, 2))
    for _ in range(4):
        factories.make_worker("cpu:0", "cpu:1")
    queues.pause(queue="default", by="ada")
    with django_assert_max_num_queries(24):
        page = text(ada.get("/workers/"))
    assert "And 12 more queued runs behind these." in page
