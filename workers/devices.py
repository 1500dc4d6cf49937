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
    """One slot: its name on pages, what training is told, and threads of each process; it has one or several devices."""

    name: str
    torch: str  # cpu, cuda:0, cuda:0,1
    threads: int
    processes: int = 1  # one for each device


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


def devices(slots: int | None = None, per_slot: int = 1) -> list[Device]:
    """A slot for every `per_slot` CUDA devices, else for as many cores; a run there has a process for each.

    `slots` says how many instead (CUDA devices are then shared). Raises ValueError when there are too few devices.
    """
    cuda = cuda_devices()
    if 0 < cuda < per_slot:
        raise ValueError(
            f"{per_slot} devices a slot, but this machine shows {cuda} GPUs; start the worker with "
            f"--devices-per-slot {cuda} or less"
        )
    sets = max(1, (cuda or cores()) // per_slot)
    count = slots or sets
    threads = max(1, cores() // (count * per_slot))
    found = []
    for slot in range(count):
        first = slot % sets * per_slot if cuda else slot * per_slot
        numbers = range(first, first + per_slot)
        place = f"{first}" if per_slot == 1 else f"{first}-{numbers[-1]}"
        torch = f"cuda:{','.join(map(str, numbers))}" if cuda else "cpu"
        found.append(Device(f"{'cuda' if cuda else 'cpu'}:{place}", torch, threads, per_slot))
    return found


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
