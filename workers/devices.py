"""Slots: what can run at once on this machine, found without importing torch."""

import os
import queue
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Device:
    """One slot: its name on pages, torch's name of the device, and its share of the CPU threads."""

    name: str
    torch: str
    threads: int


class Slots:
    """Hands each supervising thread a device of its own."""

    def __init__(self, devices: list[Device]) -> None:
        self.devices = devices
        self._free: queue.SimpleQueue[Device] = queue.SimpleQueue()
        for device in devices:
            self._free.put(device)

    @contextmanager
    def taken(self) -> Iterator[Device]:
        """Hold one device; waits while every one is held."""
        device = self._free.get()
        try:
            yield device
        finally:
            self._free.put(device)


def devices(slots: int | None = None) -> list[Device]:
    """One slot a CUDA device, else one a core; `slots` says how many instead (CUDA devices are then shared)."""
    cuda = cuda_devices()
    count = slots or cuda or cores()
    threads = max(1, cores() // count)
    if cuda:
        return [Device(f"cuda:{i % cuda}", f"cuda:{i % cuda}", threads) for i in range(count)]
    return [Device(f"cpu:{i}", "cpu", threads) for i in range(count)]


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def cuda_devices() -> int:
    """CUDA devices that torch would see; CUDA_VISIBLE_DEVICES narrows them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        chosen = [part.strip() for part in visible.split(",")]
        return len([part for part in chosen if part and part != "-1"])
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=False)
    except (FileNotFoundError, PermissionError):  # none, or none for this user
        driver = Path("/proc/driver/nvidia/gpus")
        return len(list(driver.iterdir())) if driver.is_dir() else 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
