"""A finished run whose checkpoint is gone or damaged: how that is seen, and that the run is computed again."""

from pathlib import Path

from django.db import transaction
from django.db.models import F

from training.process import checkpoints
from webapp.runs import lifecycle
from webapp.runs.models import Attempt, Checkpoint, StageRun, State
from webapp.runs.reuse import REUSED

REPLACED = "replaced"  # outcome of attempt 0 when what it took over is computed after all


def seems_lost(run: StageRun) -> bool:
    """Whether a finished run's checkpoint is gone or has other sizes, or a run failed that starts from it; nothing is read whole."""
    saved = _saved(run)
    if saved is None:
        return False
    below = StageRun.objects.filter(parent=run, state=State.FAILED, error__contains=saved.path)
    return not checkpoints.is_there(Path(saved.path), saved.manifest_sha256) or below.exists()


def lost(run: StageRun) -> str:
    """What is wrong with a finished run's checkpoint, a sentence; empty when it is whole. Reads all its files."""
    saved = _saved(run)
    if saved is None:
        return ""
    path = Path(saved.path)
    found = checkpoints.read(path)
    if found is None:
        return f"The checkpoint {path} is {'damaged' if path.is_dir() else 'gone'}."
    same = found.manifest_sha256 == saved.manifest_sha256
    return "" if same else f"The checkpoint {path} is not the one that was recorded."


def recompute(*, run: StageRun, by: str) -> None:
    """Compute a finished run again whose checkpoint is lost, from its newest point to resume from; what starts from it waits.

    Its earlier attempts stay. Raises ValueError when the run has not succeeded, is whole, or took its result over.
    """
    if run.state != State.SUCCEEDED or run.experiment.imported:
        raise ValueError(f"run {run.pk} is {run.state}; only a finished run is computed again")
    if run.reused_from_id and run.reused_from_id != run.pk:
        raise ValueError(
            f"run {run.pk} took its result over from run {run.reused_from_id}; have that one computed again"
        )
    why = lost(run)
    if not why:
        raise ValueError(f"the checkpoint of run {run.pk} is whole; there is nothing to compute again")
    with transaction.atomic():
        Attempt.objects.filter(stage_run=run, number=0, outcome=REUSED).update(outcome=REPLACED)
        if not lifecycle.begin_again(run.pk, text=f"computed again by {by}: {why}"):
            raise ValueError(f"run {run.pk} has been started again already")


def _saved(run: StageRun) -> Checkpoint | None:
    """What the run left last, if it has succeeded; a stage that only evaluates leaves nothing of its own."""
    if run.state != State.SUCCEEDED or not run.stage.settings_class.leaves_checkpoint:
        return None
    left = Checkpoint.objects.filter(
        attempt__stage_run=run, attempt__number=F("attempt__stage_run__attempt_number"), final=True
    )
    return left.order_by("seq").last()
