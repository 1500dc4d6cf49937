"""Token shards: a long sequence of token ids in memory-mapped files, written once and read by row (no torch).

A folder holds `shard-NNNNNN.bin` (little-endian ids, nothing else), `held_out.bin` (8 bytes for each text of the
validation part) and `manifest.json` with the size and SHA-256 of each. A file gets its name when it is whole, and
counts once the manifest names it; a shard ends with a text, and says how much of each source lies before its end, so
that whoever goes on needs nothing but the last one. Rows do not care where a shard ends.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from training.data.kept import SourceDose
from training.process.checkpoints import fsync

MANIFEST, HELD_OUT, PARTIAL = "manifest.json", "held_out.bin", ".partial-"
Part = Literal["validation", "training"]


class Shard(BaseModel):
    """One file of tokens."""

    file: str
    part: Part
    tokens: int
    sha256: str
    drawn: list[int]  # of each source, texts taken from the very first shard to this one's end
    sizes: list[int]  # of each source, tokens of those that were kept, as the source has them
    sources: list[dict[str, Any]] = []  # SourceDose: what this shard alone holds of each; empty: not recorded


class Manifest(BaseModel):
    """What a folder of shards holds."""

    made_of: dict[str, Any]  # what the tokens depend on, and nothing else
    dtype: Literal["<u2", "<u4"]
    held_out_sha256: str | None = None
    shards: list[Shard] = []

    def of(self, part: Part) -> list[Shard]:
        """The shards of one part, in order."""
        return [shard for shard in self.shards if shard.part == part]

    def tokens(self, part: Part) -> int:
        """The tokens of one part."""
        return sum(shard.tokens for shard in self.of(part))


class Folder:
    """A folder of shards: read by anybody, written by whoever holds its lock."""

    def __init__(self, path: Path, made_of: dict[str, Any], vocabulary: int) -> None:
        self.path = path
        self.manifest = Manifest(made_of=made_of, dtype="<u2" if vocabulary <= 1 << 16 else "<u4")

    def load(self) -> None:
        """Take over what is there and whole: a file that is not as the manifest says ends the list before it."""
        try:
            found = Manifest.model_validate_json((self.path / MANIFEST).read_bytes())
        except (FileNotFoundError, ValidationError):
            return
        self.manifest.held_out_sha256, self.manifest.shards = None, []
        if found.held_out_sha256 is not None:
            if _sha256(self.path / HELD_OUT) != found.held_out_sha256:
                return  # nobody knows any more what must not be trained on
            self.manifest.held_out_sha256 = found.held_out_sha256
        size = np.dtype(found.dtype).itemsize
        for shard in found.shards:
            file = self.path / shard.file
            if (
                not file.is_file()
                or file.stat().st_size != shard.tokens * size
                or _sha256(file) != shard.sha256
            ):
                return
            self.manifest.shards.append(shard)

    def clear_unnamed(self) -> None:
        """Delete what the manifest does not name: what a killed writer left, and broken shards."""
        named = {MANIFEST, HELD_OUT, *(shard.file for shard in self.manifest.shards)}
        for file in self.path.iterdir():
            if file.name not in named:
                file.unlink()

    def hold_out(self, keys: Iterable[int]) -> None:
        """Write the keys of the validation part's texts."""
        partial = self.path / f"{PARTIAL}{uuid4().hex}"
        np.array(sorted(keys), dtype="<u8").tofile(partial)
        _settle(partial, self.path / HELD_OUT)
        self.manifest.held_out_sha256 = _sha256(self.path / HELD_OUT)

    def held_out(self) -> set[int]:
        """The keys of the validation part's texts."""
        if self.manifest.held_out_sha256 is None:
            return set()
        return set(np.fromfile(self.path / HELD_OUT, dtype="<u8").tolist())

    def add(self, shard: Shard) -> None:
        """Name a new shard in the manifest, which is what makes it count."""
        self.manifest.shards.append(shard)
        partial = self.path / f"{PARTIAL}{uuid4().hex}"
        partial.write_text(self.manifest.model_dump_json(indent=1), encoding="utf-8")
        _settle(partial, self.path / MANIFEST)

    def seen(self) -> int:
        """Tokens that some process has written so far, the shard in the making included: for progress."""
        try:
            named = Manifest.model_validate_json((self.path / MANIFEST).read_bytes())
            tokens = sum(shard.tokens for shard in named.shards)
        except (FileNotFoundError, ValidationError):
            tokens = 0
        size = np.dtype(self.manifest.dtype).itemsize
        return tokens + sum(file.stat().st_size // size for file in self.path.glob(f"{PARTIAL}shard-*"))


class Writer:
    """Writes one shard, text by text; memory holds one text at a time."""

    def __init__(self, folder: Folder, part: Part) -> None:
        self.folder, self.part, self.tokens = folder, part, 0
        self._name = f"shard-{len(folder.manifest.shards):06}.bin"
        self._partial = folder.path / f"{PARTIAL}{self._name}"
        self._file = self._partial.open("wb")
        self._hash = hashlib.sha256()
        self._dtype = np.dtype(folder.manifest.dtype)

    def append(self, ids: Sequence[int]) -> None:
        """Append the tokens of one text."""
        content = np.asarray(ids, dtype=self._dtype).tobytes()
        self._file.write(content)
        self._hash.update(content)
        self.tokens += len(ids)

    def close(self, drawn: Sequence[int], sizes: Sequence[int], sources: Sequence[SourceDose] = ()) -> None:
        """Make the shard count."""
        self._file.close()
        _settle(self._partial, self.folder.path / self._name)
        self.folder.add(
            Shard(
                file=self._name,
                part=self.part,
                tokens=self.tokens,
                sha256=self._hash.hexdigest(),
                drawn=list(drawn),
                sizes=list(sizes),
                sources=[dict(dose) for dose in sources],
            )
        )

    def drop(self) -> None:
        """Leave nothing of it."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


class TokenRows:
    """Rows of `length` tokens by their number, from the mapped shards of one part."""

    def __init__(self, folder: Folder, part: Part, length: int, count: int | None = None) -> None:
        shards = folder.manifest.of(part)
        self._mapped = [
            np.memmap(folder.path / shard.file, dtype=folder.manifest.dtype, mode="r") for shard in shards
        ]
        self._ends = np.cumsum([shard.tokens for shard in shards], dtype=np.int64)
        self.length = length
        whole = folder.manifest.tokens(part) // length
        self._count = whole if count is None else count
        if self._count > whole:
            raise ValueError(f"{folder.path} holds {whole} rows of the {part} part, not {self._count}")

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, row: int) -> NDArray[np.int64]:
        """The ids of a row, (length,)."""
        if not 0 <= row < self._count:
            raise IndexError(f"there is no row {row}; there are {self._count}")
        start, left = row * self.length, self.length
        place = int(np.searchsorted(self._ends, start, side="right"))
        start -= int(self._ends[place - 1]) if place else 0
        pieces = []
        while left:
            piece = self._mapped[place][start : start + left]
            pieces.append(piece)
            left -= len(piece)
            place, start = place + 1, 0
        return np.concatenate(pieces, dtype=np.int64)


def key(made_of: dict[str, Any]) -> str:
    """The name of the folder of what depends on nothing but this."""
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:32]


def _settle(partial: Path, target: Path) -> None:
    """Give a written file its name, on disk for good."""
    fsync(partial)
    partial.replace(target)
    fsync(target.parent)


def _sha256(file: Path) -> str | None:
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except FileNotFoundError:
        return None
