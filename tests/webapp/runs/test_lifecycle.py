"""Moves happen once, only along the table, and carry on to the runs that depend on them."""

import itertools
import json

import psycopg
import pytest
from django.db import connection

from tests.factories import make_attempt, make_experiment, run_of
from webapp.runs import lifecycle
from webapp.runs.models import Event, StageRun, State

pytestmark = [pytest.mark.django_db, pytest.mark.services]


@pytest.fixture
def chain() -> list[StageRun]:
    """pretrain (ready) → instruct → drills, all of one condition."""
    experiment = make_experiment(
        conditions=["baseline"], stages=[(s, "sft") for s in ("first", "second", "third")]
    )
    return [run_of(experiment, "baseline", stage) for stage in ("first", "second", "third")]


def states(runs: list[StageRun]) -> list[str]:
    return [StageRun.objects.get(pk=run.pk).state for run in runs]


def test_only_listed_moves_exist() -> None:
    allowed = {(a, b) for a, targets in lifecycle.MOVES.items() for b in targets}
    assert allowed == {
        ("waiting", "ready"),
        ("waiting", "cancelled"),
        ("waiting", "succeeded"),  # by reuse
        ("ready", "running"),
        ("ready", "cancelled"),
        ("ready", "waiting"),  # what it starts from is computed again
        ("running", "succeeded"),
        ("running", "failed"),
        ("running", "cancelled"),
        ("running", "ready"),
        ("failed", "ready"),
        ("failed", "cancelled"),
        ("failed", "waiting"),
        ("succeeded", "ready"),  # its checkpoint is lost
        ("cancelled", "ready"),
        ("cancelled", "waiting"),
    }


def test_every_other_move_is_refused(chain: list[StageRun]) -> None:
    for from_, to in itertools.product(State, State):
        if to not in lifecycle.MOVES[from_]:
            with pytest.raises(AssertionError):
                lifecycle.move(chain[0].pk, from_, to)
    assert states(chain) == ["ready", "waiting", "waiting"]


def test_success_makes_children_ready_and_writes_events(chain: list[StageRun]) -> None:
    make_attempt(chain[0])
    assert lifecycle.move(chain[0].pk, State.RUNNING, State.SUCCEEDED, attempt=1)
    assert states(chain) == ["succeeded", "ready", "waiting"]
    event = Event.objects.get(stage_run=chain[0], to_state="succeeded")
    assert (event.from_state, event.attempt_number) == ("running", 1)
    assert Event.objects.get(stage_run=chain[1]).text == "first succeeded"
    assert StageRun.objects.get(pk=chain[1].pk).ready_at is not None


def test_failure_cancels_all_that_waits_below_with_the_reason(chain: list[StageRun]) -> None:
    make_attempt(chain[0])
    assert lifecycle.move(chain[0].pk, State.RUNNING, State.FAILED, attempt=1, error="no GSM8K here")
    assert states(chain) == ["failed", "cancelled", "cancelled"]
    assert Event.objects.get(stage_run=chain[2]).text == "first failed"
    assert StageRun.objects.get(pk=chain[0].pk).error == "no GSM8K here"


def test_a_stale_attempt_changes_nothing(chain: list[StageRun]) -> None:
    make_attempt(chain[0])
    make_attempt(chain[0])
    before = Event.objects.count()
    for to in lifecycle.MOVES[State.RUNNING]:
        assert not lifecycle.move(chain[0].pk, State.RUNNING, to, attempt=1)
    assert states(chain) == ["running", "waiting", "waiting"]
    assert Event.objects.count() == before


def test_a_move_from_another_state_changes_nothing(chain: list[StageRun]) -> None:
    assert not lifecycle.move(chain[0].pk, State.RUNNING, State.SUCCEEDED)
    assert states(chain) == ["ready", "waiting", "waiting"]


def test_reopening_lets_descendants_wait_again(chain: list[StageRun]) -> None:
    make_attempt(chain[0])
    lifecycle.move(chain[0].pk, State.RUNNING, State.FAILED, attempt=1, error="broken")
    assert lifecycle.reopen(chain[0].pk, State.FAILED, text="retried by ada")
    assert states(chain) == ["ready", "waiting", "waiting"]
    assert StageRun.objects.get(pk=chain[0].pk).error == ""


@pytest.mark.django_db(transaction=True)
def test_a_move_is_notified_with_ids_only() -> None:
    run = run_of(make_experiment(conditions=["baseline"]), "baseline", "pretrain")
    with psycopg.connect(
        **connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}
    ) as listener:
        listener.autocommit = True
        listener.execute(f"LISTEN {lifecycle.CHANNEL}")
        lifecycle.move(run.pk, State.READY, State.CANCELLED)
        payloads = [json.loads(note.payload) for note in listener.notifies(timeout=5, stop_after=6)]
    assert payloads[0] == {"experiment": run.experiment_id, "run": run.pk, "state": "cancelled"}
    assert len(payloads) == 6  # its descendants with it
