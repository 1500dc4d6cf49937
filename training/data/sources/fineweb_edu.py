"""FineWeb-Edu: educational web pages, the report's pre-training text."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from training.data.example import Example
from training.data.files import FilesSource, texts


class FinewebEduSource(FilesSource):
    """Running text from column `text`."""

    source: Literal["fineweb_edu"]
    hub_name: ClassVar[str] = "HuggingFaceFW/fineweb-edu"
    seekable: ClassVar[bool] = True
    path: str = Field("fineweb_edu", description="Folder or file of parquet or JSONL with text")


def examples(settings: FinewebEduSource, *, seed: int, data_dir: Path, skip: int = 0) -> Iterator[Example]:
    """Yield the pages from the `skip`-th on; raises ValueError when there are no files."""
    return texts(settings, seed=seed, data_dir=data_dir, skip=skip)
