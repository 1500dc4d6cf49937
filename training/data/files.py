"""Rows of a data set: a local folder of parquet or JSONL files, or the hub by name; streamed, from any row on.

The order is random but for the blocks: rows stay in the order of the files, and BLOCK rows together are shuffled by
the seed. So the order takes no memory, and a stream that starts at a row reads nothing that lies before its block.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from training.data.example import Example
from training.data.rows import ENDINGS, Row, count, explained, read
from training.data_sets import how_to_get
from training.settings.source import Source

BLOCK = 1_000  # rows that are shuffled together


class FilesSource(Source):
    """A data set in files; a source's own class names its default folder, and where the hub has it as hub_name."""

    seekable: ClassVar[bool] = (
        False  # an example is a row: examples() takes `skip` and reads none up to there
    )
    path: str = Field(..., description="Folder or file of parquet or JSONL, relative to the data folder")
    hub: str | None = Field(None, description="Hub data set to stream instead of the files; needs a network")
    subset: str | None = Field(None, description="The hub data set's configuration; empty: its only one")
    split: str = Field("train", description="The hub data set's split")
    revision: str | None = Field(None, description="Commit or tag of the hub data set; empty: the newest")

    def reads(self) -> Sequence[str]:
        """The folder or file, unless it streams."""
        return () if self.hub is not None else (self.path,)

    def streams(self) -> str | None:
        """As set."""
        return self.hub


def shuffled_rows(
    settings: FilesSource, *, seed: int, data_dir: Path, skip: int, columns: list[str]
) -> Iterator[Row]:
    """Yield the rows in the seed's order from the `skip`-th on. Raises ValueError when there are none to read."""
    block = skip // BLOCK
    rows = rows_from(settings, block * BLOCK, data_dir=data_dir, columns=columns)
    skip %= BLOCK
    while taken := list(islice(rows, BLOCK)):
        random.Random(f"{settings.source} {seed} {block}").shuffle(taken)
        yield from taken[skip:]
        skip, block = 0, block + 1


def texts(settings: FilesSource, *, seed: int, data_dir: Path, skip: int) -> Iterator[Example]:
    """Yield the running texts of column `text`, one for each row, in the seed's order from the `skip`-th on."""
    for row in shuffled_rows(settings, seed=seed, data_dir=data_dir, skip=skip, columns=["text"]):
        yield Example("", row.text("text"))


def rows_from(settings: FilesSource, start: int, *, data_dir: Path, columns: list[str]) -> Iterator[Row]:
    """Yield the rows in the order of the files from number `start` on, the columns only where that saves reading."""
    if settings.hub is not None:
        for number, row in enumerate(_hub(settings).skip(start), start + 1):
            yield Row(row, settings.hub, "row", number)
        return
    for file in files(settings, data_dir=data_dir):
        inside = count(file) if start else None
        if inside is not None and start >= inside:
            start -= inside
            continue
        yield from read(file, start, columns)
        start = 0


def count_rows(settings: FilesSource, *, data_dir: Path) -> int | None:
    """How many rows there are; None where the hub does not say."""
    if settings.hub is None:
        return sum(count(file) for file in files(settings, data_dir=data_dir))
    splits = _hub(settings).info.splits or {}
    return splits[settings.split].num_examples if settings.split in splits else None


def files(settings: FilesSource, *, data_dir: Path) -> list[Path]:
    """The local files, by name. Raises ValueError that says what to do when there are none."""
    place = data_dir / settings.path
    with explained(place):
        if place.is_file() and place.name.lower().endswith(ENDINGS):
            return [place]
        found = sorted(f for f in place.rglob("*") if f.is_file() and f.name.lower().endswith(ENDINGS))
    if not found:
        raise ValueError(
            f"there are no parquet or JSONL files in {place}; {how_to_get(settings.path)}put the files of "
            f"{settings.hub_name} there, set MULBERRY_DATA to the data folder, or a source's hub to {settings.hub_name}"
        )
    return found


def _hub(settings: FilesSource) -> Any:
    from datasets import load_dataset  # seconds to import, and only the hub needs it

    return load_dataset(
        settings.hub, settings.subset, split=settings.split, revision=settings.revision, streaming=True
    )
