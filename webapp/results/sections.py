"""A section of the report: what every part of it is made of."""

from dataclasses import dataclass, field

from webapp.results.grids import Grid


@dataclass
class Section:
    """A heading with paragraphs, points and tables, in this order."""

    title: str
    paragraphs: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    tables: list[tuple[str, Grid]] = field(default_factory=list)  # caption, table
