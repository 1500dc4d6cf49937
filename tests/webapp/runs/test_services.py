"""Cancel and retry, as a person does them."""

import pytest

from tests.factories import make_attempt, make_experiment, run_of
from webapp.runs import lifecycle
from webapp.runs.models import StageRun, State
from webapp.runs.services import cancel, cancel_experiment, retry, retry_experiment

pytestmark = [pytest.mark.django_db, pytest.mark.services]

STAGES = [(s, "sft") for s in ("first", "second", "third")]


@pytest.fixture
def chain() -> list[StageRun]:
    experiment = make_experiment(conditions=["baseline"], stages=STAGES)
    return [run_of(experiment, "baseline", stage) for stage, _ in STAGES]


def states(runs: list[StageRun]) -> list[str]:
    return [StageRun.objects.get(pk=run.pk).state for run in runs]


def test_cancelling_a_ready_run_is_immediate_and_takes_its_descendants(chain: list[StageRun]) -> None:
    cancel(run=chain[0], by="ada")
    assert states(chain) == ["cancelled"] * 3


def test_cancelling_a_running_run_asks_its_worker(chain: list[StageRun]) -> None:
    make_attempt(chain[0])
    cancel(run=chain[0], by="ada")
    row = StageRun.objects.get(pk=chain[0].pk)
    assert row.state == "running"
    asked = row.cancel_requested_at
    assert asked is not None
    cancel(run=chain[0], by="bob")
    row.refresh_from_db()
    assert row.cancel_requested_at == asked


def test_what_is_over_cannot_be_cancelled(chain: list[StageRun]) -> None:
    cancel(run=chain[0], by="ada")
    with pytest.raises(ValueError, match="already cancelled"):
        cancel(run=chain[0], by="ada")


def test_cancelling_an_experiment_reaches_every_run(chain: list[StageRun]) -> None:
    make_attempt(chain[0])
    experiment = chain[0].experiment
    assert cancel_experiment(experiment=experiment, by="ada") == 3
    assert states(chain) == ["running", "cancelled", "cancelled"]
    assert StageRun.objects.get(pk=chain[0].pk).cancel_requested_at is not None


def test_retry_starts_a_failed_run_again_and_its_descendants_wait(chain: list[StageRun]) -> None:
    make_attempt(chain[0])
    lifecycle.move(chain[0].pk, State.RUNNING, State.FAILED, attempt=1, error="broken")
    retry(run=chain[0], by="ada")
    assert states(chain) == ["ready", "waiting", "waiting"]


def test_retry_below_a_failed_run_says_what_to_retry_first(chain: list[StageRun]) -> None:
    cancel(run=chain[0], by="ada")
    with pytest.raises(ValueError, match=f"retry run {chain[0].pk} first"):
        retry(run=chain[1], by="ada")


def test_retry_below_a_run_in_progress_waits_for_it(chain: list[StageRun]) -> None:
    cancel(run=chain[1], by="ada")
    retry(run=chain[1], by="ada")
    assert states(chain) == ["ready", "waiting", "cancelled"]


def test_retry_of_an_experiment_starts_only_what_may_start(chain: list[StageRun]) -> None:
    cancel(run=chain[0], by="ada")
    assert retry_experiment(experiment=chain[0].experiment, by="ada") == 1
    assert states(chain) == ["ready", "waiting", "waiting"]
    with pytest.raises(ValueError, match="nothing"):
        retry_experiment(experiment=chain[0].experiment, by="ada")


def test_a_run_that_goes_on_cannot_be_retried(chain: list[StageRun]) -> None:
    with pytest.raises(ValueError, match="is ready"):
        retry(run=chain[0], by="ada")
