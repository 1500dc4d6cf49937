"""What the training process of a claimed run is told: its stage, where it runs, and which checkpoints it may use."""

from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.db.models import F

from training.process.run_folders import OWNER, belongs_to_another, folder_name
from training.recipes.recipe import RunSpec, StageSpec
from webapp.runs import reuse
from webapp.runs.models import Checkpoint
from webapp.telemetry.series import last_steps
from workers.claim import Claim
from workers.devices import Device


def folders(claim: Claim) -> tuple[Path, Path]:
    """The run directory of an attempt, which is not there yet, and where the run's checkpoints lie."""
    name = folder_name(claim.run, claim.key)
    run_dir = settings.MULBERRY_HOME / "runs" / name / f"attempt-{claim.number}"
    if run_dir.exists():  # of an attempt that the database forgot: an older dump was restored
        run_dir = run_dir.with_name(f"{run_dir.name}-{uuid4().hex[:8]}")
    return run_dir, Path(settings.MULBERRY_STORAGE) / name


def take(folder: Path, claim: Claim, *, fresh: bool) -> None:
    """Make a folder the run's. Raises ValueError when it holds another's files; a `fresh` run has none anywhere."""
    unowned = not (folder / OWNER).is_file()
    if belongs_to_another(folder, claim.key) or (
        unowned and fresh and folder.exists() and any(folder.iterdir())
    ):
        raise ValueError(f"{folder} holds files of another run; move it away, then retry")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / OWNER).write_text(claim.key, encoding="utf-8")


def of_claim(claim: Claim, device: Device, storage: Path) -> RunSpec:
    """The spec.json of an attempt. Raises ValueError where the parent left nothing."""
    spec = StageSpec.model_validate(claim.spec)
    taken = reuse.taken_over(claim.run)
    if taken is not None:  # what it took over need not be done again
        left = [one for one in spec.benchmarks if one.benchmark not in taken.benchmarks]
        spec = spec.model_copy(update={"benchmarks": left})
    finished = taken.checkpoint if taken else None
    parent = None if finished else _parent_checkpoint(claim, spec)
    return RunSpec(
        spec=spec,
        attempt=claim.number,
        parent_checkpoint=parent.path if parent else None,
        parent_manifest=parent.manifest_sha256 if parent else "",
        finished_checkpoint=finished.path if finished else None,
        finished_manifest=finished.manifest_sha256 if finished else "",
        key=claim.key,
        recorded=recorded(claim.run),
        checkpoints=str(storage.resolve()),
        data_dir=str(settings.MULBERRY_DATA),
        cache_dir=str(settings.MULBERRY_CACHE),
        device=device.torch,
        threads=device.threads,
    )


def recorded(run: int) -> list[str]:
    """Manifests of the checkpoints that a run may go on from: everything up to their step is in the database and counts.

    Not one that an attempt saved but whose record was lost, nor one behind the step at which a later attempt went on.
    """
    limits = last_steps([run])[run]
    found = Checkpoint.objects.filter(attempt__in=limits).values_list("attempt_id", "step", "manifest_sha256")
    return [
        manifest for attempt, step, manifest in found if (limit := limits[attempt]) is None or step <= limit
    ]


def _parent_checkpoint(claim: Claim, spec: StageSpec) -> Checkpoint | None:
    if spec.parent is None:
        return None
    newest = (
        Checkpoint.objects.filter(
            attempt__stage_run=claim.parent,
            attempt__stage_run__stage__name=spec.parent,
            attempt__number=F("attempt__stage_run__attempt_number"),
            final=True,
        )
        .select_related("attempt__stage_run")
        .last()
    )
    if newest is None:
        raise ValueError(f"run {claim.parent} before this one left no final checkpoint; retry that")
    parent = newest.attempt.stage_run
    if newest.attempt.number == 0 and parent.reused_from_id:  # which may have been computed again since
        computed = Checkpoint.objects.filter(
            attempt__stage_run=parent.reused_from_id, path=newest.path, final=True
        )
        return computed.order_by("attempt__number", "seq").last() or newest
    return newest
