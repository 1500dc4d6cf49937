"""The list of a run's groups, narrowed, sorted and in parts, with one of them beside it."""

import re
from collections import defaultdict
from collections.abc import Callable
from html import unescape
from urllib.parse import urlencode

import pytest
from django.db.models import F
from django.http import QueryDict
from django.test import Client

from tests import factories
from webapp.pages.rollouts.filters import RolloutFilter
from webapp.pages.rollouts.prompt_lines import prompt_lines
from webapp.runs.models import Attempt, StageRun, State
from webapp.telemetry import groups, rollout_files, search
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


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "SHOWN", 6)


def shown(client: Client, path: str, **query: object) -> list[RolloutGroup]:
    """Every part of the list, one after the other."""
    answer = client.get(path, query)
    found = [group for group, _ in answer.context["rows"]]
    while more := answer.context["more"]:
        answer = client.get(path, {**query, "after": more})
        found += [group for group, _ in answer.context["rows"]]
    return found


def newest(run: StageRun) -> list[RolloutGroup]:
    return list(groups.of_runs([run.pk]).order_by("-step", "-group"))


def in_file(run: StageRun, query: dict[str, object]) -> int:
    """How many rollouts the file has."""
    wanted = RolloutFilter(QueryDict(urlencode(query)), [run])
    made = rollout_files.rows(run.experiment, wanted.runs, wanted.narrowed)
    return sum(len(chunk) for chunk in made.chunks)


Kept = Callable[[Rollout], bool]
HOLD: list[tuple[dict[str, object], Kept]] = [
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


@pytest.mark.parametrize(("query", "kept"), HOLD)
def test_the_list_has_the_groups_that_hold_what_fits(
    ada: Client, run: StageRun, query: dict[str, object], kept: Kept
) -> None:
    search.index_texts()
    fitting = [one for one in Rollout.objects.all() if kept(one)]
    held = {(one.step, one.group) for one in fitting}
    path = f"/runs/{run.pk}/rollouts/"
    assert shown(ada, path, **query) == [one for one in newest(run) if (one.step, one.group) in held]
    page = ada.get(path, query)
    assert "Download all 160" in page.content.decode()
    if query:
        assert page.context["found"].groups == len(held)
        assert (f"The {len(fitting)} that fit" in page.content.decode()) == bool(fitting)
        assert in_file(run, query) == len(fitting)
    rows = ada.get(f"{path}groups/", query).content.decode()
    assert rows.count("<tr id=") == min(groups.SHOWN, len(held))


Taken = Callable[[RolloutGroup], bool]
WHOLE: list[tuple[dict[str, object], Taken]] = [
    ({"solved": "none"}, lambda g: g.correct == 0),
    ({"solved": "some"}, lambda g: 0 < g.correct < g.rollouts),
    ({"solved": "all"}, lambda g: g.correct == g.rollouts),
    ({"mixed": "on"}, lambda g: g.spread > 0),
]


@pytest.mark.parametrize(("query", "taken"), WHOLE)
def test_whole_groups_are_asked_for(
    ada: Client, run: StageRun, query: dict[str, object], taken: Taken
) -> None:
    some = Rollout.objects.filter(attempt__stage_run=run)
    some.filter(step__in=(2, 5)).update(correct=False, reward=0.0)
    some.filter(step=8).update(correct=True, reward=1.0)
    expected = [one for one in newest(run) if taken(one)]
    assert shown(ada, f"/runs/{run.pk}/rollouts/", **query) == expected != []
    assert in_file(run, query) == sum(one.rollouts for one in expected)
    both = {**query, "answer": "correct", "from_reward": 0.9}  # of groups that fit, the rollouts that do
    right = some.filter(correct=True, reward__gte=0.9).values_list("step", "group")
    held = [one for one in expected if (one.step, one.group) in set(right)]
    assert shown(ada, f"/runs/{run.pk}/rollouts/", **both) == held


def ask_again(run: StageRun) -> None:
    """One prompt at steps 2, 5 and 8, solved by none, by some and by none; another at 3 and 6, by some both times."""
    rollouts = Rollout.objects.filter(attempt__stage_run=run)
    for steps, prompt, solved in (((2, 5, 8), "again?", (5,)), ((3, 6), "solved?", (3, 6))):
        for step in steps:
            group = rollouts.filter(step=step).earliest("index").group
            own = rollouts.filter(step=step, group=group)
            own.update(prompt=prompt, correct=False)
            if step in solved:
                own.filter(index__lt=3).update(correct=True)


def test_prompts_that_became_right_later_are_found(ada: Client, run: StageRun) -> None:
    path = f"/runs/{run.pk}/rollouts/"
    for one in groups.of_runs([run.pk]):
        Rollout.objects.filter(step=one.step, group=one.group).update(prompt=f"{one}?")
    assert shown(ada, path, became_right="on") == []
    assert (
        "No prompt was asked at more than one step" in ada.get(path, {"became_right": "on"}).content.decode()
    )
    ask_again(run)
    assert [one.step for one in shown(ada, path, became_right="on")] == [5]
    assert shown(ada, path, became_right="on", from_step=6) == []
    assert "No group fits so far" in ada.get(path, {"became_right": "on", "from_step": 6}).content.decode()
    StageRun.objects.filter(pk=run.pk).update(finished_at=F("created_at"))
    none = ada.get(path, {"became_right": "on", "from_step": 6}).content.decode()
    assert "only a prompt that is asked at several steps can become right later" in none
    other = factories.make_attempt(factories.run_of(run.experiment, "baseline", "grpo"))
    factories.add_rollouts(other, step=9)
    Rollout.objects.filter(attempt=other).update(prompt="again?", correct=True)
    across = f"/experiments/{run.experiment.name}/rollouts/"
    assert [one.step for one in shown(ada, across, became_right="on")] == [5], (
        "an earlier visit of the same run"
    )


def test_the_list_is_sorted(ada: Client, run: StageRun) -> None:
    path = f"/runs/{run.pk}/rollouts/"
    spreads = [one.spread for one in shown(ada, path, sort="spread")]
    assert spreads == sorted(spreads, reverse=True) and len(spreads) == 20
    page = ada.get(path, {"sort": "step"}).content.decode()
    assert 'data-sort="step"' in page and '<option value="step" selected>' in page


def test_a_prompt_stands_in_the_list_once_and_safely(ada: Client, run: StageRun) -> None:
    Rollout.objects.filter(attempt__stage_run=run, step=10).update(prompt="User: how\nmany <b>?\nAssistant:")
    page = ada.get(f"/runs/{run.pk}/rollouts/groups/").content.decode()
    assert page.count("how many &lt;b&gt;?") == 2, "two groups of a step, once each"
    assert re.findall(r'class="count">(\d+/\d+)<', page)[0] == f"{newest(run)[0].correct}/8"


def test_lines_leave_out_what_all_prompts_share() -> None:
    ask = "Answer briefly.\nUser: {} has {} bags.\nAssistant:".format
    assert prompt_lines([ask("Mia", 3), ask("Max", 5)]) == ["User: Mia has 3 bags.", "User: Max has 5 bags."]
    shots = "Q: 1 + 1?\nA: 2\n" * 30
    assert prompt_lines([f"{shots}Q: 2 + 2?", f"{shots}Q: 3\n+ 3?"]) == ["… Q: 2 + 2?", "… Q: 3 + 3?"]
    assert prompt_lines(["User: one\nAssistant:"]) == ["User: one Assistant:"]
    assert prompt_lines(["same", "same"]) == ["same", "same"] and prompt_lines([]) == []
    assert len(prompt_lines(["x" * 999])[0]) == 240


def test_a_list_in_parts_has_neither_holes_nor_doubles_while_it_grows(ada: Client, run: StageRun) -> None:
    path = f"/runs/{run.pk}/rollouts/"
    every = newest(run)
    first = ada.get(path)
    factories.add_rollouts(run.attempts.get(), step=11, count=16)
    second = ada.get(path, {"after": first.context["more"]})
    found = [group for answer in (first, second) for group, _ in answer.context["rows"]]
    assert found == every[: 2 * groups.SHOWN]
    assert "data-live" in first.content.decode() and "data-live" not in second.content.decode()


def test_the_address_keeps_the_group_beside_the_list(ada: Client, run: StageRun) -> None:
    path = f"/runs/{run.pk}/rollouts/"
    last = newest(run)[-1]
    one = Rollout.objects.filter(attempt=last.attempt_id, step=last.step, group=last.group).latest("index")
    page = ada.get(path, {"group": one.pk})
    assert page.context["shown_group"] == last
    assert (
        f'<a href="/runs/{run.pk}/rollouts/{one.pk}/">Group {last.group}, step 1</a>' in page.content.decode()
    )
    by_itself = ada.get(f"/runs/{run.pk}/rollouts/{one.pk}/pane/").content.decode()
    assert by_itself.count("<article") == len(page.context["alike"])
    first = ada.get(path)
    assert first.context["shown_group"] == newest(run)[0]
    assert "by-default" in first.content.decode() and "by-default" not in page.content.decode()


@pytest.mark.parametrize(("group", "status"), [("x", 400), ("-1", 400), ("9" * 19, 400), ("999999999", 404)])
def test_a_group_that_is_none_is_refused(ada: Client, run: StageRun, group: str, status: int) -> None:
    assert ada.get(f"/runs/{run.pk}/rollouts/", {"group": group}).status_code == status


def test_a_group_of_another_run_is_refused(ada: Client, run: StageRun) -> None:
    other = factories.make_run("grpo", experiment=factories.make_experiment("other-1"))
    factories.add_rollouts(other.attempts.get(), step=1)
    foreign = Rollout.objects.get(attempt=other.attempts.get(), index=0)
    assert ada.get(f"/runs/{run.pk}/rollouts/", {"group": foreign.pk}).status_code == 404
    for tail in ("", "pane/", "texts/", "pair/"):
        assert ada.get(f"/runs/{run.pk}/rollouts/{foreign.pk}/{tail}").status_code == 404


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"from_step": 5, "to_step": 3}, "ends before it begins"),
        ({"from_step": "five"}, "Enter a whole number"),
        ({"from_step": "9" * 30}, "is no step"),
        ({"from_reward": "nan"}, "Enter a number"),
        ({"words": "***"}, "holds no word"),
        ({"answer": "perhaps"}, "Select a valid choice"),
        ({"solved": "half"}, "Select a valid choice"),
        ({"sort": "colour"}, "Select a valid choice"),
    ],
)
def test_a_mistake_is_told_at_its_field(
    ada: Client, run: StageRun, query: dict[str, object], says: str
) -> None:
    answer = ada.get(f"/runs/{run.pk}/rollouts/", query)
    assert answer.status_code == 200
    assert says in answer.content.decode()
    assert "Shown until the filter is fixed: all" in answer.content.decode()
    assert len(answer.context["rows"]) == groups.SHOWN


def test_a_place_that_is_none_is_refused(ada: Client, run: StageRun) -> None:
    answer = ada.get(f"/runs/{run.pk}/rollouts/", {"after": "1.x"})
    assert answer.status_code == 400
    assert "leave `after` out" in answer.content.decode()


def test_a_search_says_how_far_the_index_is(ada: Client, run: StageRun) -> None:
    assert "searched up to step 0" in ada.get(f"/runs/{run.pk}/rollouts/", {"words": "bags"}).content.decode()
    search.index_texts()
    assert "searched up to" not in ada.get(f"/runs/{run.pk}/rollouts/", {"words": "bags"}).content.decode()


def test_a_bar_of_rewards_leads_to_its_rollouts(ada: Client, run: StageRun) -> None:
    page = ada.get(f"/runs/{run.pk}/rollouts/", {"from_step": 4}).content.decode()
    bars = re.findall(r'<a href="([^"]+)" data-narrow\s+aria-label="[^"]*: (\d+) rollouts"', page)
    counted = defaultdict[float, int](int)
    for one in Rollout.objects.filter(step__gte=4):
        counted[one.reward] += 1
    assert sorted(int(count) for _, count in bars) == sorted(counted.values())
    for address, count in bars:
        narrowed = ada.get(f"/runs/{run.pk}/rollouts/{unescape(address)}").content.decode()
        assert f"The {count} that fit" in narrowed and "left-out" in narrowed


def test_attempts_that_were_replaced_are_not_listed(ada: Client, run: StageRun) -> None:
    again: Attempt = factories.make_attempt(run, first_step=6)
    factories.add_rollouts(again, step=7, count=8)
    found = shown(ada, f"/runs/{run.pk}/rollouts/")
    assert {(one.attempt_id, one.step) for one in found if one.step > 6} == {(again.pk, 7)}


def test_an_experiment_s_list_has_the_groups_of_all_its_runs(ada: Client, run: StageRun) -> None:
    other = factories.run_of(run.experiment, "baseline", "grpo")
    attempt = factories.make_attempt(other)
    for step in range(1, 4):
        factories.add_rollouts(attempt, step=step, count=8)
    path = f"/experiments/{run.experiment.name}/rollouts/"
    answer = ada.get(path)
    assert (answer.context["total"].groups, answer.context["total"].rollouts) == (20 + 3, 160 + 24)
    found = shown(ada, path)
    assert len(found) == len({one.pk for one in found}) == 23
    times = [one.sampled_at for one in found]
    assert times == sorted(times, reverse=True)
    only = ada.get(path, {"condition": "baseline"})
    assert only.context["found"].rollouts == 24
    assert {group.attempt_id for group, _ in only.context["rows"]} == {attempt.pk}
    text = ada.get(f"{path}groups/", {"condition": "baseline"}).content.decode()
    assert text.count("<tr id=") == 3 and "baseline" in text


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
