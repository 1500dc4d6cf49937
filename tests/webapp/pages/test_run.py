"""The page of one run and its fragments."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests import factories, histories
from training.process.journal import PREPARING
from webapp.runs.models import StageRun, State
from webapp.telemetry.models import Rollout, RolloutGroup

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


def test_a_grpo_page_has_charts_rollouts_log_and_attempts(ada: Client) -> None:
    run = factories.make_run("grpo")
    attempt = run.attempts.get()
    histories.train(attempt, "grpo", steps=5)
    page = ada.get(f"/runs/{run.pk}/").content.decode()
    assert f'data-source="/runs/{run.pk}/charts.json"' in page
    assert page.count('<tr id="group-') == 6, "the newest of the 10 groups that there are"
    assert '<span id="group-count">10</span>' in page and '<span id="rollout-count">80</span>' in page
    assert "saved a checkpoint at step 5" in page
    attempt.refresh_from_db()
    assert f"{{&quot;{attempt.pk}&quot;:{attempt.journal_seq}}}" in page, "the stream goes on from here"


def test_a_run_says_its_main_settings_as_the_form_names_them(ada: Client) -> None:
    run = factories.make_run("grpo")
    settings = {
        "optimizer": {"learning_rate": 5e-5, "schedule": "linear"},
        "batch_size": 64,
        "gradient_accumulation": 2,
        "prompts": 12_800,
        "group_size": 8,
        "iterations": 1,
        "beta": 0.02,
        "max_new_tokens": 28,
        "rewards": [{"reward": "correct", "weight": 1.0}, {"reward": "shows_steps", "weight": 0.1}],
    }
    StageRun.objects.filter(pk=run.pk).update(spec={"settings": settings}, planned_steps=800)
    page = ada.get(f"/runs/{run.pk}/").content.decode()
    shown = page[page.index('class="run-settings"') : page.index('class="on-page"')]
    assert dict(re.findall(r"<div><dt>([^<]+)</dt><dd>([^<]+)</dd></div>", shown)) == {
        "Learning rate": "5e−05",
        "Schedule": "linear",
        "Batch size": "64",
        "Gradient accumulation": "2",
        "Prompts": "12,800",
        "Group size": "8",
        "KL coefficient β": "0.02",
        "Max. new tokens": "28",
        "Optimizer steps": "800",
        "Prompts a step": "16",
        "Reward weights": "correct 1, shows_steps 0.1",
    }
    for part in ("dynamics", "log-heading", "checkpoints"):
        assert f'<a href="#{part}">' in page and f'id="{part}"' in page


def test_the_charts_come_as_json(ada: Client) -> None:
    run = factories.make_run("grpo")
    histories.train(run.attempts.get(), "grpo", steps=5)
    charts = ada.get(f"/runs/{run.pk}/charts.json").json()["charts"]
    assert [chart["key"] for chart in charts][:2] == ["accuracy", "reward"]


def test_a_run_without_rollouts_shows_none(ada: Client) -> None:
    run = factories.make_run("pretrain")
    assert "Newest rollouts" not in ada.get(f"/runs/{run.pk}/").content.decode()


@pytest.mark.parametrize(("state", "hidden"), [(State.RUNNING, False), (State.SUCCEEDED, True)])
def test_only_what_moves_says_that_it_is_live(ada: Client, state: State, hidden: bool) -> None:
    run = factories.make_run("grpo", experiment=factories.make_experiment(stages=(("grpo", "grpo"),)))
    factories.make_attempt(factories.run_of(run.experiment, "baseline", "grpo"), state=state)
    factories.make_attempt(run, state=state)
    for path in (f"/runs/{run.pk}/", f"/runs/{run.pk}/rollouts/", f"/experiments/{run.experiment.name}/"):
        place = " ".join(ada.get(path).content.decode().split()).partition('id="live"')
        assert ("hidden" in place[0][-60:] + place[2][:10]) is hidden, path


def test_of_the_newest_step_groups_with_mixed_rewards_come_first(ada: Client) -> None:
    run = factories.make_run("grpo")
    attempt = run.attempts.get()
    for step in (1, 2):
        factories.add_rollouts(attempt, step=step, count=64)
    every = RolloutGroup.objects.order_by("-sampled_at", "-pk")
    alike = [one.group for one in every.filter(step=2)[:3]]
    Rollout.objects.filter(step=2, group__in=alike).update(reward=1.0, correct=True)
    page = ada.get(f"/runs/{run.pk}/rollouts/newest/").content.decode()
    mixed, even = every.filter(step=2).exclude(group__in=alike), every.filter(step=2, group__in=alike)
    assert re.findall(r'<tr id="group-(\d+)"', page) == [str(one.pk) for one in [*mixed, *even]][:6]
    assert f'href="/runs/{run.pk}/rollouts/{mixed[0].first_id}/"' in page
    assert f'href="/runs/{run.pk}/rollouts/"' in page, "the way to all of them"


@pytest.mark.parametrize("part", ["head", "records", "log", "rollouts/newest"])
def test_fragments_are_no_pages(ada: Client, part: str) -> None:
    run = factories.make_run("grpo")
    answer = ada.get(f"/runs/{run.pk}/{part}/")
    assert answer.status_code == 200
    assert "<html" not in answer.content.decode()


def test_what_happened_another_day_says_which(ada: Client) -> None:
    run = factories.make_run("grpo")
    at = datetime(2026, 3, 5, 4, 7, 9, tzinfo=UTC)
    run.attempts.update(started_at=at)
    run.events.update(at=at)
    page = ada.get(f"/runs/{run.pk}/records/").content.decode()
    assert page.count('5 Mar 04:07:09<span class="zone"> UTC</span></time>') == 1 + run.events.count()
    assert 'title="2026-03-05 04:07:09 UTC"' in page


def test_a_run_under_way_says_where_it_is_and_when_it_will_be_done(ada: Client) -> None:
    run = factories.make_run("grpo")
    now = timezone.now()
    StageRun.objects.filter(pk=run.pk).update(
        state=State.RUNNING, started_at=now, progress_done=40, progress_total=100, progress_unit="steps"
    )
    run.attempts.update(started_at=now - timedelta(seconds=80), device="cuda:1", hostname="node-7")
    head = " ".join(ada.get(f"/runs/{run.pk}/head/").content.decode().split())
    assert re.search(r"<dt>Left</dt><dd>2 min( \d s)?, until about <time", head)
    assert 'cuda:1 <span class="muted">node-7</span>' in head


def test_a_silent_worker_is_unreachable(ada: Client) -> None:
    run = factories.make_run("grpo")
    run.attempts.update(heartbeat_at=timezone.now() - timedelta(seconds=31))
    assert "state-unreachable" in ada.get(f"/runs/{run.pk}/head/").content.decode()


def test_a_run_that_is_asked_to_end_is_cancelling(ada: Client) -> None:
    run = factories.make_run("grpo")
    ada.post(f"/runs/{run.pk}/cancel/")
    run.refresh_from_db()
    assert run.cancel_requested_at is not None
    page = ada.get(f"/runs/{run.pk}/head/").content.decode()
    assert "state-cancelling" in page
    assert "Cancel</button>" not in page


def test_a_queued_run_says_how_many_are_before_it(ada: Client) -> None:
    experiment = factories.make_experiment()
    run = factories.run_of(experiment, "mul_tokens", "pretrain")
    assert "behind 1" in ada.get(f"/runs/{run.pk}/head/").content.decode()
    StageRun.objects.filter(pk=run.pk).update(ready_at=timezone.now() - timedelta(hours=1))
    assert "behind" not in ada.get(f"/runs/{run.pk}/head/").content.decode()  # workers go by ready_at too


def test_retry_starts_a_failed_run_again(ada: Client) -> None:
    run = factories.make_run("pretrain", state=State.FAILED)
    ada.post(f"/runs/{run.pk}/retry/")
    assert StageRun.objects.get(pk=run.pk).state == State.READY


def test_a_refused_cancel_says_why(ada: Client) -> None:
    run = factories.make_run("pretrain", state=State.SUCCEEDED)
    assert "nothing to cancel" in ada.post(f"/runs/{run.pk}/cancel/", follow=True).content.decode()


def test_get_changes_nothing(ada: Client) -> None:
    run = factories.make_run("pretrain")
    asked = ada.get(f"/runs/{run.pk}/cancel/").content.decode()
    assert "1 running" in asked and "5 waiting" in asked and "Cancel 6 runs" in asked
    assert ada.get(f"/runs/{run.pk}/retry/").status_code == 405
    run.refresh_from_db()
    assert (run.state, run.cancel_requested_at) == (State.RUNNING, None)
    assert ada.get("/runs/999999/").status_code == 404


def test_giving_up_a_failed_run_says_what_that_changes(ada: Client) -> None:
    run = factories.make_run("pretrain", state=State.FAILED)
    assert "suggestive at most" in ada.get(f"/runs/{run.pk}/cancel/").content.decode()
    page = ada.post(f"/runs/{run.pk}/cancel/", follow=True).content.decode()
    assert "no longer wait for this run" in page and f'action="/runs/{run.pk}/retry/"' in page


def test_preparing_data_is_a_bar_of_its_own(ada: Client) -> None:
    run = factories.make_run("pretrain")
    StageRun.objects.filter(pk=run.pk).update(
        progress_done=12_345_678,
        progress_total=10_000_000_000,
        progress_unit="tokens",
        progress_phase=PREPARING,
    )
    told = "preparing data: 12,345,678 of 10,000,000,000 tokens"
    head = ada.get(f"/runs/{run.pk}/head/").content.decode()
    assert f"<span>{told}</span>" in head
    assert '<progress max="10000000000" value="12345678" aria-label="preparing data">' in head
    grid = ada.get(f"/experiments/{run.experiment.name}/").content.decode()
    assert f'title="{told}"' in grid
    assert "<span>preparing data</span>" in grid
