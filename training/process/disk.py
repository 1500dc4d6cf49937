"""Free space: below a reserve nothing more is begun or saved, so that what is under way can still be written down (no torch)."""

import errno
import os
import shutil
from pathlib import Path

RESERVE = 1_000_000_000  # bytes that stay free, unless MULBERRY_DISK_RESERVE says another number
RESERVE_SHARE = 0.02  # of a small disk, where that is less
HOST_FAULTS = frozenset(
    getattr(errno, name)
    for name in (
        "ENOSPC",
        "EDQUOT",
        "EROFS",
        "EIO",
        "ESTALE",
        "ENXIO",
        "ENODEV",
        "EMFILE",
        "ENFILE",
        "ENOTCONN",
    )
)
# what libraries make of a write that failed, where they leave no errno
HOST_TEXTS = (
    "No space left on device",
    "Disk quota exceeded",
    "Read-only file system",
    "Input/output error",
    "unexpected pos",  # torch's zip writer
    "iostream error",
)


class DiskFull(OSError):
    """There is less room than what is to be written and the reserve take."""

    def __init__(self, text: str) -> None:
        super().__init__(errno.ENOSPC, text)
        self.text = text

    def __str__(self) -> str:
        return self.text


def full(folder: Path, needed: int = 0) -> str:
    """What is wrong when `needed` bytes and the reserve do not fit on a folder's disk; empty when they do.

    A folder that is not there yet is looked for above. Raises OSError when its disk cannot be asked.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    disk = shutil.disk_usage(folder)
    kept = reserve(disk.total)
    if disk.free >= kept + needed:
        return ""
    wanted = f", {megabytes(needed)} are to be written" if needed else ""
    return (
        f"the disk under {folder} is full: {megabytes(disk.free)} are free{wanted}, {megabytes(kept)} are kept in reserve; "
        "free some space, and it goes on by itself"
    )


def reserve(total: int) -> int:
    """Bytes that stay free of a disk of so many."""
    return int(os.environ.get("MULBERRY_DISK_RESERVE") or min(RESERVE, RESERVE_SHARE * total))


def megabytes(count: int) -> str:
    """A number of bytes in MB."""
    return f"{count / 1e6:,.0f} MB"


def is_host_fault(error: BaseException | None) -> bool:
    """Whether an error, or what it came from, is this machine's and no setting's: its disk is full, read-only or broken."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in HOST_FAULTS:
            return True
        if any(text in str(error) for text in HOST_TEXTS):
            return True
        error = error.__cause__ or error.__context__
    return False
