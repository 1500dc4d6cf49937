"""Points that count: one value a step, whatever attempts overlap."""

import pytest

from tests.factories import add_metrics, add_rollouts, make_attempt, make_experiment, run_of
from webapp.runs.models import Attempt, StageRun
from webapp.telemetry.series import rollouts, series

pytestmark = [pytest.mark.django_db, pytest.mark.services]


@pytest.fixture
def run() -> StageRun:
    return run_of(make_experiment(conditions=["baseline"]), "baseline", "grpo")


def attempt(run: StageRun, first_step: int | None, values: list[float]) -> Attempt:
    made = make_attempt(run, first_step=first_step)
    if first_step is not None and values:
        add_metrics(made, {"loss": values}, first_step=first_step + 1)
    return made


def test_a_later_attempt_replaces_what_came_after_its_first_step(run: StageRun) -> None:
    attempt(run, 0, [10, 11, 12, 13, 14])  # steps 1 to 5
    attempt(run, 3, [23, 24, 25])  # resumed at 3: steps 4 to 6
    found = series([run.pk])[run.pk, "loss"]
    assert found.steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert found.values.tolist() == [10, 11, 12, 23, 24, 25]
    assert len(found.times) == 6


def test_an_even_later_attempt_may_resume_further_back(run: StageRun) -> None:
    attempt(run, 0, [10, 11, 12, 13, 14])
    attempt(run, 4, [24, 25])
    attempt(run, 2, [32, 33])
    assert series([run.pk])[run.pk, "loss"].values.tolist() == [10, 11, 32, 33]


def test_an_attempt_that_never_started_replaces_nothing(run: StageRun) -> None:
    attempt(run, 0, [10, 11])
    attempt(run, None, [])
    assert series([run.pk], ["loss"])[run.pk, "loss"].values.tolist() == [10, 11]


def test_a_step_recorded_twice_has_its_later_value(run: StageRun) -> None:
    made = attempt(run, 0, [10, 11])
    add_metrics(made, {"loss": [99]}, first_step=2)
    found = series([run.pk])[run.pk, "loss"]
    assert (found.steps.tolist(), found.values.tolist()) == ([1, 2], [10, 99])


def test_rollouts_follow_the_same_rule(run: StageRun) -> None:
    first = attempt(run, 0, [])
    for step in (1, 2, 3, 4):
        add_rollouts(first, step=step)
    second = attempt(run, 2, [])
    add_rollouts(second, step=3)
    found = sorted(set(rollouts([run.pk]).values_list("attempt__number", "step")))
    assert found == [(1, 1), (1, 2), (2, 3)]
    assert rollouts([]).count() == 0


def test_runs_and_names_are_kept_apart(run: StageRun) -> None:
    other = run_of(run.experiment, "baseline", "mixed")
    add_metrics(attempt(run, 0, []), {"loss": [1.0], "kl": [2.0]})
    add_metrics(attempt(other, 0, []), {"loss": [3.0]})
    assert {key: s.values.tolist() for key, s in series([run.pk, other.pk], ["loss"]).items()} == {
        (run.pk, "loss"): [1.0],
        (other.pk, "loss"): [3.0],
    }
