"""Table: what any table of the dashboard is shown and handed out as, whichever format it becomes (formats.FORMATS).

A `Column` describes a column once, for all who read it: programs get its value, typed and in full precision; people get
its text in files and in the report; a page draws it (templates/_table.html, through the tag `table`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

from webapp.files.grid import Grid

Value = str | int | float | datetime | None  # of a cell, for programs


@dataclass(frozen=True)
class Column:
    """A column. Its functions take a row of the table, except `write`, which takes the value."""

    name: str  # for programs; empty in a View that only people see
    kind: str  # one of webapp.files.long_tables.arrow_types()
    title: str = ""  # for people; empty: for programs alone
    write: Callable[[Any], str] = str  # the value as people read it
    value: Callable[[Any], Any] | str = ""  # or a path, a.b, through what may be None; empty: the name
    note: Callable[[Any], str] | None = None  # behind the text: in brackets, on a page in small print
    unit: str = ""  # on a page it stands in the heading, not in every cell
    missing: str = "–"  # in files, where the value is None; on a page that is always –
    wraps: bool = False  # it holds sentences
    left: bool = False  # set left although it is no text: a number that names something
    heading: str = ""  # above it on a page; empty: the title and the unit
    subheading: str = ""  # below the heading
    hidden_heading: bool = False  # for screen readers alone
    heading_template: str = ""  # draws the heading from what the tag `table` is given beside the view
    card: str = ""  # what a cell is called where a narrow page makes a card of each row
    group: str = ""  # heading over this and its neighbours with the same one
    swatch: int | None = None  # position of the condition whose colour stands in the heading
    css: str = ""  # classes of its cells
    element: str = ""  # HTML element around the text: strong, code
    link: Callable[[Any], str] | None = None  # address behind the text
    term: str = ""  # of the glossary: on a page a "?" beside the heading leads to it
    template: str = ""  # draws the cell from `row`, `value` and what else the page has

    def of(self, row: Any) -> Any:
        """The value in a row; None where nothing is known."""
        if callable(self.value):
            return self.value(row)
        for attribute in (self.value or self.name).split("."):
            row = None if row is None else getattr(row, attribute)
        return row

    def text(self, row: Any) -> str:
        """A row's cell as people read it in a file."""
        value = self.of(row)
        if value is None:
            return self.missing
        note = self.note(row) if self.note else ""
        return f"{self.write(value)} ({note})" if note else self.write(value)

    @property
    def heading_text(self) -> str:
        """What stands above it on a page."""
        return self.heading or (f"{self.title}, {self.unit}" if self.unit else self.title)

    @property
    def is_words(self) -> bool:
        """Whether it is set left; figures are set right."""
        return self.left or self.kind == "text"


@dataclass(frozen=True)
class View:
    """Columns and rows as people see them."""

    columns: Sequence[Column]
    rows: Sequence[Any]
    css: Callable[[Any], str] = lambda row: ""  # classes of a row on a page

    @property
    def grid(self) -> Grid:
        """Every cell as text."""
        return Grid(
            [column.title for column in self.columns],
            [[column.text(row) for column in self.columns] for row in self.rows],
            words=tuple(place for place, column in enumerate(self.columns) if column.is_words),
            wide=tuple(place for place, column in enumerate(self.columns) if column.wraps),
        )


def words(header: Sequence[str], lines: Sequence[Sequence[str]], left: int | None = None) -> View:
    """A view of texts as they are; the first `left` columns are set left, None: all of them."""
    kinds = ["text" if left is None or place < left else "number" for place in range(len(header))]
    columns = [
        Column("", kind, title, value=itemgetter(place))
        for place, (kind, title) in enumerate(zip(kinds, header, strict=True))
    ]
    return View(columns, lines)


@dataclass(frozen=True)
class Sheet:
    """Rows of any kind that the columns can read."""

    name: str  # in files: a key, a label
    title: str  # to read
    columns: Sequence[Column]
    rows: Sequence[Any]
    reading: View | None = None  # what people read in files; None: the columns that have a title
    page: View | None = None  # what a page shows, where that is something else

    @property
    def view(self) -> View:
        """What people read in files and in the report."""
        return self.reading or View([column for column in self.columns if column.title], self.rows)

    @property
    def grid(self) -> Grid:
        """The same, every cell as text."""
        return self.view.grid

    @property
    def page_view(self) -> View:
        """What a page shows."""
        return self.page or self.view

    @property
    def values(self) -> list[tuple[Any, ...]]:
        """Each row in the order of the columns; None where nothing is known."""
        return [tuple(column.of(row) for column in self.columns) for row in self.rows]

    def records(self) -> list[dict[str, Any]]:
        """Each row by the names of its columns."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.values]


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

    @property
    def caveats(self) -> list[str]:
        """What it does not say, sentence by sentence."""
        return [text for text in re.split(r"(?<=[.!?]) (?=[A-Z0-9])", self.limits) if text]


@dataclass(frozen=True)
class Table:
    """The sheet that was asked for, what is told with it, and where all of it comes from."""

    name: str  # of a file, without its end
    heading: str  # what it is
    about: str  # and of what
    sheet: Sheet
    provenance: Mapping[str, str]
    more: Sequence[Sheet] = ()
    statements: Mapping[str, Sequence[Statement]] = field(default_factory=dict)  # kind → what the numbers say
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
