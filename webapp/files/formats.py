"""The formats of files that any table is handed out in.

The command line offers them before there is Django, so what writes a file is imported when it does.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from webapp.files.table import Table

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Format(NamedTuple):
    """A kind of file."""

    title: str
    content_type: str
    write: Callable[["Table"], str | bytes]

    def content(self, table: "Table") -> bytes:
        """The file's bytes."""
        written = self.write(table)
        return written.encode() if isinstance(written, str) else written


def _csv(table: "Table") -> str:
    from webapp.files.text_formats import csv

    return csv(table)


def _markdown(table: "Table") -> str:
    from webapp.files.text_formats import markdown

    return markdown(table)


def _latex(table: "Table") -> str:
    from webapp.files.latex import latex

    return latex(table)


def _excel(table: "Table") -> bytes:
    from webapp.files.excel import workbook

    return workbook(table)


def _parquet(table: "Table") -> bytes:
    from webapp.files.parquet import parquet

    return parquet(table)


def _json(table: "Table") -> str:
    from webapp.files.text_formats import json

    return json(table)


FORMATS = {  # the end of a file's name → what it is
    "csv": Format("CSV", "text/csv; charset=utf-8", _csv),
    "md": Format("Markdown", "text/markdown; charset=utf-8", _markdown),
    "tex": Format("LaTeX", "application/x-tex; charset=utf-8", _latex),
    "xlsx": Format("Excel", EXCEL, _excel),
    "parquet": Format("Parquet", "application/vnd.apache.parquet", _parquet),
    "json": Format("JSON", "application/json", _json),
}
