"""What a person may do to runs: cancel them, and start them again."""

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from webapp.experiments.models import Experiment
from webapp.runs import lifecycle
from webapp.runs.models import OVER, StageRun, State


def cancel(*, run: StageRun, by: str) -> None:
    """Cancel a run, and with it the runs that wait for it; a running one ends within seconds, a failed one is given up.

    Raises ValueError when the run has succeeded or was cancelled already.
    """
    with transaction.atomic():
        locked = StageRun.objects.select_for_update().get(pk=run.pk)
        state = State(locked.state)
        if state in (State.SUCCEEDED, State.CANCELLED):
            raise ValueError(f"run {run.pk} has already {state}; there is nothing to cancel")
        if state is State.RUNNING:
            asked = StageRun.objects.filter(pk=run.pk, cancel_requested_at=None)
            asked.update(cancel_requested_at=Now())
            lifecycle.notify(experiment=locked.experiment_id, run=run.pk, state=str(state))
        else:
            lifecycle.move(
                run.pk,
                state,
                State.CANCELLED,
                text=f"{'given up' if state is State.FAILED else 'cancelled'} by {by}",
            )


def cancel_experiment(*, experiment: Experiment, by: str) -> int:
    """Cancel every run of an experiment that is not over; returns how many. Raises ValueError when all are."""
    with transaction.atomic():
        runs = StageRun.objects.select_for_update().filter(experiment=experiment).order_by("pk")
        left = [run for run in runs if run.state not in OVER]
        if not left:
            raise ValueError(f"{experiment.name} is over already; there is nothing to cancel")
        for run in left:
            run.refresh_from_db(fields=["state"])  # its parent's cancellation may have reached it
            if run.state not in OVER:
                cancel(run=run, by=by)
    return len(left)


def retry(*, run: StageRun, by: str) -> None:
    """Start a failed or cancelled run again from its newest checkpoint, and let its descendants wait for it.

    Raises ValueError when the run is not over, has succeeded, or stands behind one that must be retried first.
    """
    with transaction.atomic():
        parent = StageRun.objects.select_for_update().get(pk=run.parent_id) if run.parent_id else None
        locked = StageRun.objects.select_for_update().get(pk=run.pk)
        state = State(locked.state)
        if state not in (State.FAILED, State.CANCELLED):
            raise ValueError(f"run {run.pk} is {state}; only a failed or cancelled run can be retried")
        if parent is None or parent.state == State.SUCCEEDED:
            lifecycle.reopen(run.pk, state, text=f"retried by {by}")
        elif parent.state in (State.FAILED, State.CANCELLED):
            raise ValueError(
                f"run {run.pk} starts from run {parent.pk}, which {lifecycle.past(State(parent.state))}; "
                f"retry run {parent.pk} first"
            )
        else:
            lifecycle.move(run.pk, state, State.WAITING, text=f"retried by {by}")


def retry_experiment(*, experiment: Experiment, by: str) -> int:
    """Retry every run of an experiment whose own parent is done; returns how many were started again.

    Raises ValueError when none failed or was cancelled.
    """
    started = 0
    with transaction.atomic():
        over = StageRun.objects.filter(experiment=experiment, state__in=(State.FAILED, State.CANCELLED))
        for run in over.filter(Q(parent=None) | Q(parent__state=State.SUCCEEDED)).order_by("pk"):
            retry(run=run, by=by)
            started += 1
    if not started:
        raise ValueError(f"nothing in {experiment.name} failed or was cancelled; there is nothing to retry")
    return started
