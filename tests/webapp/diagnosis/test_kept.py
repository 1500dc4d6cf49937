"""Readings of the diagnosis are kept in a table: as many as there are runs, and read anew only when there is a reason."""

from collections.abc import Callable

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import factories
from tests.webapp.files.test_every_table import recorded
from webapp.diagnosis import kept, readings
from webapp.experiments.models import Experiment
from webapp.results.models import KeptReading
from webapp.runs.models import Attempt, StageRun, State

pytestmark = pytest.mark.django_db


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The runs whose records were read, in turn."""
    found: list[int] = []
    original: Callable[[StageRun], readings.Reading] = readings._read

    def noted(run: StageRun) -> readings.Reading:
        found.append(run.pk)
        return original(run)

    monkeypatch.setattr(readings, "_read", noted)
    return found


def many(name: str, seeds: int) -> Experiment:
    """An experiment of two conditions and two stages, all of it over."""
    stages = (("instruct", "sft"), ("grpo", "grpo"))
    experiment = factories.make_experiment(name, stages=stages, seeds=range(seeds))
    StageRun.objects.filter(experiment=experiment).update(state=State.SUCCEEDED, attempt_number=1)
    Attempt.objects.bulk_create(
        Attempt(stage_run=run, number=1, outcome=State.SUCCEEDED, journal_seq=3, first_step=0)
        for run in StageRun.objects.filter(experiment=experiment)
    )
    return experiment


@pytest.mark.slow
def test_the_readings_of_four_hundred_runs_stay_kept(read: list[int]) -> None:
    experiments = [many(f"many-{number}", seeds=25) for number in range(4)]
    first = [readings.readings(one) for one in experiments]
    assert len(read) == len(set(read)) == KeptReading.objects.count() == 400
    read.clear()
    assert [readings.readings(one) for one in experiments] == first
    assert read == []


def test_kept_readings_take_as_many_queries_for_many_runs_as_for_few() -> None:
    taken = []
    for experiment in (many("few-1", seeds=1), many("more-1", seeds=5)):
        readings.readings(experiment)
        with CaptureQueriesContext(connection) as queries:
            readings.readings(experiment)
        taken.append(len(queries))
    assert taken == [3, 3], "the runs, the ends of their journals, what is kept"


def test_what_is_kept_is_what_was_read(read: list[int]) -> None:
    experiment = recorded()
    for attempt in Attempt.objects.filter(stage_run__stage__kind="grpo"):
        names = ("accuracy", "reward", "kl", "entropy", "groups_without_gradient")
        draw = np.random.default_rng(attempt.pk)
        factories.add_metrics(attempt, {name: list(draw.normal(0.9, 0.3, 200)) for name in names})
        factories.add_metrics(attempt, {"loss": [1.0, *[float("nan")] * 60]})
    first = readings.readings(experiment)
    assert any(one.findings for one in first.values()) and any(one.dynamics for one in first.values())
    assert len(read) == len(first)
    again = readings.readings(experiment)
    assert repr(again) == repr(first), "to the digit, and NaN with it"
    assert [one.findings for one in again.values()] == [one.findings for one in first.values()]
    assert len(read) == len(first)


def test_a_run_is_read_anew_when_its_journal_or_that_of_its_parent_came_in(read: list[int]) -> None:
    experiment = many("some-1", seeds=1)
    readings.readings(experiment)
    read.clear()
    parent = factories.run_of(experiment, "baseline", "instruct")
    child = factories.run_of(experiment, "baseline", "grpo")
    Attempt.objects.filter(stage_run=parent).update(journal_seq=4)
    readings.readings(experiment)
    assert sorted(read) == sorted([parent.pk, child.pk])
    assert KeptReading.objects.count() == 4, "one of each run"


def test_other_rules_read_anew(read: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = many("some-1", seeds=1)
    readings.readings(experiment)
    assert len(read) == 4
    monkeypatch.setattr(kept, "_rules", lambda: b"others")
    readings.readings(experiment)
    assert len(read) == 8
