"""The overview's device timeline and tiles: what ran where and when, and how far experiments are."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests import factories
from webapp.pages.overview.experiments_running import running_experiments
from webapp.pages.overview.timeline import WIDTH, timeline
from webapp.runs.models import StageRun, State
from webapp.runs.queues import pause

pytestmark = pytest.mark.django_db


def ran(
    stage: str, begin: float, end: float | None, *, state: str = State.SUCCEEDED, device: str = "cpu:0"
) -> StageRun:
    """A run of demo-1 that ran between these hours ago."""
    now = timezone.now()
    ended = None if end is None else now - timedelta(hours=end)
    run = factories.run_of(factories.Experiment.objects.get(name="demo-1"), "baseline", stage)
    factories.make_attempt(
        run, state=state, started_at=now - timedelta(hours=begin), ended_at=ended, device=device
    )
    return run


def test_bars_stand_where_their_runs_were_and_slots_that_idle_have_a_lane() -> None:
    factories.make_experiment("demo-1")
    ran("pretrain", 2, 1)
    ran("instruct", 1, None, state=State.RUNNING)
    ran("drills", 1.5, 0.5, state=State.FAILED, device="cpu:1")
    ran("words", 30, 25)
    found = timeline([factories.make_worker("cuda:0")])
    assert found.hours == 3 and found.ticks == [
        "3 h ago",
        "2 h 15 min ago",
        "1 h 30 min ago",
        "45 min ago",
        "now",
    ]
    assert [(lane.host, lane.device, len(lane.bars)) for lane in found.lanes] == [
        ("box", "cuda:0", 0),
        ("laptop", "cpu:0", 2),
        ("laptop", "cpu:1", 1),
    ]
    first, second = found.lanes[1].bars
    assert (first.left, first.width) == (pytest.approx(WIDTH / 3, abs=1), pytest.approx(WIDTH / 3, abs=1))
    assert (second.state, second.left) == ("running", pytest.approx(2 * WIDTH / 3, abs=1))
    assert found.lanes[1].busy == pytest.approx(2 / 3, abs=0.01)
    assert found.lanes[2].bars[0].state == "failed"
    assert [bar.name.partition(",")[0] for _, bar in found.bars] == ["instruct", "drills", "pretrain"]


def test_two_at_once_on_one_device_have_a_lane_each() -> None:
    factories.make_experiment("demo-1")
    ran("pretrain", 2, 1)
    ran("instruct", 1.5, 0.5)
    assert [len(lane.bars) for lane in timeline([]).lanes] == [1, 1]


def test_lanes_of_workers_that_are_gone_fold_beyond_the_first() -> None:
    factories.make_experiment("demo-1")
    ran("pretrain", 2, 1, device="cpu:8")
    for number in range(8):
        ran("instruct", 0.5, 0.25, device=f"cpu:{number}")
    found = timeline([factories.make_worker("cuda:0", "cuda:1")])
    assert [lane.device for lane in found.lanes if lane.lives] == ["cuda:0", "cuda:1"]
    assert (len(found.lanes), len(found.folded), found.hidden) == (6, 5, 0)


def test_the_page_draws_the_lanes_and_lists_the_same_as_a_table(client: Client) -> None:
    client.force_login(factories.make_user())
    factories.make_experiment("demo-1")
    run = ran("pretrain", 0.5, 0.25)
    page = client.get("/").content.decode()
    assert page.count(f'href="/runs/{run.pk}/"') == 2, "the bar, and its row"
    assert 'data-state="succeeded"' in page and "50 %" not in page and "25 %" in page


def test_a_tile_has_progress_accuracy_and_the_end(client: Client, django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    assert running_experiments() == []
    for number in (1, 2):
        experiment = factories.make_experiment(
            f"demo-{number}", stages=[("pretrain", "pretrain"), ("grpo", "grpo")]
        )
        done = factories.make_run("pretrain", state=State.SUCCEEDED, experiment=experiment)
        factories.add_evaluation(done.attempts.get(), [True] * 3 + [False])
        going = factories.make_run("grpo", experiment=experiment)
        StageRun.objects.filter(pk=going.pk).update(
            progress_done=50, progress_total=100, progress_unit="steps", planned_steps=100
        )
    with django_assert_max_num_queries(8):
        first, second = running_experiments()
    assert (first.experiment.name, second.experiment.name) == ("demo-1", "demo-2")
    assert first.percent == round(100 * 1.5 / 4) and first.grid.done == 1 and not first.paused
    assert [(one.condition.name, one.rate) for one in first.conditions] == [
        ("baseline", None),
        ("mul_tokens", 0.75),
    ]
    client.force_login(factories.make_user())
    page = client.get("/").content.decode()
    assert "1 of 4 runs" in page and "75.0 %" in page and "after pretrain" in page
    assert "n = 4, 1 seed" in " ".join(page.split())
    pause(queue="default", by="ada")
    assert all(one.paused for one in running_experiments())
