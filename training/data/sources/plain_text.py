"""Running text from a file of the data folder, e.g. text/tinyshakespeare.txt, in pieces."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from training.data import rows
from training.data.example import Example
from training.data_sets import how_to_get
from training.settings.source import Source


class PlainTextSource(Source):
    """Pieces of one text file, each once, in random order."""

    source: Literal["plain_text"]
    prompt_tokens: ClassVar[int] = 0
    completion_tokens: ClassVar[int] = 310
    has_rows: ClassVar[bool] = False
    path: str = Field("text/tinyshakespeare.txt", description="UTF-8 text file, relative to the data folder")
    characters: int = Field(1000, ge=1, description="Length of a piece, at least; it ends with a line")

    def reads(self) -> Sequence[str]:
        """The one file."""
        return (self.path,)


def examples(settings: PlainTextSource, *, seed: int, data_dir: Path) -> Iterator[Example]:
    """Yield the file's pieces; raises ValueError when there is no such file, or it is not UTF-8."""
    file = data_dir / settings.path
    with rows.explained(file):
        is_file = file.is_file()
    if not is_file:
        raise ValueError(
            f"there is no {file}; {how_to_get(settings.path)}set MULBERRY_DATA to the data folder, or path to a file in it"
        )
    pieces, piece, size = [], [], 0
    for line in rows.text(file).splitlines(keepends=True):
        piece.append(line)
        size += len(line)
        if size >= settings.characters:
            pieces.append("".join(piece))
            piece, size = [], 0
    if piece:
        pieces.append("".join(piece))
    random.Random(f"plain_text {seed}").shuffle(pieces)
    for text in pieces:
        yield Example("", text)
