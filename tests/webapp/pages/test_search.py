"""The search finds what every word fits, by few queries whatever there is."""

import pytest
from django.test import Client

from tests import factories, histories
from webapp.accounts import saved
from webapp.comparison.answers import kept_answers
from webapp.pages.search.hits import Hit, search
from webapp.runs.models import StageRun, State

pytestmark = pytest.mark.django_db


def found(text: str) -> list[Hit]:
    return search(text, factories.make_user().pk)


def titles(text: str, group: str = "") -> list[str]:
    return [hit.title for hit in found(text) if hit.group == group or not group]


def test_a_run_is_found_by_experiment_stage_condition_and_seed() -> None:
    factories.make_experiment("demo-1", seeds=(0, 1))
    factories.make_experiment("demo-2", seeds=(0, 1))
    assert titles("demo-1 grpo mul 1") == ["demo-1 / grpo, mul_tokens, seed 1"]
    assert len(titles("demo grpo", "Runs")) == 8
    assert titles("drills baseline", "Runs")[0] == "demo-2 / drills, baseline, seed 0"


def test_a_run_is_found_by_its_number() -> None:
    run = factories.run_of(factories.make_experiment("demo-1"), "baseline", "grpo")
    for text in (str(run.pk), f"run {run.pk}", f"#{run.pk}", f"demo-1 run {run.pk}"):
        assert "demo-1 / grpo, baseline, seed 0" in titles(text), text
    assert titles("9" * 30) == []


def test_pages_of_an_experiment_are_found_by_their_names() -> None:
    factories.make_experiment("demo-1")
    assert next(hit.url for hit in found("report demo-1")) == "/experiments/demo-1/report/"
    assert next(hit.url for hit in found("demo-1 comparison")) == "/experiments/demo-1/comparison/"
    factories.make_experiment("demo-10")
    assert [(hit.title, hit.inside) for hit in found("demo-1") if hit.group == "Experiments"] == [
        ("demo-10", False), *((f"{kind} of demo-10", True) for kind in ("Comparison", "Report", "Problem map")), ("demo-1", False),
    ]  # fmt: skip
    factories.make_experiment("report_in_miniature-1")
    factories.make_experiment("demo-2")
    assert titles("report", "Experiments")[:2] == ["Report of report_in_miniature-1", "report_in_miniature-1"]


def test_an_experiment_is_found_with_its_state_and_its_answer(client: Client) -> None:
    experiment = histories.make_history("demo-1", done=6)
    assert (found("demo-1")[0].state, found("demo-1")[0].result) == ("succeeded", "")
    [difference] = kept_answers.answers([experiment])[0][experiment.pk].contrasts
    hit = found("demo-1")[0]
    assert difference.verdict is not None
    assert (hit.result, hit.verdict) == (difference.said, difference.verdict.word)
    assert hit.reach[:2] == ("n = 600", "1 seed")
    client.force_login(factories.make_user())
    page = client.get("/search/?q=demo-1").content.decode()
    assert difference.said in page and "1 experiment" in page
    assert 'aria-label="Report of demo-1">Report</a>' in page, "its pages stand in one line below it"
    assert '<span class="scope">n = 600</span>' in page


def test_what_runs_says_how_far_it_is_and_that_nothing_is_decided() -> None:
    experiment = factories.make_experiment("demo-1", stages=[("pretrain", "pretrain"), ("grpo", "grpo")])
    for condition, correct in (("baseline", 40), ("mul_tokens", 45)):
        run = factories.run_of(experiment, condition, "pretrain")
        attempt = factories.make_attempt(run, state=State.SUCCEEDED)
        factories.add_evaluation(attempt, [True] * correct + [False] * (100 - correct))
    kept_answers.answers([experiment])
    said = "mul_tokens − baseline after pretrain: +5.0 points, not decided yet"
    assert (found("demo-1")[0].result, found("demo-1")[0].verdict) == (said, "")


def test_recipes_pages_views_and_actions_are_found() -> None:
    saved.save(
        owner=factories.make_user(), name="What failed", address="/experiments/?state=failed", shared=False
    )
    assert titles("set up smoke")[0] == "Set up smoke"
    assert titles("webhook") == ["Notifications"]
    assert titles("what failed") == ["What failed"]
    assert titles("launch")[0] == "New experiment"
    assert search("what failed", factories.make_user("bob").pk) == []


def test_nothing_asked_shows_what_can_be_done_and_the_newest() -> None:
    factories.make_experiment("demo-1")
    assert titles("")[:2] == ["New experiment", "demo-1"]


def test_the_queries_do_not_grow_with_what_there_is(django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    for number in range(1, 8):
        factories.make_experiment(f"demo-{number}")
    user = factories.make_user().pk
    with django_assert_max_num_queries(11):
        search("demo grpo mul", user)


@pytest.mark.parametrize("text", ["%", "\x00", "a\u0301", "'; --", "<script>", " / , ", "x " * 200])
def test_any_text_may_be_asked(client: Client, text: str) -> None:
    factories.make_experiment("demo-1")
    client.force_login(factories.make_user())
    assert client.get("/search.json", {"q": text}).status_code == 200
    page = client.get("/search/", {"q": text})
    assert page.status_code == 200
    assert "<script>" not in page.content.decode().replace("<script ", "")
    assert StageRun.objects.exists()
