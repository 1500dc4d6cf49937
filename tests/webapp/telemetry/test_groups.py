"""What is kept of groups is what their rollouts say, whatever is written; lists of them have neither holes nor doubles."""

from collections import defaultdict
from importlib import import_module
from statistics import mean, stdev

import pytest
from django.db import connection

from tests import factories
from tests.rows import copy, row_of
from training.process.journal import RolloutRow
from webapp.runs.models import Attempt
from webapp.telemetry import groups, series
from webapp.telemetry.models import Rollout, RolloutGroup
from webapp.telemetry.reward_histogram import reward_histogram

pytestmark = [pytest.mark.services, pytest.mark.django_db]
KEPT = (
    "rollouts", "correct", "reward", "spread", "lowest", "highest", "tokens", "mul_tokens", "repeats", "hit_limit",
)  # fmt: skip


@pytest.fixture
def attempt() -> Attempt:
    attempt = factories.make_run("grpo").attempts.get()
    for step in range(1, 7):
        factories.add_rollouts(attempt, step=step, count=24)
    return attempt


def added_up() -> dict[tuple[int, int, int], tuple[float, ...]]:
    """What is to be kept, from the rollouts."""
    found = defaultdict[tuple[int, int, int], list[Rollout]](list)
    for one in Rollout.objects.all():
        found[one.attempt_id, one.step, one.group].append(one)
    return {
        key: (
            len(all_),
            sum(one.correct for one in all_),
            mean(rewards := [one.reward for one in all_]),
            stdev(rewards) if len(rewards) > 1 else 0,
            min(rewards),
            max(rewards),
            mean(one.tokens for one in all_),
            sum(one.mul_tokens > 0 for one in all_),
            sum(one.repeats for one in all_),
            sum(one.hit_limit for one in all_),
        )
        for key, all_ in found.items()
    }


def assert_kept() -> None:
    kept = {
        (one.attempt_id, one.step, one.group): tuple(getattr(one, name) for name in KEPT)
        for one in RolloutGroup.objects.all()
    }
    expected = added_up()
    assert kept.keys() == expected.keys()
    for key, values in expected.items():
        assert kept[key] == pytest.approx(values, abs=1e-9), key


def add(attempt: Attempt, *rewards: float, group: int = 1, step: int = 100, prompt: str = "one?") -> None:
    """One record of the journal, with rollouts of one group."""
    rows = [
        row_of(RolloutRow, group=group, prompt=prompt, reward=reward, correct=reward > 0.5, tokens=place)
        for place, reward in enumerate(rewards)
    ]
    where = {"attempt": attempt.pk, "seq": factories.next_seq(attempt), "step": step}
    at = attempt.started_at
    copy(Rollout, [{**where, "sampled_at": at, "index": index, **row} for index, row in enumerate(rows)])


def test_what_is_kept_follows_every_change(attempt: Attempt) -> None:
    assert_kept()
    add(attempt, 0.1, 0.2, 1.0)
    add(attempt, 0.7, 0.1)  # the rest of the group came in the next record
    add(attempt, *[0.1] * 5, group=2)
    add(attempt, *[0.1] * 3, group=2)
    add(attempt, 0.4, group=3)
    assert_kept()
    assert RolloutGroup.objects.get(step=100, group=2).spread == 0, (
        "equal rewards have none, however they add up"
    )
    Rollout.objects.filter(step=2).update(reward=0.25, correct=False)
    Rollout.objects.filter(step=3, index__lt=4).update(group=9_999)
    Rollout.objects.filter(step=4, index__gte=12).delete()
    assert_kept()


def test_no_reward_stops_what_comes_in(attempt: Attempt) -> None:
    add(attempt, 1e300, -1e300, float("inf"), float("nan"))
    kept = RolloutGroup.objects.get(step=100)
    assert kept.rollouts == 4 and kept.lowest == -1e100 and kept.highest == 1e100
    mine = series.rollouts_by_attempt([attempt.stage_run_id])
    assert reward_histogram(mine).rollouts == 6 * 24 + 2, "those that are numbers"


def test_the_migration_adds_up_what_is_there_already(attempt: Attempt) -> None:
    migration = import_module("webapp.telemetry.migrations.0006_rollout_groups")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else no trigger can go
        cursor.execute(migration.FORGET)
        RolloutGroup.objects.all().delete()
        factories.add_rollouts(attempt, step=7, count=16)
        cursor.execute(migration.KEEP)
    assert_kept()
    factories.add_rollouts(attempt, step=8, count=16)
    assert_kept()


@pytest.mark.parametrize("sort", groups.SORTS)
def test_parts_have_every_group_once_in_order(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    other = factories.make_attempt(factories.run_of(attempt.stage_run.experiment, "baseline", "grpo"))
    for step in range(1, 5):
        factories.add_rollouts(other, step=step, count=24)
    monkeypatch.setattr(groups, "SHOWN", 4)
    mine = groups.by_attempt([attempt.stage_run_id, other.stage_run_id])
    found: list[RolloutGroup] = []
    after = ""
    while True:
        part = groups.part(mine, sort, after)
        found += part.groups
        if not (after := part.more):
            break
    assert len(found) == len({one.pk for one in found}) == 30
    column = groups.SORTS[sort][1]
    values = [getattr(one, column.lstrip("-")) for one in found]
    assert values == sorted(values, reverse=column.startswith("-"))


def test_a_place_that_is_none_is_said(attempt: Attempt) -> None:
    mine = groups.by_attempt([attempt.stage_run_id])
    for sort, after in (
        ("reward", "x"),
        ("reward", "1.0"),
        ("reward", "1.0~x"),
        ("", "~"),
        ("", "2026-11-30~5"),
    ):
        with pytest.raises(ValueError, match="no place"):
            groups.part(mine, sort, after)
    assert groups.part(mine, "step", f"{10**30}~{10**30}").groups == []


def test_groups_that_hold_a_rollout_are_found_from_the_newest(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = series.rollouts_by_attempt([attempt.stage_run_id])
    wrong = {pk: rows.filter(correct=False, hit_limit=True) for pk, rows in mine.items()}
    expected = {
        RolloutGroup.objects.get(attempt=attempt, step=one.step, group=one.group).pk
        for one in Rollout.objects.filter(correct=False, hit_limit=True)
    }
    held = groups.holding(wrong)
    assert set(held.ids) == expected and held.complete
    assert held.rollouts == Rollout.objects.filter(correct=False, hit_limit=True).count()
    monkeypatch.setattr(groups, "LEAST_LOOKED_AT", 0)
    monkeypatch.setattr(groups, "LOOKED_AT", 24)
    held = groups.holding(mine)
    assert not held.complete
    assert {one.step for one in RolloutGroup.objects.filter(pk__in=held.ids)} == {6}
    assert groups.holding({}) == groups.Holding([], 0, True)


def test_a_prompt_is_followed_through_training(attempt: Attempt) -> None:
    run = attempt.stage_run_id
    for step, rewards in ((100, (0.1, 0.1)), (110, (0.1, 1.0)), (120, (1.0, 1.0))):
        add(attempt, *rewards, step=step, prompt="User: the one?")
    key = RolloutGroup.objects.get(step=110).prompt_key
    visits = groups.visits(run, key)
    assert [(visit.step, visit.correct, visit.rollouts) for visit in visits] == [
        (100, 0, 2),
        (110, 1, 2),
        (120, 2, 2),
    ]
    beside = groups.neighbours(run, visits[1])
    assert (beside.before, beside.after) == (visits[0].first_id, visits[2].first_id)
    factories.make_attempt(attempt.stage_run, first_step=105)
    assert [visit.step for visit in groups.visits(run, key)] == [100], "the others were sampled again"


def test_bars_of_rewards_show_their_own_rollouts(attempt: Attempt) -> None:
    mine = series.rollouts_by_attempt([attempt.stage_run_id])
    found = reward_histogram(mine)
    assert found.complete and found.rollouts == Rollout.objects.count()
    for bar in found.bars:
        assert Rollout.objects.filter(reward__gte=bar.low, reward__lte=bar.high).count() == bar.rollouts
    assert reward_histogram({}).bars == []
