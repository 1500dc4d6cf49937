"""The processes of a stage under torchrun: what they agree on, gather, and how they share a batch.

Every function but `index`, `count` and `share` is for all processes at the same point; with one process each does
nothing. What is gathered are Python values, over gloo on every machine: no GPU waits for it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist

from training.process import torchrun

PATIENCE = timedelta(hours=12)  # the first process may prepare data for hours; a dead one is noticed at once
T = TypeVar("T")


def join(device: str) -> None:
    """Meet the other processes, where there are any and it was not done yet; `device` is cpu or cuda."""
    if not torchrun.started_this() or dist.is_initialized():
        return
    if device == "cuda":
        torch.cuda.set_device(torchrun.local_rank())
    dist.init_process_group("cuda:nccl,cpu:gloo" if device == "cuda" else "gloo", timeout=PATIENCE)


def index() -> int:
    """This process's number, from 0; process 0 writes journal and checkpoints."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes run this stage."""
    return dist.get_world_size() if dist.is_initialized() else 1


def wait() -> None:
    """Go on when every process is here."""
    if count() > 1:
        total(0)


def total(*values: float) -> list[float]:
    """The sums of some numbers over all processes."""
    return _reduced(values, dist.ReduceOp.SUM)


def largest(*values: float) -> list[float]:
    """Of each value the largest of all processes'."""
    return _reduced(values, dist.ReduceOp.MAX)


def gathered(items: list[T]) -> list[T]:
    """The items of all processes, in the order of the processes, in each of them."""
    if count() == 1:
        return items
    parts: list[list[T]] = [[] for _ in range(count())]
    dist.all_gather_object(parts, items)
    return [item for part in parts for item in part]


def together(batches: Iterator[list[T]]) -> Iterator[list[T]]:
    """Yield all processes' batches, gathered round by round, until none has another."""
    if count() == 1:
        yield from batches
        return
    while True:
        batch = next(batches, None)
        if not total(batch is not None)[0]:
            return
        yield gathered(batch or [])


def lost_another(error: Exception) -> bool:
    """Whether an error only says that another process went away."""
    return isinstance(error, dist.DistBackendError | dist.DistNetworkError) or "gloo" in str(error)


@dataclass(frozen=True)
class Share:
    """A process's part of each optimizer step: every `turns`-th forward pass, of it every `parts`-th row.

    Passes are shared first, so that each process computes as large a batch as one alone would.
    """

    turns: int
    parts: int
    process: int

    def passes(self, batches: Iterator[list[int]]) -> Iterator[list[int]]:
        """This process's rows of each pass that it takes part in; none, where a short pass has too few."""
        for number, rows in enumerate(batches):
            if number % self.turns == self.process % self.turns:
                yield rows[self.process // self.turns :: self.parts]


def share(batch_size: int, accumulation: int) -> Share:
    """How the processes hold an effective batch. Raises ValueError when their number does not divide it."""
    processes, effective = count(), batch_size * accumulation
    if effective % processes:
        nearest = min(
            (n for n in range(1, effective + 1) if effective % n == 0), key=lambda n: abs(n - processes)
        )
        raise ValueError(
            f"{processes} processes cannot share batch_size × gradient_accumulation = {effective} equally; "
            f"make that a multiple of {processes}, or run on {nearest} devices"
        )
    turns = math.gcd(accumulation, processes)
    return Share(turns, processes // turns, index())


def _reduced(values: tuple[float, ...], operation: dist.ReduceOp.RedOpType) -> list[float]:
    if count() == 1:
        return [float(value) for value in values]
    numbers = torch.tensor(values, dtype=torch.float64)
    dist.all_reduce(numbers, operation)
    return numbers.tolist()
