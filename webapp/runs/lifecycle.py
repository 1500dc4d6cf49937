"""The states of a StageRun: every allowed move, and the one function that makes it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from training.recipes.recipe import StageSpec
from webapp.celery import announce
from webapp.runs import reuse
from webapp.runs.models import Event, StageRun, State

CHANNEL = "mulberry"

MOVES: dict[State, frozenset[State]] = {
    State.WAITING: frozenset({State.READY, State.CANCELLED, State.SUCCEEDED}),  # succeeded: by reuse
    # to running: only by workers.claim; to waiting: what it starts from is computed again
    State.READY: frozenset({State.RUNNING, State.CANCELLED, State.WAITING}),
    State.RUNNING: frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.READY}),
    State.SUCCEEDED: frozenset({State.READY}),  # its checkpoint is lost
    # cancelled: a person gives it up; waiting: what it starts from is computed again
    State.FAILED: frozenset({State.READY, State.CANCELLED, State.WAITING}),
    State.CANCELLED: frozenset({State.READY, State.WAITING}),
}
CLEARED = {"lease_until": None, "not_before": None, "cancel_requested_at": None}
SETS: dict[State, dict[str, Any]] = {
    State.WAITING: {"ready_at": None, "finished_at": None, "error": "", **CLEARED},
    State.READY: {"ready_at": Now(), "finished_at": None, "error": "", **CLEARED},
    State.SUCCEEDED: {"finished_at": Now(), "error": "", **CLEARED},
    State.FAILED: {"finished_at": Now(), **CLEARED},
    State.CANCELLED: {"finished_at": Now(), **CLEARED},
}


def first(state: State) -> dict[str, Any]:
    """The columns of a new run that begins in this state."""
    return {"state": state, **({} if state is State.WAITING else SETS[state])}


def notify(**ids: int | str) -> None:
    """Tell listening web processes on commit of the current transaction; ids only, 8,000 bytes at most."""
    _notify([ids])


def _notify(messages: Sequence[Mapping[str, int | str]]) -> None:
    with connection.cursor() as cursor:
        texts = [json.dumps(ids) for ids in messages]
        cursor.execute("SELECT pg_notify(%s, message) FROM unnest(%s::text[]) AS message", [CHANNEL, texts])


def move(
    run: int, from_: State, to: State, *, attempt: int | None = None, text: str = "", **columns: Any
) -> bool:
    """Move a run if it still is in `from_` (and, for a worker, still in that attempt); False if it is not.

    Writes the event in the same transaction, and carries the move on to the runs that depend on this one.
    """
    with transaction.atomic():
        moved = _step(run, from_, to, attempt, text, columns)
        if moved is None:
            return False
        if to is State.SUCCEEDED:
            for child in _children(run):
                _release(child, moved)
        elif to in (State.FAILED, State.CANCELLED):
            for descendant in descendants([run], State.WAITING):
                _step(descendant, State.WAITING, State.CANCELLED, text=f"{moved.stage.name} {past(to)}")
    return True


def _release(child: int, parent: StageRun) -> None:
    """A run whose parent has succeeded is ready; one that waits for the same to be computed takes it over."""
    waiting = StageRun.objects.get(pk=child)
    if waiting.reused_from_id != parent.pk:
        _step(child, State.WAITING, State.READY, text=f"{parent.stage.name} succeeded")
        return
    spec = StageSpec.model_validate(waiting.spec)
    source = reuse.left_by([StageRun.objects.select_related("experiment").get(pk=parent.pk)])[parent.pk]
    offer = reuse.offer(source, [], spec.benchmarks, reuse.Benchmarks())
    reuse.take_over([(waiting, offer)])
    to = State.READY if offer.missing else State.SUCCEEDED
    move(child, State.WAITING, to, text=f"reused from {source.name}")


def _step(
    run: int,
    from_: State,
    to: State,
    attempt: int | None = None,
    text: str = "",
    columns: dict[str, Any] | None = None,
) -> StageRun | None:
    """The conditional UPDATE, its event, its announcement; None when the run was not there any more."""
    assert to in MOVES[from_], f"no move {from_} → {to}"
    rows = StageRun.objects.filter(pk=run, state=from_)
    if attempt is not None:
        rows = rows.filter(attempt_number=attempt)
    values = {**SETS[to], **(columns or {})}
    if rows.update(state=to, **values) != 1:
        return None
    moved = StageRun.objects.select_related("stage").defer("spec").get(pk=run)
    record(moved, from_, to, text)
    if to is State.READY and values["not_before"] is None:  # else the janitor announces it in time
        transaction.on_commit(lambda: announce(moved.queue))
    return moved


def past(state: State) -> str:
    """The state as a verb for sentences."""
    return {State.FAILED: "failed", State.CANCELLED: "was cancelled"}[state]


def record(run: StageRun, from_: State | str, to: State, text: str = "") -> None:
    """Write the event of a move and tell the web, in the current transaction."""
    _record([(run, from_, to, text)])


def record_new(runs: Sequence[tuple[StageRun, str]]) -> None:
    """Write the first event of each new run, with its text, and tell the web. Two queries, whatever their number."""
    _record([(run, "", State(run.state), text) for run, text in runs])


def _record(moves: Sequence[tuple[StageRun, State | str, State, str]]) -> None:
    Event.objects.bulk_create(
        Event(stage_run=run, attempt_number=run.attempt_number, from_state=from_, to_state=to, text=text)
        for run, from_, to, text in moves
    )
    _notify([{"experiment": run.experiment_id, "run": run.pk, "state": str(to)} for run, _, to, _ in moves])


def reopen(run: int, from_: State, *, text: str) -> bool:
    """Make a failed or cancelled run ready again, and its cancelled descendants wait for it again."""
    with transaction.atomic():
        twin = StageRun.objects.filter(pk=run, reused_from=F("parent"), attempts=None).first()
        moved = _step(run, from_, State.WAITING if twin else State.READY, text=text)
        if moved is None:
            return False
        for descendant in descendants([run], State.CANCELLED):
            _step(descendant, State.CANCELLED, State.WAITING, text=f"{moved.stage.name} was started again")
        if twin is not None:
            assert twin.parent is not None
            _release(run, twin.parent)
    return True


def begin_again(run: int, *, text: str) -> bool:
    """Make a run that has succeeded ready again; what starts from it and does not run yet, or could not, waits for it again."""
    with transaction.atomic():
        moved = _step(run, State.SUCCEEDED, State.READY, text=text)
        if moved is None:
            return False
        said = f"{moved.stage.name} is computed again"
        for state in (State.READY, State.FAILED, State.CANCELLED):
            for child in list(StageRun.objects.filter(parent=run, state=state).values_list("pk", flat=True)):
                if _step(child, state, State.WAITING, text=said) is not None:
                    for descendant in descendants([child], State.CANCELLED):
                        _step(descendant, State.CANCELLED, State.WAITING, text=said)
    return True


def _children(run: int) -> list[int]:
    return list(StageRun.objects.filter(parent=run, state=State.WAITING).values_list("pk", flat=True))


def descendants(runs: list[int], state: State) -> Iterator[int]:
    """Runs below, level by level, while they are in that state; a query a level."""
    while runs := list(StageRun.objects.filter(parent__in=runs, state=state).values_list("pk", flat=True)):
        yield from runs
