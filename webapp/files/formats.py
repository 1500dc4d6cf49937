"""The formats of files that any table is handed out in."""

from collections.abc import Callable
from typing import NamedTuple

from webapp.files.excel import workbook
from webapp.files.latex import latex
from webapp.files.parquet import parquet
from webapp.files.table import Table
from webapp.files.text_formats import csv, json, markdown

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Format(NamedTuple):
    """A kind of file."""

    title: str
    content_type: str
    write: Callable[[Table], str | bytes]

    def content(self, table: Table) -> bytes:
        """The file's bytes."""
        written = self.write(table)
        return written.encode() if isinstance(written, str) else written


FORMATS = {  # the end of a file's name → what it is
    "csv": Format("CSV", "text/csv; charset=utf-8", csv),
    "md": Format("Markdown", "text/markdown; charset=utf-8", markdown),
    "tex": Format("LaTeX", "application/x-tex; charset=utf-8", latex),
    "xlsx": Format("Excel", EXCEL, workbook),
    "parquet": Format("Parquet", "application/vnd.apache.parquet", parquet),
    "json": Format("JSON", "application/json", json),
}
