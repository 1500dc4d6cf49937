"""Processes of this machine: who is alive, who descends from whom, and ending all of them."""

import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from training.folders import IS_CHECKOUT, SOURCE
from training.process.start_times import start_time

SAME_START = 0.5  # seconds: a number is not given away twice within that


@dataclass(frozen=True)
class Host:
    """A machine since its last boot; within it a pid and a start time name one process for good."""

    hostname: str
    boot_id: str  # boot and pid namespace: two containers of a machine do not see each other's processes

    @classmethod
    def this(cls) -> "Host":
        """The machine (or container) that this process runs on."""
        boot = Path("/proc/sys/kernel/random/boot_id")
        if not boot.exists():
            return cls(socket.gethostname(), str(int(psutil.boot_time())))
        namespace = Path("/proc/self/ns/pid").stat().st_ino
        return cls(socket.gethostname(), f"{boot.read_text().strip()}:{namespace}")

    def saw_end_of(self, boot_id: str, pid: int | None, started: float | None, *, silent: bool) -> bool:
        """Whether a process recorded under this hostname is certainly gone, as far as can be told from here.

        Another boot id may be this machine before it was booted again, or another machine of the same name:
        only the former is `silent`.
        """
        if boot_id == self.boot_id:
            return find(pid, started) is None
        return silent and boot_id.partition(":")[0] != self.boot_id.partition(":")[0]


def find(pid: int | None, started: float | None) -> psutil.Process | None:
    """The live process with that pid and start time; zombies count as gone."""
    if pid is None or started is None:
        return None
    try:
        process = psutil.Process(pid)
        now = start_time(pid)
        same = now is not None and abs(now - started) < SAME_START
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def family(leader: int, start_time: float | None) -> set[psutil.Process]:
    """A process, its descendants in whatever session, and all members of its own session.

    Empty when its number now belongs to another process.
    """
    process = find(leader, start_time)
    if process is None:
        return set() if psutil.pid_exists(leader) and not _is_zombie(leader) else session(leader)
    return {process} | _children(process) | session(leader)


def session(leader: int) -> set[psutil.Process]:
    """Members of the session that a process leads or led; its number is not given away while one lives."""
    found = set()
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == leader:
                found.add(psutil.Process(pid))
        except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            continue
    return found


def living(processes: set[psutil.Process]) -> set[psutil.Process]:
    """Those that still run; zombies are gone."""
    return {p for p in processes if _alive(p)}


def kill(processes: set[psutil.Process], within: float = 5.0) -> set[psutil.Process]:
    """KILL them and everything that descends from them, until nothing is left; returns what would not die."""
    end = time.monotonic() + within
    left = living(processes)
    while left and time.monotonic() < end:
        for process in list(left):
            left |= _children(process) | (session(process.pid) if _leads(process) else set())
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.02)
        left = living(left)
    return left


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _leads(process: psutil.Process) -> bool:
    try:
        return bool(os.getsid(process.pid) == process.pid)
    except ProcessLookupError:
        return False


def _is_zombie(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _children(process: psutil.Process) -> set[psutil.Process]:
    try:
        return set(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def minimal_environment() -> dict[str, str]:
    """What training may see of this process's environment: no database, no broker, no secret."""
    passed = (
        "PATH",
        "HOME",
        "USER",
        "LANG",
        "TZ",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "MULBERRY_DATA",
        "MULBERRY_DISK_RESERVE",
    )
    prefixes = (
        "LC_",
        "CUDA_",
        "NVIDIA_",
        "NCCL_",
        "HF_",
        "OMP_",
        "GOMP_",
        "MKL_",
        "PYTORCH_",
        "TORCH_",
        "TOKENIZERS_",
    )
    environment = {k: v for k, v in os.environ.items() if k in passed or k.startswith(prefixes)}
    return {**environment, "PYTHONUNBUFFERED": "1"}


def own_code(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which `python_module` runs the code that this process runs, whatever folder it starts in."""
    if not IS_CHECKOUT:
        return dict(environment)  # it is installed where Python looks
    paths = [str(SOURCE), *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths)}


def python_module(name: str, *arguments: str) -> list[str]:
    """argv of this interpreter with a module of ours; -P: a `workers` in the current folder is somebody else's."""
    return python("-P", "-m", name, *arguments)


def python(*arguments: str) -> list[str]:
    """argv of this interpreter."""
    return [sys.executable, *arguments]
