"""A computation that is repeated with the same shapes, on a GPU recorded once as a CUDA graph.

Launching the kernels of a small model one by one takes longer than they run; a graph launches all of them at once
(https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs).
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

SPARE = 1 / 16  # of the device's memory


class Replay:
    """Calls step(*inputs); the shapes of its inputs never change, and what it reads besides stays where it is.

    On a GPU the result is overwritten by the next call of any Replay, so one is used up before the next one is made. The
    first call computes twice: the step may only write what it would write again.
    """

    def __init__(self, step: Callable[..., Tensor]) -> None:
        self._step = step
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: tuple[Tensor, ...] = ()
        self._output: Tensor | None = None

    def __call__(self, *inputs: Tensor) -> Tensor:
        """The step's result."""
        if inputs[0].device.type != "cuda":
            return self._step(*inputs)
        if self._graph is None:
            self._inputs = tuple(given.clone() for given in inputs)
            self._graph = self._recorded(inputs[0].device)
        else:
            for kept, given in zip(self._inputs, inputs, strict=True):
                kept.copy_(given)
        self._graph.replay()
        assert self._output is not None
        return self._output

    def _recorded(self, device: torch.device) -> torch.cuda.CUDAGraph:
        """As torch.cuda.graph does it, less its collection of garbage and, with memory to spare, emptying of the cache.

        Those take longer than the recording.
        """
        graph, stream, here = torch.cuda.CUDAGraph(), _stream(device), torch.cuda.current_stream(device)
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            self._step(*self._inputs)  # what libraries prepare at a first call cannot be recorded
            free, total = torch.cuda.mem_get_info(device)
            if (
                free < SPARE * total
            ):  # while recording, the allocator cannot give back what it keeps for later
                torch.cuda.empty_cache()
            graph.capture_begin(pool=_pool(device).pool(), capture_error_mode="thread_local")
            try:
                self._output = self._step(*self._inputs)
            finally:
                graph.capture_end()
        here.wait_stream(stream)
        return graph


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """One for all recordings: each stream has a workspace of its own in cuBLAS."""
    stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return stream


@cache
def _pool(device: torch.device) -> torch.cuda.CUDAGraph:
    """A graph that lives as long as the process, in whose memory all others are recorded.

    Memory of a pool that went with its last graph would stay reserved, unused.
    """
    keeper, stream = torch.cuda.CUDAGraph(), _stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        keeper.capture_begin(capture_error_mode="thread_local")
        torch.zeros(1, device=device)
        keeper.capture_end()
    return keeper
