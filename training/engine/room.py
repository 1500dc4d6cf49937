"""Room on the disk for a checkpoint: a stage waits for it, so that nothing of what it has computed is lost."""

import time

import torch

from training.engine.run_context import Run
from training.process import disk

PATIENCE = 600.0  # seconds until the attempt is given back instead
LOOK = 1.0  # seconds between looks
STATES = 2  # of the optimizer for each weight, as large as that


def of_weights(model: torch.nn.Module, states: int = 0) -> int:
    """Bytes of a checkpoint: the weights, and so many states of the optimizer for each."""
    return sum(one.numel() * one.element_size() for one in model.parameters()) * (1 + states)


def wait(run: Run, needed: int) -> None:
    """Return when so many bytes and the reserve fit where the run's checkpoints lie.

    Raises DiskFull when they do not within PATIENCE, or when the stage should end.
    """
    until = time.monotonic() + PATIENCE
    said = False
    while why := disk.full(run.checkpoints, needed):
        if time.monotonic() > until or run.own_stop_reason() is not None:
            raise disk.DiskFull(why)
        if not said:
            run.journal.log(f"waiting to save a checkpoint: {why}", level="warning")
            said = True
        time.sleep(LOOK)
    if said:
        run.journal.log("there is room again")
