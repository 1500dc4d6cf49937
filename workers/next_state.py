"""The end of an attempt: from the journal's last word and the exit code to the run's next state."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from webapp.runs import lifecycle
from webapp.runs.models import Attempt, Event, StageRun, State

CRASHES = 3  # attempts that may fail by a crash before the run does
LOSSES = 10  # attempts that may be lost with their worker, or ended from outside, before the run fails
BACK_OFF = (timedelta(seconds=1), timedelta(seconds=15), timedelta(seconds=60))
RETURNS = 20  # attempts that may be given back because of their machine before the run fails
HOST_FAULT = "host_fault"  # reason of an attempt that the machine's disk ended, not the run
AT_ONCE = ("bad_setting", "out_of_memory")  # reasons that a second try would meet again


@dataclass(frozen=True)
class Ending:
    """What is known about how an attempt ended."""

    finished: dict[str, Any] | None = None  # the journal's `finished` record
    code: int | None = None  # exit code, -N for signal N; None when nobody saw it
    lost: bool = False  # its worker is gone
    stopped: bool = False  # its worker ended it, to shut down
    text: str = ""  # the last lines of its output


@dataclass(frozen=True)
class NextState:
    """What becomes of the run, and what the attempt's outcome is called."""

    state: State
    outcome: str
    error: str = ""
    back_off: timedelta | None = None


def conclude(*, run: int, number: int, attempt: int, ending: Ending) -> State | None:
    """Move the run on from an attempt that ended; None when that attempt no longer holds it."""
    with transaction.atomic():
        held = StageRun.objects.select_for_update().filter(pk=run, attempt_number=number, state=State.RUNNING)
        row = held.first()
        verdict = NextState(State.READY, "lost", "another attempt took the run over")
        if row is not None:
            cancelled = row.cancel_requested_at is not None
            verdict = judge(
                ending,
                cancelled=cancelled,
                crashes=_count(row, "failed"),
                losses=_count(row, "lost"),
                returns=_count(row, "returned"),
            )
            columns: dict[str, Any] = {"error": verdict.error if verdict.state is State.FAILED else ""}
            if verdict.back_off is not None:
                columns["not_before"] = Now() + verdict.back_off
            text = verdict.error or f"attempt {number} {verdict.outcome}"
            lifecycle.move(run, State.RUNNING, verdict.state, attempt=number, text=text, **columns)
        open_ = Attempt.objects.filter(pk=attempt, ended_at=None)
        open_.update(ended_at=Now(), outcome=verdict.outcome, error=verdict.error)
    return verdict.state if row is not None else None


def judge(ending: Ending, *, cancelled: bool, crashes: int, losses: int, returns: int = 0) -> NextState:
    """Decide the next state; crashes, losses and returns count the earlier attempts since a person's last retry."""
    finished = ending.finished or {}
    status, reason, hint = (finished.get(key, "") for key in ("status", "reason", "hint"))
    if status == "succeeded":
        return NextState(State.SUCCEEDED, "succeeded")
    if cancelled:
        return NextState(State.CANCELLED, "cancelled")
    if status == "failed" and reason in AT_ONCE:
        return NextState(State.FAILED, "failed", hint or reason)
    if status == "failed" and reason == HOST_FAULT:
        if returns + 1 >= RETURNS:
            return NextState(State.FAILED, "returned", f"{hint} (given back {RETURNS} times)")
        return NextState(State.READY, "returned", hint, BACK_OFF[min(returns, len(BACK_OFF) - 1)])
    if ending.stopped and status != "failed":
        return NextState(State.READY, "stopped")
    if status == "stopped" and reason == "terminated" and not ending.lost:  # its worker lives and did not ask
        if losses + 1 >= LOSSES:
            return NextState(
                State.FAILED,
                "lost",
                f"training was told to end by something other than its worker, or lost, {LOSSES} times: see what sends "
                "SIGTERM on that machine, then retry; it goes on from its newest checkpoint",
            )
        back_off = BACK_OFF[min(losses, len(BACK_OFF) - 1)]
        return NextState(
            State.READY, "lost", "training was told to end by something other than its worker", back_off
        )
    if status == "stopped":
        return NextState(State.READY, "stopped")
    if ending.lost and status != "failed":
        if losses + 1 >= LOSSES:
            return NextState(
                State.FAILED, "lost", f"its worker was lost {LOSSES} times; see the workers' logs"
            )
        return NextState(State.READY, "lost", "its worker is gone")
    error = hint if status == "failed" else _crash(ending)
    if crashes + 1 >= CRASHES:
        return NextState(State.FAILED, "failed", f"{error} (attempt failed {CRASHES} times)")
    return NextState(State.READY, "failed", error, BACK_OFF[crashes])


def _crash(ending: Ending) -> str:
    """One line about a process that left no word in its journal."""
    match ending.code:
        case None:
            how = "training ended, and nobody saw how"
        case -9:
            how = "training was killed (signal 9); if nobody did it, the machine ran out of memory"
        case code if code < 0:
            how = f"training was ended by signal {-code}"
        case code:
            how = f"training ended with exit code {code}"
    return f"{how}: {ending.text}" if ending.text else how


def _count(run: StageRun, outcome: str) -> int:
    """Earlier attempts with that outcome since a person last started the run again."""
    reopened = Event.objects.filter(stage_run=run, from_state__in=(State.FAILED, State.CANCELLED)).last()
    after = reopened.attempt_number if reopened else 0
    return Attempt.objects.filter(stage_run=run, number__gt=after, outcome=outcome).count()
