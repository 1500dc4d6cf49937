"""Whose a run's folders are: each bears the run's number and key in its name, and the key in a file (no torch)."""

from pathlib import Path

OWNER = "run.key"  # the file


def folder_name(run: int, key: str) -> str:
    """The name of a run's folders, below `runs` in the home and in the storage."""
    return f"{run}-{key[:12]}" if key else str(run)


def belongs_to_another(folder: Path, key: str) -> bool:
    """Whether a folder says that it is of a run with another key; one that says nothing is of before runs had keys."""
    owner = folder / OWNER
    return owner.is_file() and owner.read_text(encoding="utf-8") != key
