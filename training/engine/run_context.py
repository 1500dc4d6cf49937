"""One execution of a stage: its spec, where its files lie, its journal, and whether it should stop."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from training.benchmarks.contamination import Contamination
from training.code_version import code_version
from training.data import identity
from training.data.identity import DataIdentity
from training.folders import data_folder
from training.process import checkpoints, ranks, torchrun
from training.process.checkpoints import Own, VerifiedCheckpoint
from training.process.environment import versions
from training.process.journal import Journal
from training.recipes.recipe import RunSpec, StageSpec

TERMINATED, DEADLINE = "terminated", "deadline"
REASONS = (None, TERMINATED, DEADLINE)  # a later one prevails


class Stopped(Exception):
    """The stage ended early because it was told to; `reason` is TERMINATED or DEADLINE."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass
class Run:
    """What a stage's run() is given."""

    spec: StageSpec
    attempt: int
    run_dir: Path
    checkpoints: Path  # shared by the attempts of the stage run
    parent: Path | None  # the parent's final checkpoint
    data_dir: Path
    cache_dir: Path  # what runs share and can make again, a folder a kind: cache_dir / "shards"
    device: str  # torch's name of this process's own: cpu or cuda:N
    journal: Journal
    key: str  # what names it in its checkpoints' manifests
    resume: VerifiedCheckpoint | None  # newest valid point to resume from
    done: VerifiedCheckpoint | None  # the stage's final checkpoint, when training is over already
    data: list[DataIdentity]  # of the mixtures; empty when there is nothing left to train
    contamination: Contamination | None = None  # of what it learns; None when there is nothing left to train
    terminated: bool = False  # set by the TERM handler
    _deadline: float | None = field(default=None, repr=False)
    _deadline_mtime: int = field(default=0, repr=False)

    @classmethod
    def open(cls, run_dir: Path, run_spec: RunSpec, journal: Journal) -> "Run":
        """Find the checkpoints, announce the start and the data. Raises ValueError where parent or files are missing."""
        folder = run_dir / run_spec.checkpoints
        parent = Path(run_spec.parent_checkpoint) if run_spec.parent_checkpoint else None
        own = checkpoints.Own(folder, run_spec.key, run_spec.recorded)
        done, resume = _done(own, run_spec), own.newest()
        step = done.step if done else resume.step if resume else 0
        journal.append(
            "started",
            attempt=run_spec.attempt,
            step=step,
            pid=os.getpid(),
            code=code_version(),
            environment=_environment(run_spec),
        )
        if parent is None and done is None and run_spec.spec.parent is not None:
            raise ValueError(
                f"stage {run_spec.spec.stage!r} starts from {run_spec.spec.parent!r}, but spec.json names no "
                "parent_checkpoint; give the folder of that stage's final checkpoint"
            )
        for text in own.passed_over:
            journal.log(text, level="warning")
        if parent is not None and done is None:
            _verify_parent(parent, run_spec.parent_manifest)
        data_dir = Path(run_spec.data_dir or data_folder())
        cache_dir = Path(run_spec.cache_dir or os.environ.get("MULBERRY_CACHE") or run_dir.parent / "cache")
        data: list[DataIdentity] = []
        contamination = None
        if done is None and (mixtures := run_spec.spec.settings.mixtures()):
            data = identity.of_mixtures(mixtures, data_dir)
            journal.append("data", sources=data)
            contamination = Contamination.of(run_spec.spec.checked, data_dir, journal.log)
        return cls(
            spec=run_spec.spec,
            attempt=run_spec.attempt,
            run_dir=run_dir,
            checkpoints=folder,
            parent=parent,
            data_dir=data_dir,
            cache_dir=cache_dir,
            device="cpu" if run_spec.device == "cpu" else f"cuda:{torchrun.local_rank()}",
            journal=journal,
            key=run_spec.key,
            resume=resume,
            done=done,
            data=data,
            contamination=contamination,
        )

    def own_stop_reason(self) -> str | None:
        """What this process alone was told to stop for: DEADLINE, TERMINATED, or None to go on."""
        if self._past_deadline():
            return DEADLINE
        return TERMINATED if self.terminated else None

    def stop_reason(self) -> str | None:
        """Why the stage should end now: DEADLINE (saves nothing more), TERMINATED (saves first), or None.

        All processes of the stage must ask at the same point; what one of them was told counts for all.
        """
        return REASONS[int(ranks.largest(REASONS.index(self.own_stop_reason()))[0])]

    def stop_if_asked(self) -> None:
        """Raise Stopped when the stage should end now; all processes of the stage must ask at the same point."""
        if (reason := self.stop_reason()) is not None:
            raise Stopped(reason)

    def _past_deadline(self) -> bool:
        """Compare the machine's monotonic clock with RUN_DIR/deadline (seconds), read again only when the file changed."""
        path = self.run_dir / "deadline"
        try:
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:
            return False
        if changed != self._deadline_mtime:
            text = path.read_text().strip()
            if text:  # empty: caught between the writer's truncate and write; the mtime will change again
                self._deadline, self._deadline_mtime = float(text), changed
        return self._deadline is not None and time.monotonic() > self._deadline


def _environment(run_spec: RunSpec) -> dict[str, str | int]:
    """Versions of libraries, device, threads and processes of this attempt."""
    device = "cpu"
    if run_spec.device != "cpu":
        device = torch.cuda.get_device_name(torchrun.local_rank())
    return {
        **versions(),
        "device": device,
        "threads": run_spec.threads,
        "processes": torchrun.processes(),
    }


def _done(own: Own, run_spec: RunSpec) -> VerifiedCheckpoint | None:
    """The stage's result: its own, or one that it takes over. Raises ValueError when that is not whole any more."""
    if run_spec.finished_checkpoint is None:
        return own.final()
    found = checkpoints.read(Path(run_spec.finished_checkpoint))
    if found is None or run_spec.finished_manifest not in ("", found.manifest_sha256):
        raise ValueError(
            f"the reused checkpoint in {run_spec.finished_checkpoint} is gone, damaged or another one; "
            "launch the experiment again with --no-reuse"
        )
    return found


def _verify_parent(parent: Path, manifest: str) -> None:
    """Raise ValueError unless the parent's checkpoint is the one that was recorded, byte by byte.

    Where none was recorded, by hand, a folder without a manifest will do.
    """
    if not manifest and parent.is_dir() and not (parent / checkpoints.MANIFEST).exists():
        return
    found = checkpoints.read(parent)
    again = "have the stage before this one computed again: Recompute on its run's page, or mulberry retry EXP --run N --recompute"
    if found is None:
        state = "is damaged: its files are not as its manifest says" if parent.is_dir() else "is gone"
        raise ValueError(f"the parent checkpoint {parent} {state}; {again}")
    if manifest not in ("", found.manifest_sha256):
        raise ValueError(f"the parent checkpoint {parent} is not the one that was recorded; {again}")
