"""Kept counts are those of the outcomes, whatever is written and taken back."""

from collections import defaultdict
from importlib import import_module
from itertools import count
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from hypothesis import given, settings, strategies as st

from tests import factories
from webapp.results.models import GREEDY, Evaluation, KeptCounts, Outcome
from webapp.results.outcome_counts import PRIMARY, Accuracy, latest_accuracies, latest_tallies
from webapp.runs.models import StageRun, State

pytestmark = [pytest.mark.services, pytest.mark.django_db]
NUMBERS = count()  # of problems, so that each is another one
PLACE = st.integers(0, 2)  # of an evaluation
CHANGES = st.one_of(
    st.tuples(st.just("insert"), PLACE, st.integers(GREEDY, 1), st.lists(st.booleans(), max_size=4)),
    st.tuples(st.just("insert and roll back"), PLACE, st.just(GREEDY), st.lists(st.booleans(), max_size=4)),
    st.tuples(st.just("move"), PLACE, PLACE),
    st.tuples(st.sampled_from(["turn", "make samples", "delete"]), st.integers(1, 3)),
    st.tuples(st.just("delete evaluation"), PLACE),
)


def evaluated() -> tuple[StageRun, list[Evaluation]]:
    """A run with evaluations in two attempts, which ask four problems each and have no outcome yet."""
    run = factories.run_of(factories.make_experiment(), "baseline", "grpo")
    attempts = [factories.make_attempt(run, state=State.FAILED), factories.make_attempt(run)]
    places = (attempts[0], attempts[1], attempts[1])
    return run, [factories.add_evaluation(attempt, [], problems=4) for attempt in places]


def insert(evaluation: Evaluation, sample: int, correct: list[bool]) -> None:
    Outcome.objects.bulk_create(
        Outcome(
            evaluation=evaluation, problem=f"p{next(NUMBERS)}", sample=sample, prompt="", completion="", reference="",
            tokens=1, correct=right, mul_tokens=0, repeats=False, hit_limit=False,
        )
        for right in correct
    )  # fmt: skip


def change(evaluations: list[Evaluation], what: str, *how: Any) -> None:
    match what:
        case "insert":
            insert(evaluations[how[0]], *how[1:])
        case "insert and roll back":
            with transaction.atomic():
                insert(evaluations[how[0]], *how[1:])
                transaction.set_rollback(True)
        case "move":
            source, target = (evaluations[place] for place in how)
            Outcome.objects.filter(evaluation=source).update(evaluation=target)
        case "delete evaluation":
            Evaluation.objects.filter(pk=evaluations[how[0]].pk).delete()
            evaluations[how[0]] = factories.add_evaluation(evaluations[how[0]].attempt, [], problems=4)
        case _:
            every = Outcome.objects.values_list("pk", flat=True)
            some = Outcome.objects.filter(pk__in=[pk for pk in every if pk % how[0] == 0])
            if what == "turn":
                some.update(correct=~F("correct"))
            elif what == "make samples":
                some.update(sample=2)
            else:
                some.delete()


def kept() -> dict[int, tuple[int, int]]:
    rows = KeptCounts.objects.filter(counted__gt=0).values_list("evaluation", "counted", "correct")
    return {evaluation: (counted, correct) for evaluation, counted, correct in rows}


def added_up() -> dict[int, tuple[int, int]]:
    """What is to be kept: how many greedy outcomes each evaluation has, and how many of them are right."""
    found = defaultdict[int, list[bool]](list)
    for evaluation, correct in Outcome.objects.filter(sample=GREEDY).values_list("evaluation", "correct"):
        found[evaluation].append(correct)
    return {evaluation: (len(correct), sum(correct)) for evaluation, correct in found.items()}


def counted(run: StageRun) -> dict[int, Accuracy]:
    """What latest_accuracies is to find, added up from the outcomes."""
    tallies = latest_tallies([run.pk], factories.BENCHMARK)
    return {
        pk: Accuracy(one.evaluation, one.correct, one.problems, one.counted) for pk, one in tallies.items()
    }


@pytest.mark.slow
def test_they_follow_every_change() -> None:
    run, made = evaluated()
    for one in made:
        insert(one, GREEDY, [True, False])
        insert(one, GREEDY + 1, [True, False])

    @settings(max_examples=30, deadline=None)
    @given(st.lists(CHANGES, max_size=8))
    def follow(changes: list[tuple[Any, ...]]) -> None:
        evaluations = list(made)
        with transaction.atomic():
            for one in changes:
                change(evaluations, *one)
                assert kept() == added_up()
                assert latest_accuracies([run.pk], factories.BENCHMARK) == counted(run)
            assert latest_accuracies([run.pk], PRIMARY) == counted(run)
            transaction.set_rollback(True)

    follow()


def test_the_migration_counts_what_is_there_already() -> None:
    migration = import_module("webapp.results.migrations.0005_kept_counts")
    _, (first, *_) = evaluated()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else no trigger can go
        cursor.execute(migration.FORGET)
        KeptCounts.objects.all().delete()
        insert(first, GREEDY, [True, True, False])
        assert not KeptCounts.objects.exists()
        cursor.execute(migration.KEEP)
    assert kept() == {first.pk: (3, 2)}
    insert(first, GREEDY, [True])
    assert kept() == {first.pk: (4, 3)}
