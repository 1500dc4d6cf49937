"""What becomes of a run when an attempt ends."""

import pytest

from tests.factories import make_attempt, make_experiment, run_of
from webapp.runs.models import StageRun, State
from webapp.runs.services import cancel, retry
from workers.next_state import BACK_OFF, CRASHES, LOSSES, RETURNS, Ending, NextState, conclude, judge


def finished(status: str, reason: str = "", hint: str = "") -> dict[str, str]:
    return {"status": status, "reason": reason, "hint": hint}


def verdict(
    ending: Ending, *, cancelled: bool = False, crashes: int = 0, losses: int = 0, returns: int = 0
) -> NextState:
    return judge(ending, cancelled=cancelled, crashes=crashes, losses=losses, returns=returns)


def test_success_stands_whatever_came_too_late() -> None:
    for ending in (
        Ending(finished("succeeded"), 0),
        Ending(finished("succeeded"), -9, lost=True, stopped=True),
    ):
        assert verdict(ending, cancelled=True).state == State.SUCCEEDED


def test_cancelled_stands_over_every_other_end() -> None:
    for ending in (
        Ending(finished("stopped", "terminated"), 75),
        Ending(None, -9),
        Ending(None, None, lost=True),
        Ending(finished("failed", "error", "KeyError"), 1),
    ):
        assert verdict(ending, cancelled=True) == NextState(State.CANCELLED, "cancelled")


@pytest.mark.parametrize("reason", ["bad_setting", "out_of_memory"])
def test_what_a_second_try_would_meet_again_fails_at_once(reason: str) -> None:
    got = verdict(Ending(finished("failed", reason, "halve batch_size"), 1))
    assert (got.state, got.outcome, got.error) == (State.FAILED, "failed", "halve batch_size")


@pytest.mark.parametrize(
    "ending",
    [
        Ending(finished("stopped", "terminated"), 75, stopped=True),
        Ending(finished("stopped", "deadline"), 75),
        Ending(None, -9, stopped=True),
    ],
)
def test_a_stopped_attempt_is_ready_at_once(ending: Ending) -> None:
    got = verdict(ending, crashes=CRASHES - 1)
    assert (got.state, got.outcome, got.back_off) == (State.READY, "stopped", None)


def test_a_crash_is_tried_again_with_growing_back_off_and_then_fails_with_the_reason() -> None:
    ending = Ending(None, -11, text="Fatal Python error: Segmentation fault")
    tries = [verdict(ending, crashes=n) for n in range(CRASHES)]
    assert [t.state for t in tries] == [State.READY, State.READY, State.FAILED]
    assert tries[0].back_off < tries[1].back_off  # type: ignore[operator]
    assert "signal 11" in tries[-1].error
    assert "Segmentation fault" in tries[-1].error
    assert "memory" in verdict(Ending(None, -9)).error


def test_a_crash_while_the_worker_shuts_down_still_counts() -> None:
    assert verdict(Ending(finished("failed", "error", "x"), 1, stopped=True)).outcome == "failed"


def test_what_the_machine_ended_counts_no_failure_and_is_not_given_back_for_ever() -> None:
    ending = Ending(finished("failed", "host_fault", "the disk under /d is full"), 1)
    got = verdict(ending, crashes=CRASHES - 1, losses=LOSSES - 1)
    assert (got.state, got.outcome, got.error) == (State.READY, "returned", "the disk under /d is full")
    assert got.back_off is not None
    assert verdict(ending, returns=RETURNS - 1).state == State.FAILED
    assert verdict(ending, cancelled=True).state == State.CANCELLED


def test_losses_have_a_cap_of_their_own() -> None:
    ending = Ending(lost=True)
    assert verdict(ending, crashes=CRASHES).state == State.READY
    assert verdict(ending, losses=LOSSES - 1).state == State.FAILED


def test_training_that_others_end_again_and_again_is_capped_like_losses_with_back_off() -> None:
    ending = Ending(finished("stopped", "terminated"), 75)
    tries = [verdict(ending, losses=n) for n in range(LOSSES)]
    assert [(t.state, t.outcome) for t in tries[:-1]] == [(State.READY, "lost")] * (LOSSES - 1)
    waits = [t.back_off for t in tries[:-1]]
    assert waits == [*BACK_OFF, *[BACK_OFF[-1]] * (LOSSES - 1 - len(BACK_OFF))]
    assert tries[-1].state == State.FAILED
    assert "SIGTERM" in tries[-1].error
    left_by_its_worker = Ending(finished("stopped", "terminated"), lost=True)
    assert verdict(left_by_its_worker, losses=LOSSES).outcome == "stopped"


@pytest.fixture
def run(db: None) -> StageRun:
    return run_of(make_experiment(conditions=["baseline"]), "baseline", "pretrain")


def crash(run: StageRun) -> State | None:
    attempt = make_attempt(run)
    return conclude(
        run=run.pk, number=attempt.number, attempt=attempt.pk, ending=Ending(None, 1, text="boom")
    )


def test_a_retry_by_a_person_gives_fresh_tries(run: StageRun) -> None:
    assert [crash(run) for _ in range(CRASHES)] == [State.READY] * (CRASHES - 1) + [State.FAILED]
    run.refresh_from_db()
    assert "boom" in run.error
    retry(run=run, by="ada")
    assert crash(run) == State.READY
    run.refresh_from_db()
    assert run.not_before is not None


def test_the_cap_on_ends_from_outside_counts_attempts(run: StageRun) -> None:
    for n in range(LOSSES):
        attempt = make_attempt(run)
        ending = Ending(finished("stopped", "terminated"), 75)
        state = conclude(run=run.pk, number=attempt.number, attempt=attempt.pk, ending=ending)
        run.refresh_from_db()
        assert state == (State.READY if n < LOSSES - 1 else State.FAILED)
        assert (run.not_before is None) == (state == State.FAILED)


def test_a_stale_attempt_concludes_nothing(run: StageRun) -> None:
    stale, newest = make_attempt(run), make_attempt(run)
    ending = Ending(finished("succeeded"), 0)
    assert conclude(run=run.pk, number=stale.number, attempt=stale.pk, ending=ending) is None
    run.refresh_from_db()
    assert run.state == State.RUNNING
    stale.refresh_from_db()
    newest.refresh_from_db()
    assert (stale.outcome, newest.outcome) == ("lost", "")


def test_a_cancellation_that_arrives_with_the_end_is_kept(run: StageRun) -> None:
    attempt = make_attempt(run)
    cancel(run=run, by="ada")
    ending = Ending(finished("stopped", "terminated"), 75)
    assert conclude(run=run.pk, number=1, attempt=attempt.pk, ending=ending) == State.CANCELLED
    attempt.refresh_from_db()
    assert attempt.outcome == "cancelled"
    assert attempt.ended_at is not None
