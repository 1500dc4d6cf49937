"""The overview's figures: what needs attention, how long it takes, on how many queries."""

import shutil
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests import factories, histories
from training.process.journal import PREPARING
from webapp.notifications.models import Notification
from webapp.pages.overview.rows import overview
from webapp.runs.models import StageRun, State, Worker

pytestmark = pytest.mark.django_db


def concerns() -> list[tuple[str, str]]:
    return [(one.severity, one.what) for one in overview(factories.make_user().pk).concerns]


def make_failed(count: int, **fields: object) -> None:
    experiment = factories.make_experiment("demo-1", seeds=range(count))
    for run in experiment.runs.filter(parent=None)[:count]:
        factories.make_attempt(run, state=State.FAILED)
    StageRun.objects.filter(state=State.FAILED).update(error="out of memory", **fields)
    StageRun.objects.filter(state=State.READY).update(state=State.CANCELLED)


def test_failures_of_the_week_need_attention_the_older_ones_no_more() -> None:
    make_failed(6)
    found = concerns()
    assert [severity for severity, _ in found] == ["critical"] * 4 + ["warning"]
    assert found[-1][1] == "2 more runs failed in the last 7 days"
    StageRun.objects.filter(state=State.FAILED).update(finished_at=timezone.now() - timedelta(days=8))
    assert concerns() == []


def test_a_full_disk_needs_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100 * 10**9, 95 * 10**9, 5 * 10**9))
    assert [severity for severity, _ in concerns()] == ["warning"]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100 * 10**9, 99.9 * 10**9, 10**8))
    assert [severity for severity, _ in concerns()] == ["critical"]


def test_an_unread_critical_finding_needs_the_attention_of_whom_it_was_told() -> None:
    experiment = factories.make_experiment("demo-1", stages=[])
    values = {
        "kind": "critical",
        "experiment": experiment,
        "title": "Reward without correctness",
        "path": "/",
    }
    Notification.objects.create(user=factories.make_user(), key="a", **values)
    Notification.objects.create(user=factories.make_user("bob"), key="a", **values)
    assert concerns() == [("critical", "Reward without correctness")]


def test_a_run_and_its_experiment_have_one_estimate_and_none_while_data_are_made() -> None:
    run = factories.make_run("grpo")
    StageRun.objects.exclude(pk=run.pk).update(state=State.CANCELLED)
    run.attempts.update(started_at=timezone.now() - timedelta(seconds=100))
    StageRun.objects.filter(pk=run.pk).update(progress_done=100, progress_total=150, progress_unit="steps")
    user = factories.make_user().pk
    [tile] = overview(user).under_way
    [one] = tile.runs
    assert one.seconds_left == pytest.approx(50, abs=5)
    assert one.seconds_left == pytest.approx(tile.grid.seconds_left, abs=1)
    StageRun.objects.filter(pk=run.pk).update(progress_phase=PREPARING, progress_unit="examples")
    [tile] = overview(user).under_way
    assert (tile.runs[0].seconds_left, tile.grid.seconds_left) == (None, None)


def test_a_critical_finding_is_dismissed_by_whom_it_was_told(client: Client) -> None:
    user = factories.make_user("ada")
    told = Notification.objects.create(
        user=user, key="a", kind="critical", title="Mode collapse", path="/",
        experiment=factories.make_experiment("demo-1", stages=[]),
    )  # fmt: skip
    client.force_login(factories.make_user("bob"))
    assert client.post(f"/notifications/{told.pk}/read/").status_code == 404
    client.force_login(user)
    assert "Dismiss: Mode collapse" in client.get("/").content.decode()
    assert client.post(f"/notifications/{told.pk}/read/").headers["Location"] == "/"
    assert "Mode collapse" not in client.get("/").content.decode()


def test_what_waits_says_for_what(client: Client) -> None:
    run = factories.make_run("grpo")
    StageRun.objects.filter(state=State.READY).update(state=State.WAITING)
    assert StageRun.objects.exclude(pk=run.pk).filter(state=State.WAITING).exists()
    client.force_login(factories.make_user())
    page = " ".join(client.get("/").content.decode().split())
    assert "for an earlier stage; no slot is free." in page


def test_slots_are_those_of_workers_that_answer() -> None:
    attempt = factories.make_run("grpo").attempts.get()
    values = {
        "hostname": "lab",
        "boot_id": "b",
        "pid": 1,
        "process_started": 1.0,
        "devices": ["cpu:0", "cpu:1"],
    }
    attempt.worker = Worker.objects.create(name="a", **values)
    attempt.save()
    Worker.objects.create(name="b", heartbeat_at=timezone.now() - timedelta(minutes=1), **values)
    Worker.objects.create(name="c", stopped_at=timezone.now(), **values)
    found = overview(factories.make_user().pk)
    assert (found.slots, found.free, [use.worker.name for use in found.workers]) == (2, 1, ["a", "b"])


def test_runs_of_a_machine_that_is_silent_are_one_line() -> None:
    experiment = factories.make_experiment("demo-1", seeds=(0, 1))
    for run in experiment.runs.filter(parent=None)[:3]:
        factories.make_attempt(run, heartbeat_at=timezone.now() - timedelta(seconds=59))
    found = [what for _, what in concerns() if "unreachable" in what]
    assert found == ["3 runs of demo-1 on laptop unreachable for 59 s"]


def test_results_follow_the_records() -> None:
    experiment = factories.make_experiment("demo-1", stages=[("pretrain", "pretrain")], seeds=(0,))
    first, second = experiment.runs.order_by("condition__position")
    factories.add_evaluation(factories.make_attempt(first, state=State.SUCCEEDED), [True] * 10 + [False] * 90)
    [result] = overview(factories.make_user().pk).results
    assert [(one.delta, one.note) for one in result.contrasts] == [("", "not decided yet")]
    factories.add_evaluation(
        factories.make_attempt(second, state=State.SUCCEEDED), [True] * 40 + [False] * 60
    )
    [result] = overview(factories.make_user().pk).results
    [difference] = result.contrasts
    assert (difference.stage, difference.condition, difference.delta) == ("pretrain", "mul_tokens", "+30.0")
    assert difference.verdict is not None and difference.verdict.word == "differ"


def test_the_queries_do_not_grow(client: Client, django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    for number in (1, 2, 3):
        histories.make_history(f"demo-{number}", done=6)
        waiting = factories.make_experiment(f"next-{number}", seeds=range(3))
        first, second, *_ = waiting.runs.filter(state=State.READY)
        factories.make_attempt(first)
        factories.make_attempt(second, state=State.FAILED)
        failed = waiting.runs.filter(state=State.READY)[:2].values("pk")
        waiting.runs.filter(pk__in=failed).update(state=State.FAILED, finished_at=timezone.now())
    client.force_login(factories.make_user())
    page = client.get("/").content.decode()  # results are read once, then kept
    assert "Running now" in page and "more runs failed" in page
    with django_assert_max_num_queries(27):
        client.get("/")


def test_the_fragment_has_no_frame(client: Client) -> None:
    client.force_login(factories.make_user())
    assert "<html" not in client.get("/", headers={"HX-Request": "true"}).content.decode()
