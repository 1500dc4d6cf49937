"""The first examples of a source, which plans look at: drawn once, until its files change (no torch)."""

from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter

from training.data.example import Example
from training.data.identity import files_of
from training.data.sources import SOURCES, AnySource
from training.settings.source import Source

EXAMPLES = 100  # of each source; generated ones take some milliseconds
LARGEST = 64 << 20  # bytes of a source's files: larger ones are not opened for a plan
_SOURCE = TypeAdapter[Source](AnySource)


class SourceState(NamedTuple):
    """A source and its files as they are now: equal ones have equal examples."""

    written: str  # its settings; its weight in a mixture is none of them
    data_dir: Path
    files: tuple[tuple[str, int, int], ...]  # path, bytes, time of the last change

    @property
    def source(self) -> Source:
        """Its settings."""
        return _SOURCE.validate_json(self.written)


def state_of(source: Source, data_dir: Path) -> SourceState | None:
    """How a source is now; None where it cannot be looked at quickly: the hub's, large or missing files."""
    if source.streams() is not None:
        return None
    try:
        stats = [(str(file), file.stat()) for file in files_of(source, data_dir)]
    except (OSError, ValueError):
        return None  # the plan says elsewhere what is missing
    if sum(stat.st_size for _, stat in stats) > LARGEST:
        return None
    files = tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats)
    return SourceState(source.model_dump_json(exclude={"weight"}), data_dir, files)


@lru_cache(maxsize=64)
def drawn(state: SourceState) -> tuple[Example, ...]:
    """Its first examples with seed 0. Raises ValueError or OSError where a file is broken."""
    source = state.source
    return tuple(islice(SOURCES[source.source](source, seed=0, data_dir=state.data_dir), EXAMPLES))
