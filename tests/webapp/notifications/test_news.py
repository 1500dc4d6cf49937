"""From events to notifications: each person once, of what they want to hear."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from tests import factories
from webapp.diagnosis import readings
from webapp.diagnosis.readings import Finding, Severity
from webapp.experiments.models import Experiment
from webapp.notifications import news
from webapp.notifications.models import Delivery, Mark, Notification, Wishes
from webapp.runs import lifecycle, services
from webapp.runs.models import Event, StageRun, State

pytestmark = pytest.mark.django_db


@pytest.fixture
def experiment() -> Experiment:
    return factories.make_experiment("demo-1", conditions=["baseline"], stages=[("pretrain", "pretrain")])


def end(run: StageRun, to: State, **columns: object) -> None:
    factories.make_attempt(run, state=State.RUNNING)
    assert lifecycle.move(run.pk, State.RUNNING, to, **columns)


def test_a_failure_and_the_end_are_told_once(experiment: Experiment) -> None:
    run = experiment.runs.get()
    end(run, State.FAILED, error="out of memory; take less")
    assert news.tell() == 2
    assert news.tell() == 0
    failed, ended = Notification.objects.order_by("pk")
    assert (failed.kind, failed.text, failed.path) == (
        "failed",
        "out of memory; take less",
        f"/runs/{run.pk}/",
    )
    assert failed.title == "demo-1: pretrain, baseline, seed 0 failed"
    assert (ended.title, ended.text) == ("demo-1 ended", "Runs: 1 failed.")


def test_the_end_tells_what_came_out() -> None:
    experiment = factories.make_experiment("demo-1", stages=[("pretrain", "pretrain")])
    for run in experiment.runs.order_by("condition__position"):
        attempt = factories.make_attempt(run, state=State.RUNNING)
        factories.add_evaluation(attempt, [i < 10 + 30 * run.condition.position for i in range(100)])
        assert lifecycle.move(run.pk, State.RUNNING, State.SUCCEEDED)
    assert news.tell() == 1
    text = Notification.objects.get().text
    assert text.startswith("Runs: 2 succeeded. mul_tokens − baseline after pretrain: +30.0 points, ")
    assert text.endswith(", differ.")


def test_a_second_end_is_told_again(experiment: Experiment) -> None:
    run = experiment.runs.get()
    end(run, State.FAILED)
    news.tell()
    services.retry(run=run, by="ada")
    assert news.tell() == 0
    run.refresh_from_db()
    end(run, State.SUCCEEDED)
    assert news.tell() == 1
    assert Notification.objects.first().title == "demo-1 is done"  # type: ignore[union-attr]


def test_an_event_that_commits_late_is_told_though_a_younger_one_was_before(experiment: Experiment) -> None:
    run = experiment.runs.get()
    late = Event.objects.create(stage_run=run, from_state="running", to_state=State.FAILED)
    number, late.pk = late.pk, None
    Event.objects.filter(pk=number).delete()
    Event.objects.create(stage_run=run, from_state="ready", to_state=State.RUNNING)
    news.tell()
    Event.objects.create(pk=number, stage_run=run, from_state="running", to_state=State.FAILED)
    assert news.tell() == 1


def test_the_mark_moves_over_settled_events_alone(experiment: Experiment) -> None:
    end(experiment.runs.get(), State.FAILED)
    news.tell()
    assert Mark.objects.get().event == 0
    Event.objects.update(at=Now() - timedelta(minutes=6))
    news.tell()
    assert Mark.objects.get().event == Event.objects.latest("pk").pk
    Notification.objects.all().delete()
    assert news.tell() == 0


def test_nobody_is_told_of_an_end_while_a_run_moves() -> None:
    experiment = factories.make_experiment("demo-1", stages=[("pretrain", "pretrain")])
    first, second = experiment.runs.order_by("pk")
    end(first, State.SUCCEEDED)
    assert news.tell() == 0
    end(second, State.SUCCEEDED)
    assert news.tell() == 1


def test_people_hear_what_they_wish(experiment: Experiment) -> None:
    bob, eve = factories.make_user("bob"), factories.make_user("eve")
    Wishes.objects.create(
        user=bob, everybody=True, ended=False, webhook_url="http://x.example/", email="b@x.example"
    )
    Wishes.objects.create(user=eve)
    Wishes.objects.create(user=experiment.owner, failed=False)
    end(experiment.runs.get(), State.FAILED)
    news.tell()
    told = set(Notification.objects.values_list("user__username", "kind"))
    assert told == {("ada", "ended"), ("bob", "failed")}
    assert set(Delivery.objects.values_list("notification__user__username", "channel")) == {
        ("bob", "webhook"),
        ("bob", "email"),
    }


def test_critical_findings_are_told_when_the_experiment_ends(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = experiment.runs.get()
    finding = Finding(
        "reward", Severity.CRITICAL, "Reward rises while correctness is flat", "0.1 to 0.9", "", "",
        run=run.pk, stage="pretrain", condition="baseline",
    )  # fmt: skip
    milder = Finding("sizes", Severity.WARNING, "Few problems", "", "", "")
    monkeypatch.setattr(readings, "of_experiment", lambda _: [finding, finding, milder])
    assert news.tell() == 0
    end(run, State.SUCCEEDED)
    assert news.tell() == 2
    critical = Notification.objects.get(kind="critical")
    assert critical.title == "demo-1: Reward rises while correctness is flat and 1 more"
    assert critical.path == "/experiments/demo-1/#findings"


def test_a_rule_that_fails_keeps_nobodys_news_back(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = factories.make_experiment("demo-2", conditions=["baseline"], stages=[("pretrain", "pretrain")])

    def of_experiment(asked: Experiment) -> list[Finding]:
        if asked == experiment:
            raise ZeroDivisionError
        return []

    monkeypatch.setattr(readings, "of_experiment", of_experiment)
    end(experiment.runs.get(), State.SUCCEEDED)
    end(other.runs.get(), State.SUCCEEDED)
    assert news.tell() == 2
    assert {one.title for one in Notification.objects.all()} == {"demo-1 is done", "demo-2 is done"}
    assert "the findings of demo-1 cannot be computed" in caplog.text


def test_what_was_published_elsewhere_is_no_news(experiment: Experiment) -> None:
    end(experiment.runs.get(), State.SUCCEEDED)
    Experiment.objects.update(imported=True)
    assert news.tell() == 0


def test_news_that_cannot_be_told_keep_no_other_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("demo-1", "demo-2"):
        made = factories.make_experiment(name, conditions=["baseline"], stages=[("pretrain", "pretrain")])
        end(made.runs.get(), State.FAILED)
    ways = news.recipients

    def broken(experiment: Experiment) -> object:
        if experiment.name == "demo-1":
            raise KeyError("a fault of ours")
        return ways(experiment)

    monkeypatch.setattr(news, "recipients", broken)
    assert news.tell() == 2
    assert set(Notification.objects.values_list("experiment__name", flat=True)) == {"demo-2"}
    assert "cannot be told" in caplog.text
