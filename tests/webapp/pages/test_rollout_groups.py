"""One group with its prompt through training, and beside another condition's."""

import re

import pytest
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.test import Client

from tests import factories
from webapp.charts import bars
from webapp.runs.models import StageRun
from webapp.telemetry.models import Rollout, RolloutGroup

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


def of_step(run: StageRun, step: int) -> list[Rollout]:
    """The first group of a step."""
    return list(Rollout.objects.filter(attempt__stage_run=run, step=step).order_by("index")[:8])


def ask(run: StageRun, prompt: str, *steps: int) -> None:
    for step in steps:
        Rollout.objects.filter(pk__in=[one.pk for one in of_step(run, step)]).update(prompt=prompt)


def test_a_group_stands_side_by_side_with_its_prompt_s_other_steps(ada: Client, run: StageRun) -> None:
    ask(run, "User: how many <b>?\nAssistant:", 4, 7)
    group = of_step(run, 4)
    Rollout.objects.filter(pk__in=[one.pk for one in group]).update(completion="one two three " * 3)
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
    assert "This prompt through training" in text
    rewards = [same[0].reward for same in alike]
    assert rewards == sorted(rewards, reverse=True)


def test_a_prompt_that_was_asked_once_has_no_course(ada: Client, run: StageRun) -> None:
    ask(run, "only here?", 4)
    assert (
        "This prompt through training"
        not in ada.get(f"/runs/{run.pk}/rollouts/{of_step(run, 4)[0].pk}/").content.decode()
    )


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
    assert re.search(r"all the same\s*·", text)


def test_an_advantage_says_what_it_is_relative_to(ada: Client, run: StageRun) -> None:
    StageRun.objects.filter(pk=run.pk).update(spec={"settings": {"scale_rewards": "batch"}})
    group = of_step(run, 4)
    for place, one in enumerate(group):
        Rollout.objects.filter(pk=one.pk).update(completion="the same", reward=0.5, advantage=place / 4 - 1)
    text = " ".join(ada.get(f"/runs/{run.pk}/rollouts/{group[0].pk}/").content.decode().split())
    assert "less the group’s mean +0.50, divided by the SD of all rewards of the step" in text
    assert "−1.00 to +0.75" in text, "of eight that are the same"


def test_a_group_of_a_replaced_attempt_says_that_it_does_not_count(ada: Client, run: StageRun) -> None:
    later = factories.make_attempt(run, first_step=6)
    factories.add_rollouts(later, step=7, count=8)
    replaced, kept = (
        ada.get(f"/runs/{run.pk}/rollouts/{of_step(run, step)[0].pk}/").content.decode() for step in (8, 6)
    )
    assert "Of attempt 1, replaced from step 7 on: not counted." in replaced
    assert "not counted" not in kept and "Previous group" in kept


def test_a_list_marks_groups_that_were_cut_or_repeat(ada: Client, run: StageRun) -> None:
    RolloutGroup.objects.filter(attempt__stage_run=run).update(hit_limit=0, repeats=0)
    RolloutGroup.objects.filter(first=of_step(run, 5)[0].pk).update(hit_limit=2)
    text = ada.get(f"/runs/{run.pk}/rollouts/").content.decode()
    assert text.count("cut at the token limit") == 1 and "2 of 8 cut at the token limit" in text
    assert bars.with_counts({0: 99, 1: 100, 5: 9_999}) == {0, 5}, "numbers that fit above their columns"


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
    assert bars.box([{"correct": 1.0}, {"repetition": -0.5}]) == "0 0 100 8"
    assert bars.box([{"correct": 1.0}, {}]) == "33.33 0 66.67 8", "without what nothing reaches"


@pytest.fixture
def baseline(run: StageRun) -> StageRun:
    """The same stage and seed in the other condition: one prompt of both at steps 2, 5 and 8, one here at step 9 and there at 4 and 7."""
    other = factories.run_of(run.experiment, "baseline", "grpo")
    factories.make_attempt(other)
    for step in range(1, 11):
        factories.add_rollouts(other.attempts.get(), step=step, count=16, seed=1)
    drawn = Rollout.objects.filter(attempt__stage_run=other)
    drawn.update(
        prompt=Concat(Value("Its own: "), F("prompt"))
    )  # so that no prompt is that of both by chance
    for one in (run, other):
        ask(one, "of both?", 2, 5, 8)
    ask(run, "apart?", 9)
    ask(other, "apart?", 4, 7)
    ask(run, "nowhere there?", 3)
    return other


def test_two_conditions_stand_side_by_side_at_one_step(
    ada: Client, run: StageRun, baseline: StageRun
) -> None:
    chosen = of_step(run, 5)[0]
    assert (
        f'href="/runs/{run.pk}/rollouts/{chosen.pk}/pair/?with={baseline.pk}"'
        in ada.get(f"/runs/{run.pk}/rollouts/{chosen.pk}/pane/").content.decode()
    )
    page = ada.get(f"/runs/{run.pk}/rollouts/{chosen.pk}/pair/", {"with": baseline.pk})
    pair = page.context["pair"]
    mine, other = (RolloutGroup.objects.get(first=of_step(one, 5)[0].pk) for one in (run, baseline))
    assert (pair.mine, pair.other, pair.apart) == (mine, other, 0)
    differences = page.context["differences"]  # always condition − baseline
    assert differences["solved"] == pytest.approx((mine.correct - other.correct) / 8)
    assert differences["reward"] == pytest.approx(mine.reward - other.reward)
    assert [side.condition.name for side, *_ in page.context["sides"]] == ["baseline", "mul_tokens"]
    assert (pair.earlier_step.step, pair.later_step.step) == (2, 8)
    assert (pair.before.step, pair.after.step) == (2, 8), "the next groups whose prompt both have"
    text = page.content.decode()
    assert "nearest visit" not in text and "mul_tokens − baseline" in text
    assert f"/runs/{baseline.pk}/rollouts/{other.first_id}/" in text
    back = ada.get(f"/runs/{baseline.pk}/rollouts/{other.first_id}/pair/", {"with": run.pk}).context
    assert back["differences"] == differences, "from whichever of both it is opened"
    assert [side.condition.name for side, *_ in back["sides"]] == ["baseline", "mul_tokens"]


def test_the_next_pair_where_both_differ_is_found(ada: Client, run: StageRun, baseline: StageRun) -> None:
    for one, right in ((run, {2: 3, 5: 3, 8: 4}), (baseline, {2: 1, 5: 3, 8: 4})):
        for step, correct in right.items():
            RolloutGroup.objects.filter(first=of_step(one, step)[0].pk).update(correct=correct)
    page = ada.get(f"/runs/{run.pk}/rollouts/{of_step(run, 5)[0].pk}/pair/")
    pair = page.context["pair"]
    assert pair.differing_before.step == 2 and pair.differing_after is None
    text = page.content.decode()
    assert "Previous that differs" in text and "Next that differs" not in text


def test_where_the_step_is_another_the_nearest_visit_is_said(
    ada: Client, run: StageRun, baseline: StageRun
) -> None:
    page = ada.get(f"/runs/{run.pk}/rollouts/{of_step(run, 9)[0].pk}/pair/")
    assert page.context["pair"].other.step == 7
    text = " ".join(page.content.decode().split())
    assert (
        "was not asked this prompt at step 9. Beside it stands its nearest visit, step 7, 2 steps earlier"
        in text
    )
    asked_here_alone = f"/runs/{run.pk}/rollouts/{of_step(run, 3)[0].pk}/"
    never = " ".join(ada.get(f"{asked_here_alone}pair/").content.decode().split())
    assert "baseline was never asked this prompt in grpo, seed 0; its groups are of steps " in never
    assert "At no other step" not in never
    assert "same prompt beside" not in ada.get(asked_here_alone).content.decode()


def test_only_a_run_of_this_stage_and_seed_can_stand_beside(
    ada: Client, run: StageRun, baseline: StageRun
) -> None:
    path = f"/runs/{run.pk}/rollouts/{of_step(run, 5)[0].pk}/pair/"
    for wrong in ("x", "0", str(run.pk), str(factories.run_of(run.experiment, "baseline", "mixed").pk)):
        assert ada.get(path, {"with": wrong}).status_code == 404
    baseline.reused_from = run
    baseline.save()
    assert "Both conditions have the same run here" in ada.get(path, {"with": baseline.pk}).content.decode()
