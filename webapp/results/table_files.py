"""The forms that a stage table is handed out in, for the page and the command line alike."""

from collections.abc import Callable
from typing import NamedTuple

from webapp.results import exports
from webapp.results.latex import latex
from webapp.results.parquet import parquet
from webapp.results.tables import StageTable
from webapp.results.workbooks import workbook

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Form(NamedTuple):
    """A kind of file."""

    title: str
    content_type: str
    write: Callable[[StageTable], str | bytes]


FORMS = {  # the end of a file's name → what it is
    "csv": Form("CSV", "text/csv; charset=utf-8", exports.csv),
    "md": Form("Markdown", "text/markdown; charset=utf-8", exports.markdown),
    "tex": Form("LaTeX", "application/x-tex; charset=utf-8", latex),
    "xlsx": Form("Excel", EXCEL, workbook),
    "parquet": Form("Parquet", "application/vnd.apache.parquet", parquet),
    "json": Form("JSON", "application/json", exports.json),
}
