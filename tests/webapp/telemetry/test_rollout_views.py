"""The list of a run's rollouts, narrowed and in parts, and one group with its prompt through training."""

from collections.abc import Callable

import pytest
from django.test import Client

from tests import factories
from webapp.runs.models import Attempt, StageRun
from webapp.telemetry import bars, rollouts, search
from webapp.telemetry.models import Rollout

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


@pytest.fixture
def run() -> StageRun:
    run = factories.make_run("grpo")
    for step in range(1, 11):
        factories.add_rollouts(run.attempts.get(), step=step, count=16)
    return run


def shown(client: Client, run: StageRun, **query: object) -> list[Rollout]:
    """Every part of the list, one after the other."""
    answer = client.get(f"/runs/{run.pk}/rollouts/", query)
    found = list(answer.context["rollouts"])
    while older := answer.context["older"]:
        answer = client.get(f"/runs/{run.pk}/rollouts/", {**query, "before": older})
        found += answer.context["rollouts"]
    return found


Kept = Callable[[Rollout], bool]
NARROWED: list[tuple[dict[str, object], Kept]] = [
    ({}, lambda r: True),
    ({"answer": "correct"}, lambda r: r.correct),
    ({"answer": "wrong"}, lambda r: not r.correct),
    ({"mul_tokens": "on"}, lambda r: r.mul_tokens > 0),
    ({"repeats": "on", "hit_limit": "on"}, lambda r: r.repeats and r.hit_limit),
    ({"from_step": 3, "to_step": 5}, lambda r: 3 <= r.step <= 5),
    ({"from_reward": 0.5, "answer": "wrong"}, lambda r: r.reward >= 0.5 and not r.correct),
    ({"to_reward": 0.4}, lambda r: r.reward <= 0.4),
    ({"words": "apples bags", "to_step": 2}, lambda r: r.step <= 2),
    ({"words": "nothing-like-it"}, lambda r: False),
]


@pytest.mark.parametrize(("query", "kept"), NARROWED)
def test_the_list_holds_what_fits_newest_first(
    ada: Client, run: StageRun, query: dict[str, object], kept: Kept
) -> None:
    search.index_texts()
    every = list(rollouts.counted(run.pk).order_by(*rollouts.NEWEST_FIRST))
    assert shown(ada, run, **query) == [rollout for rollout in every if kept(rollout)]
    answer = ada.get(f"/runs/{run.pk}/rollouts/", query)
    assert answer.context["found"] == (len([r for r in every if kept(r)]) if query else None)
    newest = ada.get(f"/runs/{run.pk}/rollouts/newest/", query).content.decode()
    assert newest.count("<article") == min(rollouts.SHOWN, len([r for r in every if kept(r)]))


def test_a_list_in_parts_has_neither_holes_nor_doubles_while_it_grows(ada: Client, run: StageRun) -> None:
    first = ada.get(f"/runs/{run.pk}/rollouts/")
    factories.add_rollouts(run.attempts.get(), step=11, count=16)
    second = ada.get(f"/runs/{run.pk}/rollouts/", {"before": first.context["older"]})
    every = list(rollouts.counted(run.pk).filter(step__lte=10).order_by(*rollouts.NEWEST_FIRST))
    assert [*first.context["rollouts"], *second.context["rollouts"]] == every[: 2 * rollouts.SHOWN]
    assert "data-live" in first.content.decode()
    assert "data-live" not in second.content.decode()


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"from_step": 5, "to_step": 3}, "ends before it begins"),
        ({"from_step": "five"}, "Enter a whole number"),
        ({"from_reward": "nan"}, "Enter a number"),
        ({"words": "***"}, "holds no word"),
        ({"answer": "perhaps"}, "Select a valid choice"),
    ],
)
def test_a_mistake_is_told_at_its_field(
    ada: Client, run: StageRun, query: dict[str, object], says: str
) -> None:
    answer = ada.get(f"/runs/{run.pk}/rollouts/", query)
    assert answer.status_code == 200
    assert says in answer.content.decode()


def test_a_place_that_is_none_is_refused(ada: Client, run: StageRun) -> None:
    answer = ada.get(f"/runs/{run.pk}/rollouts/", {"before": "1.x"})
    assert answer.status_code == 400
    assert "leave `before` out" in answer.content.decode()


def test_a_search_says_how_far_the_index_is(ada: Client, run: StageRun) -> None:
    assert "searched up to step 0" in ada.get(f"/runs/{run.pk}/rollouts/", {"words": "bags"}).content.decode()
    search.index_texts()
    assert "searched up to" not in ada.get(f"/runs/{run.pk}/rollouts/", {"words": "bags"}).content.decode()


def test_a_group_stands_side_by_side_with_its_prompt_s_other_steps(ada: Client, run: StageRun) -> None:
    attempt = run.attempts.get()
    group = list(Rollout.objects.filter(attempt=attempt, step=4).order_by("index")[:8])
    for rollout in group:
        rollout.prompt, rollout.completion = "User: how many <b>?\nAssistant:", "one two three " * 3
        rollout.save()
    later = Rollout.objects.filter(attempt=attempt, step=7, group=group[0].group + 6)
    assert later.update(prompt=group[0].prompt) == 8
    search.index_texts()
    answer = ada.get(f"/runs/{run.pk}/rollouts/{group[3].pk}/")
    text = answer.content.decode()
    assert text.count("<article") == 8
    assert "how many &lt;b&gt;?" in text
    assert text.count('<mark class="repeat">') == 8
    assert [visit.step for visit in answer.context["visits"]] == [4, 7]
    rewards = [rollout.reward for rollout, _ in answer.context["group"]]
    assert rewards == sorted(rewards, reverse=True)


def test_a_group_belongs_to_its_run(ada: Client, run: StageRun) -> None:
    other = factories.make_run("grpo", experiment=factories.make_experiment("other-1"))
    factories.add_rollouts(other.attempts.get(), step=1)
    foreign = Rollout.objects.get(attempt=other.attempts.get(), index=0)
    assert ada.get(f"/runs/{run.pk}/rollouts/{foreign.pk}/").status_code == 404


def test_bars_stack_outwards_from_zero_and_stay_inside() -> None:
    parts = bars.bar(
        {"correct": 1.0, "uses_mul_tokens": 5.0, "repetition": -0.5, "short_response": -9.0, "x": 0.0}
    )
    assert [part.name for part in parts] == ["correct", "uses_mul_tokens", "repetition", "short_response"]
    correct, uses, repetition, short = parts
    assert correct.x + correct.width == pytest.approx(uses.x, abs=0.02)
    assert uses.x + uses.width == pytest.approx(bars.WIDTH, abs=0.02)
    assert repetition.x + repetition.width == pytest.approx(bars.ZERO, abs=0.02)
    assert short.x == 0
    assert correct.width == pytest.approx(bars.UNIT, abs=0.02)


def test_attempts_that_were_replaced_are_not_listed(ada: Client, run: StageRun) -> None:
    again: Attempt = factories.make_attempt(run, first_step=6)
    factories.add_rollouts(again, step=7, count=4)
    assert {(r.attempt.number, r.step) for r in shown(ada, run) if r.step > 6} == {(2, 7)}
