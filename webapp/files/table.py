"""Table: what any table of the dashboard is handed out as, whichever kind of file it becomes (formats.FORMATS).

A sheet has two faces. Programs get its rows, typed and in full precision; people get its grid, every cell as text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from webapp.files.grid import Grid

Value = str | int | float | datetime | None  # of a cell, for programs


@dataclass(frozen=True)
class Column:
    """A column: what it is for programs, and how people read it."""

    name: str
    kind: str  # one of webapp.files.long_tables.KINDS
    title: str = ""  # above it where people read; empty: for programs alone
    write: Callable[[Any], str] = str  # a cell as people read it; nothing known is written –
    wraps: bool = False  # it holds sentences


@dataclass(frozen=True)
class Sheet:
    """Rows in the order of the columns; None where nothing is known."""

    name: str  # in files: a key, a label
    title: str  # to read
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    read_as: Grid | None = None  # None: the columns that have a title

    @property
    def grid(self) -> Grid:
        """As people read it."""
        if self.read_as is not None:
            return self.read_as
        shown = [(place, column) for place, column in enumerate(self.columns) if column.title]
        lines = [
            ["–" if row[place] is None else column.write(row[place]) for place, column in shown]
            for row in self.rows
        ]
        texts = [column.kind == "text" for _, column in shown]
        labels = texts.index(False) if False in texts else len(texts)
        return Grid(
            [column.title for _, column in shown],
            lines,
            labels,
            words=tuple(place for place, text in enumerate(texts) if text and place >= labels),
            wide=tuple(place for place, (_, column) in enumerate(shown) if column.wraps),
        )

    def records(self) -> list[dict[str, Any]]:
        """Each row by the names of its columns."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Statement:
    """What results say, in words: a headline, the numbers, and what it does not say."""

    headline: str
    numbers: str
    limits: str

    @property
    def text(self) -> str:
        """All of it on one line."""
        return " ".join(filter(None, (self.headline, self.numbers, self.limits)))


@dataclass(frozen=True)
class Table:
    """The sheet that was asked for, what is told with it, and where all of it comes from."""

    name: str  # of a file, without its end
    heading: str  # what it is
    about: str  # and of what
    sheet: Sheet
    provenance: Mapping[str, str]
    more: Sequence[Sheet] = ()
    said: Mapping[str, Sequence[Statement]] = field(default_factory=dict)  # kind → what the numbers say
    warnings: Sequence[str] = ()

    @property
    def title(self) -> str:
        """What it is, of what."""
        return f"{self.heading} {self.about}"

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """All of them, the one that was asked for first."""
        return (self.sheet, *self.more)

    @property
    def origin(self) -> str:
        """Where it comes from, on one line."""
        return "; ".join(f"{label}: {text}" for label, text in self.provenance.items())


def columns(kinds: Mapping[str, str]) -> list[Column]:
    """Columns for programs alone."""
    return [Column(name, kind) for name, kind in kinds.items()]
