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
from training.process.checkpoints import VerifiedCheckpoint
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
        done, resume = _done(folder, run_spec.finished_checkpoint), checkpoints.newest_valid(folder)
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
        if parent is not None and not parent.is_dir():
            raise ValueError(f"there is no parent checkpoint {parent}; run the stage before this one first")
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
        """Compare the clock with RUN_DIR/deadline (unix seconds), read again only when the file changed."""
        path = self.run_dir / "deadline"
        try:
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:
            return False
        if changed != self._deadline_mtime:
            text = path.read_text().strip()
            if text:  # empty: caught between the writer's truncate and write; the mtime will change again
                self._deadline, self._deadline_mtime = float(text), changed
        return self._deadline is not None and time.time() > self._deadline


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


def _done(folder: Path, taken_over: str | None) -> VerifiedCheckpoint | None:
    """The stage's result: its own, or one that it takes over. Raises ValueError when that is not whole any more."""
    if taken_over is None:
        return checkpoints.final(folder)
    found = checkpoints.read(Path(taken_over))
    if found is None:
        raise ValueError(
            f"the reused checkpoint in {taken_over} is gone or broken; launch the experiment again with --no-reuse"
        )
    return found
