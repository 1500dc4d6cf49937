"""The list of a run's rollouts, narrowed and in parts, and one group with its prompt through training."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from tests import factories
from webapp.charts import bars
from webapp.runs.models import Attempt, StageRun, State
from webapp.telemetry import rollouts, search
from webapp.telemetry.models import Rollout

pytestmark = pytest.mark.django_db
NEWEST_FIRST = ("-attempt_id", "-seq", "-index")


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
    every = list(rollouts.counted(run.pk).order_by(*NEWEST_FIRST))
    assert shown(ada, run, **query) == [rollout for rollout in every if kept(rollout)]
    answer = ada.get(f"/runs/{run.pk}/rollouts/", query)
    assert answer.context["found"] == (len([r for r in every if kept(r)]) if query else None)
    newest = ada.get(f"/runs/{run.pk}/rollouts/newest/", query).content.decode()
    assert newest.count("<article") == min(rollouts.SHOWN, len([r for r in every if kept(r)]))


def test_a_list_in_parts_has_neither_holes_nor_doubles_while_it_grows(ada: Client, run: StageRun) -> None:
    first = ada.get(f"/runs/{run.pk}/rollouts/")
    factories.add_rollouts(run.attempts.get(), step=11, count=16)
    second = ada.get(f"/runs/{run.pk}/rollouts/", {"before": first.context["older"]})
    every = list(rollouts.counted(run.pk).filter(step__lte=10).order_by(*NEWEST_FIRST))
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
    alike = [same for same, *_ in answer.context["alike"]]
    assert sorted(one.pk for same in alike for one in same) == [one.pk for one in group]
    assert all(len({(one.completion, one.reward) for one in same}) == 1 for same in alike)
    assert text.count("<article") == len(alike) < 8
    assert text.count("times</b> the same") == sum(len(same) > 1 for same in alike)
    assert "how many &lt;b&gt;?" in text
    assert text.count('<mark class="repeat">') == len(alike)
    assert [visit.step for visit in answer.context["visits"]] == [4, 7]
    rewards = [same[0].reward for same in alike]
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


def test_an_experiment_s_list_has_the_rollouts_of_all_its_runs(ada: Client, run: StageRun) -> None:
    other = factories.run_of(run.experiment, "baseline", "grpo")
    attempt = factories.make_attempt(other)
    for step in range(1, 4):
        factories.add_rollouts(attempt, step=step, count=8)
    path = f"/experiments/{run.experiment.name}/rollouts/"
    answer = ada.get(path)
    assert answer.context["total"] == 160 + 24
    times = [rollout.sampled_at for rollout in answer.context["rollouts"]]
    assert times == sorted(times, reverse=True)
    assert {r.attempt.stage_run_id for r in answer.context["rollouts"]} == {run.pk, other.pk}
    only = ada.get(path, {"condition": "baseline"})
    assert only.context["found"] == 24
    assert {r.attempt_id for r in only.context["rollouts"]} == {attempt.pk}
    text = ada.get(f"{path}newest/", {"condition": "baseline"}).content.decode()
    assert text.count("<article") == 24
    assert "baseline" in text


def test_parts_of_an_experiment_s_list_have_neither_holes_nor_doubles(ada: Client, run: StageRun) -> None:
    other = factories.make_attempt(factories.run_of(run.experiment, "baseline", "grpo"))
    for step in range(1, 10):
        factories.add_rollouts(other, step=step, count=16)
    path = f"/experiments/{run.experiment.name}/rollouts/"
    answer = ada.get(path)
    found = list(answer.context["rollouts"])
    while older := answer.context["older"]:
        answer = ada.get(path, {"before": older})
        found += answer.context["rollouts"]
    assert len(found) == len({one.pk for one in found}) == Rollout.objects.count()


def test_a_reused_run_leads_to_where_its_rollouts_lie(ada: Client, run: StageRun) -> None:
    other = factories.make_experiment("demo-9", stages=(("grpo", "grpo"),))
    for condition in ("baseline", "mul_tokens"):
        taken = factories.run_of(other, condition, "grpo")
        factories.make_attempt(taken, state=State.SUCCEEDED)
        taken.reused_from = run
        taken.save()
    page = ada.get("/experiments/demo-9/rollouts/").content.decode()
    assert page.count(f'href="/runs/{run.pk}/rollouts/">grpo, ') == 2
    assert "No rollout was sampled here." in page and "as they are sampled" not in page


def test_all_are_listed_until_a_filter_is_fixed_and_that_is_said(ada: Client, run: StageRun) -> None:
    page = ada.get(f"/runs/{run.pk}/rollouts/?from_step=100&to_step=50").content.decode()
    assert "ends before it begins" in page and "Shown until the filter is fixed: all" in page


def test_what_has_no_advantage_shows_none_and_the_same_completions_are_one(
    ada: Client, run: StageRun
) -> None:
    chosen = Rollout.objects.filter(attempt__stage_run=run).earliest("pk")
    group = Rollout.objects.filter(attempt=chosen.attempt_id, step=chosen.step, group=chosen.group)
    for one in group:
        one.completion = f"one of eight: {one.index}"
        one.save()
    Rollout.objects.filter(pk=chosen.pk).update(advantage=None)
    text = ada.get(f"/runs/{run.pk}/rollouts/{chosen.pk}/").content.decode()
    assert text.count("advantage") == 7  # of the eight completions of the group
    texts = ada.get(f"/runs/{run.pk}/rollouts/{chosen.pk}/texts/").content.decode()
    assert texts.count("<article") == 8
    group.update(completion="the same", reward=chosen.reward)
    text = ada.get(f"/runs/{run.pk}/rollouts/{chosen.pk}/").content.decode()
    assert "<b>8 times</b> the same" in text
    assert re.search(r"all the same\s*</span>", text)
