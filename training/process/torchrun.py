"""A stage by several processes under torchrun: how they are started, which one this is, how one reports its end.

The first process (rank 0) writes the journal and the checkpoints. What ends another one is left in
RUN_DIR/failed-process-N.json, from where the first one, or the worker, takes it over (no torch).
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import NoReturn

LAUNCHER = "torch.distributed.run"
VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def command(run_dir: Path, processes: int) -> list[str]:
    """argv that runs a stage in so many processes of this machine."""
    launcher = ["-m", LAUNCHER, "--standalone", "--nproc-per-node", str(processes), "-m"]
    return [sys.executable, *(launcher if processes > 1 else ["-m"]), "training", str(run_dir)]


def started_this() -> bool:
    """Whether torchrun started this process, as one of several or the only one."""
    return "RANK" in os.environ


def rank() -> int:
    """This process's number among those of its stage, from 0."""
    return int(os.environ.get("RANK", 0))


def local_rank() -> int:
    """The same among those on this machine: which of the visible GPUs is its own."""
    return int(os.environ.get("LOCAL_RANK", 0))


def processes() -> int:
    """How many processes run this stage."""
    return int(os.environ.get("WORLD_SIZE", 1))


def leave(status: int) -> NoReturn:
    """End this process. One of several ends at once: the libraries' own ends of connections abort it now and then."""
    if not started_this():
        sys.exit(status)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def go_alone() -> None:
    """Forget torchrun: this process runs the stage by itself."""
    for name in VARIABLES:
        os.environ.pop(name, None)


def report_failure(run_dir: Path, *, reason: str, hint: str, trace: str) -> None:
    """Leave word of why this process fails."""
    failure = {"reason": reason, "hint": hint, "trace": trace, "time": time.time()}
    partial = _path(run_dir, rank()).with_suffix(".new")
    partial.write_text(json.dumps(failure), encoding="utf-8")
    partial.rename(_path(run_dir, rank()))


def forget_failure(run_dir: Path) -> None:
    """Remove what an earlier start of this process in the same run directory left."""
    _path(run_dir, rank()).unlink(missing_ok=True)


def first_failure(run_dir: Path) -> dict[str, str] | None:
    """Reason, hint and trace of the process that failed first: the others only lost it."""
    found = [json.loads(path.read_bytes()) for path in run_dir.glob(_path(run_dir, "*").name)]
    return min(found, key=lambda failure: failure["time"], default=None)


def _path(run_dir: Path, number: int | str) -> Path:
    return run_dir / f"failed-process-{number}.json"
