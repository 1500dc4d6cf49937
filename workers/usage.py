"""What a worker's machine is used for: cores, memory, disk, and each GPU that training would see (no torch)."""

import csv
import os
import shutil
import subprocess
from pathlib import Path
from typing import TypedDict

import psutil

from workers.devices import cores

QUERY = ("index", "uuid", "name", "utilization.gpu", "memory.used", "memory.total")
MIB = 2**20


class GpuUsage(TypedDict):
    """One GPU; None where the driver does not tell."""

    name: str
    used: float | None  # share of the time that a kernel ran, 0 to 1
    memory_used: int | None  # bytes
    memory_total: int | None


class Usage(TypedDict):
    """Of the whole machine, whoever uses it; bytes, and shares from 0 to 1."""

    cores: int
    cpu: float
    memory_used: int
    memory_total: int
    disk_free: int  # where runs are written
    gpus: list[GpuUsage]  # cuda:0 first


def sample(home: Path) -> Usage:
    """How it is now; the share of the cores is since the last call."""
    memory = psutil.virtual_memory()
    return Usage(
        cores=cores(),
        cpu=psutil.cpu_percent() / 100,
        memory_used=memory.total - memory.available,
        memory_total=memory.total,
        disk_free=shutil.disk_usage(home).free,
        gpus=gpus(),
    )


def gpus() -> list[GpuUsage]:
    """GPUs by the numbers that training knows them by; empty without nvidia-smi.

    Those are the driver's where all GPUs are alike; CUDA orders different ones by speed unless CUDA_DEVICE_ORDER is
    PCI_BUS_ID.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return []
    command = ["nvidia-smi", f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):  # none, none for this user, or a driver that hangs
        return []
    return _visible(read(done.stdout), os.environ.get("CUDA_VISIBLE_DEVICES"))


def read(text: str) -> list[tuple[str, str, GpuUsage]]:
    """nvidia-smi's lines: number, uuid and figures of each GPU."""
    found = []
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(row) == len(QUERY):
            index, uuid, name, used, memory, total = (cell.strip() for cell in row)
            share = _number(used)
            found.append(
                (
                    index,
                    uuid,
                    GpuUsage(
                        name=name,
                        used=None if share is None else share / 100,
                        memory_used=_bytes(memory),
                        memory_total=_bytes(total),
                    ),
                )
            )
    return found


def _visible(every: list[tuple[str, str, GpuUsage]], chosen: str | None) -> list[GpuUsage]:
    """Those that CUDA_VISIBLE_DEVICES leaves, in its order: it names them by number or by the start of their uuid."""
    if chosen is None:
        return [gpu for *_, gpu in every]
    found = []
    for word in filter(None, (part.strip() for part in chosen.split(","))):
        found += [
            gpu for index, uuid, gpu in every if word == index or (len(word) > 4 and uuid.startswith(word))
        ][:1]
    return found


def _number(text: str) -> float | None:
    """A figure; None for [N/A] and its like."""
    return float(text) if text.replace(".", "", 1).isdecimal() else None


def _bytes(mebibytes: str) -> int | None:
    number = _number(mebibytes)
    return None if number is None else int(number * MIB)
