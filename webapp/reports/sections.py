"""A section of the report: what every part of it is made of."""

from dataclasses import dataclass, field

from webapp.files.table import View
from webapp.reports.drawings import Drawing


@dataclass(frozen=True)
class ListItem:
    """A point of a list with points of its own."""

    text: str
    under: tuple[str, ...] = ()


@dataclass
class Section:
    """A heading with paragraphs, points, drawings and tables, in this order."""

    title: str
    paragraphs: list[str] = field(default_factory=list)
    items: list[str | ListItem] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)  # of numbers that tables have; not in Markdown
    tables: list[tuple[str, View]] = field(default_factory=list)  # caption, table
