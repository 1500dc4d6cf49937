"""An evaluation's problems beside what the other conditions answered to them, and by group."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from django.test import Client

from tests import factories
from tests.webapp.comparison.problems.test_flips import content
from webapp.experiments.models import Experiment
from webapp.results.models import Evaluation
from webapp.runs.models import State

pytestmark = pytest.mark.django_db
CONDITIONS = ("baseline", "mul_tokens", "scratchpad")


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


@pytest.fixture
def experiment() -> Experiment:
    return factories.make_experiment(stages=(("drills", "sft"),), conditions=CONDITIONS)


def answered(experiment: Experiment, condition: str, correct: Sequence[bool]) -> Evaluation:
    run = factories.run_of(experiment, condition, "drills")
    attempt = factories.make_attempt(run, state=State.SUCCEEDED)
    return factories.add_evaluation(
        attempt, correct, labels=lambda place: ["new_pair" if place % 5 == 0 else "known_pair"]
    )


def words(client: Client, address: str, **query: Any) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_other_conditions_answers_stand_beside_a_problem(ada: Client, experiment: Experiment) -> None:
    own = answered(experiment, "mul_tokens", [True, False, True])
    other = answered(experiment, "baseline", [False, False])
    answered(experiment, "scratchpad", [True, True, True])
    address = f"/evaluations/{own.pk}/"
    page = ada.get(address)
    assert [
        (outcome.problem, [one.outcome and one.outcome.correct for one in answers])
        for outcome, _, answers in page.context["rows"]
    ] == [("p0000", [False, True]), ("p0001", [False, True]), ("p0002", [None, True])]
    assert f'href="/evaluations/{other.pk}/?problem=p0000"' in page.content.decode()
    assert "baseline wrong 5 scratchpad right 4" in words(ada, address, problem="p0000")
    assert "p0000 Ben has 2 boxes of 2 pens. How many pens?" in words(ada, address), "how its prompt begins"
    of_kind = {one.kind: one for one in page.context["choices"]}
    assert [key for key, *_ in of_kind["Outcome"].some][:3] == ["", "correct", "wrong"]
    assert all(count for one in of_kind.values() for key, _, count in one.some if key), (
        "what nothing fits is only named"
    )
    assert of_kind["Checks"].none
    assert "baseline was not asked it" in words(ada, address, problem="p0002")
    alone = ada.get(address, {"problem": "p0000"}, headers={"HX-Request": "true"})
    assert f'href="/evaluations/{other.pk}/?problem=p0000"' in alone.content.decode()


def test_the_queries_do_not_grow_with_conditions_and_problems(
    ada: Client, experiment: Experiment, django_assert_max_num_queries: Any
) -> None:
    evaluations = [answered(experiment, condition, [True] * 30) for condition in CONDITIONS]
    with django_assert_max_num_queries(16):
        ada.get(f"/evaluations/{evaluations[0].pk}/")


def test_a_run_that_was_taken_over_is_no_other_answer(ada: Client, experiment: Experiment) -> None:
    own = answered(experiment, "mul_tokens", [True])
    same = answered(experiment, "baseline", [True]).attempt.stage_run
    same.reused_from = own.attempt.stage_run
    same.save()
    assert ada.get(f"/evaluations/{own.pk}/").context["others"] == []


def test_problems_are_narrowed_to_a_group(ada: Client, experiment: Experiment) -> None:
    own = answered(experiment, "mul_tokens", [True] * 10)
    page = ada.get(f"/evaluations/{own.pk}/", {"only": "group:new_pair"})
    assert [outcome.problem for outcome, *_ in page.context["rows"]] == ["p0000", "p0005"]
    assert ("group:known_pair", "known pair", 8) in page.context["choices"][1].some
    assert ada.get(f"/evaluations/{own.pk}/outcomes.csv", {"only": "group:new_pair"}).status_code == 200
    assert ada.get(f"/evaluations/{own.pk}/outcomes.csv", {"only": "group:none"}).status_code == 400


def test_problems_are_narrowed_to_those_that_another_condition_answers_otherwise(
    ada: Client, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "webapp.pages.file_responses.close_old_connections", lambda: None
    )  # else the test's own connection goes
    own = answered(experiment, "mul_tokens", [True, True, False, False, True])
    answered(experiment, "baseline", [True, False, True, False])  # it was not asked the last one
    differing = {"only": "differs:baseline"}
    page = ada.get(f"/evaluations/{own.pk}/", differing)
    assert [outcome.problem for outcome, *_ in page.context["rows"]] == ["p0001", "p0002"]
    assert ("differs:baseline", "unlike baseline", 2) in page.context["choices"][0].some
    file = content(ada.get(f"/evaluations/{own.pk}/outcomes.jsonl", differing))
    assert [json.loads(line)["problem"] for line in file.splitlines()] == ["p0001", "p0002"]
    assert ada.get(f"/evaluations/{own.pk}/outcomes.csv", {"only": "differs:nobody"}).status_code == 400
