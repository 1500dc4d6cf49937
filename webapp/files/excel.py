"""A table as an Excel workbook: numbers are numbers in full precision, text is text and never a formula."""

import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from webapp.files.long_tables import would_be_computed
from webapp.files.number_text import plain
from webapp.files.table import Table

WIDEST = 60  # characters of a column
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def workbook(table: Table) -> bytes:
    """A sheet each, then what they say and where they come from."""
    book = Workbook()
    assert isinstance(book.active, Worksheet)
    for place, one in enumerate(table.sheets):
        sheet = book.create_sheet() if place else book.active
        sheet.title = one.title
        _fill(sheet, [column.name for column in one.columns], one.values)
    said = [one for every in table.statements.values() for one in every]
    about = [("Answer", plain(f"{one.headline} {one.numbers} {one.limits}".strip())) for one in said]
    about += [("Warning", text) for text in table.warnings]
    about += table.provenance.items()
    _fill(book.create_sheet("Provenance"), ("what", "says"), about)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _fill(sheet: Worksheet, header: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
    widths = [len(name) for name in header]
    for number, line in enumerate([header, *lines], 1):
        for column, value in enumerate(line, 1):
            if value not in (None, ""):
                _write(sheet, number, column, value)
                widths[column - 1] = max(widths[column - 1], len(str(value)))
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for column, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(column)].width = min(width, WIDEST) + 2
    sheet.freeze_panes = "A2"


def _write(sheet: Worksheet, number: int, column: int, value: str | bool | int | float | datetime) -> None:
    cell = sheet.cell(number, column)
    if isinstance(value, datetime):
        value = value.isoformat()
    if isinstance(value, str):
        cell.value = NOT_IN_XML.sub("\ufffd", value)
        cell.data_type = "s"
        cell.quotePrefix = would_be_computed(value)  # it stays text when somebody edits the cell
        cell.alignment = Alignment(vertical="top", wrap_text=len(value) > WIDEST)
    elif isinstance(value, bool):
        cell.value = value
    else:
        cell.value = repr(value)  # openpyxl itself keeps 16 digits, one too few
        cell.data_type = "n"
