"""What training takes of this machine: memory of the process, memory and use of its GPU. Microseconds, no process of its own."""

from importlib import import_module
from importlib.util import find_spec

import psutil
import torch

GIB = float(2**30)
PREFIX = "system/"  # what these metrics begin with


def figures(device: str) -> dict[str, float]:
    """Metrics of this process and, on a GPU, of its device; memory in GiB.

    Memory of the GPU is the largest since the last call. Its utilisation is left out where it is not to be had.
    """
    found = {"process_memory": psutil.Process().memory_info().rss / GIB}
    if torch.device(device).type == "cuda":
        found["gpu_memory_allocated"] = torch.cuda.max_memory_allocated() / GIB
        found["gpu_memory_reserved"] = torch.cuda.max_memory_reserved() / GIB
        torch.cuda.reset_peak_memory_stats()
        if (share := _utilisation()) is not None:
            found["gpu_utilisation"] = share
    return {PREFIX + name: value for name, value in found.items()}


def _utilisation() -> float | None:
    """The GPU's, 0 to 1; None where NVIDIA's library (nvidia-ml-py) is not installed, or the driver does not tell it."""
    if find_spec("pynvml") is None:
        return None
    pynvml = import_module("pynvml")
    try:
        return torch.cuda.utilization() / 100
    except (pynvml.NVMLError, RuntimeError):  # of a virtual or shared GPU, say; training goes on without
        return None
