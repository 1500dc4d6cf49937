"""One execution of a stage: its spec, where its files lie, its journal, and whether it should stop."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from training import checkpoints
from training.checkpoints import Checkpoint
from training.data import identity
from training.journal import Journal
from training.recipe import RunSpec, StageSpec

TERMINATED, DEADLINE = "terminated", "deadline"


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
    device: str
    journal: Journal
    resume: Checkpoint | None  # newest valid point to resume from
    done: Checkpoint | None  # the stage's final checkpoint, when training is over already
    terminated: bool = False  # set by the TERM handler
    _deadline: float | None = field(default=None, repr=False)
    _deadline_mtime: int = field(default=0, repr=False)

    @classmethod
    def open(cls, run_dir: Path, run_spec: RunSpec, journal: Journal) -> "Run":
        """Find the checkpoints, announce the start and the data. Raises ValueError where parent or files are missing."""
        folder = run_dir / run_spec.checkpoints
        parent = Path(run_spec.parent_checkpoint) if run_spec.parent_checkpoint else None
        done, resume = checkpoints.final(folder), checkpoints.newest_valid(folder)
        step = done.step if done else resume.step if resume else 0
        journal.append("started", attempt=run_spec.attempt, step=step, pid=os.getpid())
        if parent is None and run_spec.spec.parent is not None:
            raise ValueError(
                f"stage {run_spec.spec.stage!r} starts from {run_spec.spec.parent!r}, but spec.json names no "
                "parent_checkpoint; give the folder of that stage's final checkpoint"
            )
        if parent is not None and not parent.is_dir():
            raise ValueError(f"there is no parent checkpoint {parent}; run the stage before this one first")
        data_dir = Path(run_spec.data_dir or os.environ.get("MULBERRY_DATA", "../shared/data"))
        cache_dir = Path(run_spec.cache_dir or os.environ.get("MULBERRY_CACHE") or run_dir.parent / "cache")
        if done is None and (mixtures := run_spec.spec.settings.mixtures()):
            journal.append("data", sources=identity.of_mixtures(mixtures, data_dir))
        return cls(
            spec=run_spec.spec,
            attempt=run_spec.attempt,
            run_dir=run_dir,
            checkpoints=folder,
            parent=parent,
            data_dir=data_dir,
            cache_dir=cache_dir,
            device=run_spec.device,
            journal=journal,
            resume=resume,
            done=done,
        )

    def stop_reason(self) -> str | None:
        """Why the stage should end now: DEADLINE (saves nothing more), TERMINATED (saves first), or None."""
        if self._past_deadline():
            return DEADLINE
        return TERMINATED if self.terminated else None

    def stop_if_told(self) -> None:
        """Raise Stopped when the stage should end now."""
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
