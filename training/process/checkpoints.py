"""Checkpoints on disk: written whole or not at all, checked by SHA-256 before use (no torch).

A checkpoint is a folder `step-NNNNNNNN` (to resume from) or `final` (for children and readers). It is written under a
temporary name, flushed to disk file by file, and renamed; `manifest.json` holds every file's size and SHA-256 and what
names the run, so that a folder that a crash, a full disk or a copy cut short is recognised, and one of another run, too.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

MANIFEST = "manifest.json"
FINAL = "final"
PARTIAL = ".partial-"
REPLACED = ".replaced-"


@dataclass(frozen=True)
class VerifiedCheckpoint:
    """A checkpoint whose files are as its manifest says."""

    path: Path
    step: int
    manifest_sha256: str
    bytes: int  # of all files but the manifest
    key: str = ""  # of the run that wrote it; empty: it had none

    @property
    def final(self) -> bool:
        """Whether this is the stage's result, not a point to resume from."""
        return self.path.name == FINAL


def step_name(step: int) -> str:
    """Name of the folder to resume from at a step."""
    return f"step-{step:08d}"


@contextmanager
def write(folder: Path, name: str, *, step: int, key: str = "") -> Iterator[Path]:
    """Yield a temporary folder to fill; on leaving without an error it becomes `folder / name`.

    A checkpoint of that name is replaced. On an error nothing of the new one stays. `key` names the run that writes it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{PARTIAL}{name}-{uuid4().hex[:8]}"
    partial.mkdir()
    try:
        yield partial
        _seal(partial, step, key)
        _replace(partial, folder / name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def read(path: Path) -> VerifiedCheckpoint | None:
    """Return the checkpoint in a folder when every file is as the manifest says, else None."""
    try:
        manifest, digest = _manifest(path)
        for name, known in manifest["files"].items():
            file = path / name
            if file.stat().st_size != known["bytes"] or _sha256(file) != known["sha256"]:
                return None
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError):
        return None
    return VerifiedCheckpoint(
        path=path,
        step=manifest["step"],
        manifest_sha256=digest,
        bytes=sum(known["bytes"] for known in manifest["files"].values()),
        key=manifest.get("key", ""),
    )


def is_there(path: Path, manifest_sha256: str) -> bool:
    """Whether a folder still holds the checkpoint of that manifest: its files by size, none is read."""
    try:
        manifest, digest = _manifest(path)
        sizes = {path / name: known["bytes"] for name, known in manifest["files"].items()}
        same = all(file.stat().st_size == size for file, size in sizes.items())
    except (OSError, ValueError, KeyError):
        return False
    return same and digest == manifest_sha256


def _manifest(path: Path) -> tuple[dict[str, Any], str]:
    """The manifest of a checkpoint, and the SHA-256 of what it says of step and files: two runs that computed the same have one.

    Raises OSError and ValueError.
    """
    text = (path / MANIFEST).read_bytes()
    manifest = json.loads(text)
    if "key" in manifest:  # those of before have none
        text = _text({name: value for name, value in manifest.items() if name != "key"})
    return manifest, hashlib.sha256(text).hexdigest()


def _text(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, indent=1).encode()


@dataclass
class Own:
    """The checkpoints of one run in its folder; `passed_over` gets a sentence about each that is none."""

    folder: Path
    key: str = ""  # of the run
    recorded: Collection[str] | None = None  # SHA-256 of the manifests to go on from; None: any
    passed_over: list[str] = field(default_factory=list)

    def newest(self) -> VerifiedCheckpoint | None:
        """The checkpoint with the highest step to resume from."""
        paths = sorted(self.folder.glob("step-*"), reverse=True)
        return next((found for path in paths if (found := self._usable(path)) is not None), None)

    def final(self) -> VerifiedCheckpoint | None:
        """The stage's result when it is there."""
        path = self.folder / FINAL
        return self._usable(path) if path.exists() else None

    def _usable(self, path: Path) -> VerifiedCheckpoint | None:
        found = read(path)
        if found is None:
            why = "is damaged: its files are not as its manifest says"
        elif found.key != self.key:
            why = "was written by another run"
        elif self.recorded is not None and found.manifest_sha256 not in self.recorded:
            why = "is not among those whose records are kept"
        else:
            return found
        self.passed_over.append(f"the checkpoint {path} was passed over: it {why}")
        return None


def prune(folder: Path, keep: int = 2) -> None:
    """Delete all points to resume from but the newest `keep`, and what crashed attempts left half written."""
    for path in sorted(folder.glob("step-*"))[:-keep]:
        shutil.rmtree(path, ignore_errors=True)
    for prefix in (PARTIAL, REPLACED):
        for path in folder.glob(f"{prefix}*"):
            shutil.rmtree(path, ignore_errors=True)


def _seal(folder: Path, step: int, key: str) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    entries = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in files
    }
    (folder / MANIFEST).write_bytes(_text({"step": step, "files": entries, "key": key}))
    for path in [*files, folder / MANIFEST, folder]:
        fsync(path)


def _replace(partial: Path, target: Path) -> None:
    if target.exists():  # a folder with content cannot be renamed over
        aside = target.with_name(f"{REPLACED}{target.name}-{uuid4().hex[:8]}")
        target.rename(aside)
        partial.rename(target)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        partial.rename(target)
    fsync(target.parent)


def fsync(path: Path) -> None:
    """Have a file, or the names in a folder, on disk for good."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
