"""When a process started, by a clock that nobody sets: what names it for good together with its number (no torch)."""

import os
from pathlib import Path

import psutil

TICKS = os.sysconf("SC_CLK_TCK")  # a second


def start_time(pid: int) -> float | None:
    """Seconds from the machine's boot to the start of a process; None when it is gone.

    Not psutil's create_time, which adds the time of the boot: that moves when somebody sets the clock. It stands in where there is no /proc.
    """
    try:
        if not Path("/proc/self/stat").exists():
            return float(psutil.Process(pid).create_time())
        after_name = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
        return None
    return int(after_name[19]) / TICKS  # field 22 of proc(5)
