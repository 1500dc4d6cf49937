"""Grid: a table as people read it, every cell as text, and as Markdown that nothing breaks out of."""

import re
from typing import NamedTuple


class Grid(NamedTuple):
    """A table to read, every cell as text."""

    header: list[str]
    lines: list[list[str]]
    words: tuple[int, ...] = (0,)  # columns set left; figures are set right
    wide: tuple[int, ...] = ()  # columns of sentences, which wrap

    def is_words(self, place: int) -> bool:
        """Whether a column is set left."""
        return place in self.words

    def markdown(self, *, aligned: bool = False) -> str:
        """As a Markdown table, every cell escaped; `aligned` for a terminal: columns of one width."""
        written = [[escaped(text) for text in line] for line in (self.header, *self.lines)]
        widths = [max(map(len, column)) if aligned else 0 for column in zip(*written, strict=True)]
        rule = [
            f":{'-' * max(2, width - 1)}" if self.is_words(place) else f"{'-' * max(2, width - 1)}:"
            for place, width in enumerate(widths)
        ]
        placed = [
            [
                text.ljust(width) if self.is_words(place) else text.rjust(width)
                for place, (text, width) in enumerate(zip(line, widths, strict=True))
            ]
            for line in (written[0], rule, *written[1:])
        ]
        return "\n".join(f"| {' | '.join(line)} |" for line in placed)


def escaped(text: str) -> str:
    """Text that Markdown shows as it is: no table cell ends, no tag, no link, no emphasis begins in it."""
    text = re.sub(r"\s*[\r\n]+\s*", " ", text)
    text = re.sub(r"([\\|`*\[\]])", r"\\\1", text)
    text = re.sub(r"&(?=#?\w+;)", "&amp;", text)
    text = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)  # "< 0.0001" begins no tag and stays readable
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
