"""OpenWebMath: mathematical web pages, with formulas as LaTeX."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from training.data.example import Example
from training.data.files import FilesSource, texts


class OpenWebMathSource(FilesSource):
    """Running text from column `text`."""

    source: Literal["open_web_math"]
    hub_name: ClassVar[str] = "open-web-math/open-web-math"
    seekable: ClassVar[bool] = True
    path: str = Field("open_web_math", description="Folder or file of parquet or JSONL with text")


def examples(settings: OpenWebMathSource, *, seed: int, data_dir: Path, skip: int = 0) -> Iterator[Example]:
    """Yield the pages from the `skip`-th on; raises ValueError when there are no files."""
    return texts(settings, seed=seed, data_dir=data_dir, skip=skip)
