"""The stage table as an Excel workbook: numbers are numbers in full precision, text is text and never a formula."""

import io
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from webapp.results import exports, pass_exports
from webapp.results.decisions import decisions
from webapp.results.grids import Value
from webapp.results.pass_curves import curves
from webapp.results.tables import StageTable
from webapp.results.wording import Statement, answers, mixed_sizes, plain
from webapp.rows import would_be_computed

WIDEST = 60  # characters of a column
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def workbook(table: StageTable, exported_at: datetime | None = None) -> bytes:
    """Sheets: the rows of the CSV, pass@k where samples were drawn, what they say and where they come from."""
    at = exported_at or datetime.now(UTC)
    book = Workbook()
    assert isinstance(book.active, Worksheet)
    book.active.title = "Stage table"
    found = exports.rows(table, at)
    _fill(book.active, exports.COLUMNS, ([row[name] for name in exports.COLUMNS] for row in found))
    if table.samples:
        points = pass_exports.rows(table, curves(table), at)
        lines = ([row[name] for name in pass_exports.COLUMNS] for row in points)
        _fill(book.create_sheet("pass@k"), pass_exports.COLUMNS, lines)
    said: list[Statement] = [*decisions(table), *answers(table)]
    about = [("Answer", plain(f"{one.headline} {one.numbers} {one.limits}".strip())) for one in said]
    about += [("Warning", text) for text in (mixed_sizes(table),) if text]
    about += exports.provenance(table, at).items()
    _fill(book.create_sheet("Provenance"), ("what", "says"), about)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _fill(sheet: Worksheet, header: Sequence[str], lines: Iterable[Sequence[Value]]) -> None:
    widths = [len(name) for name in header]
    for number, line in enumerate([header, *lines], 1):
        for column, value in enumerate(line, 1):
            if value is not None:
                _write(sheet, number, column, value)
                widths[column - 1] = max(widths[column - 1], len(str(value)))
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for column, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(column)].width = min(width, WIDEST) + 2
    sheet.freeze_panes = "A2"


def _write(sheet: Worksheet, number: int, column: int, value: str | int | float) -> None:
    cell = sheet.cell(number, column)
    if isinstance(value, str):
        cell.value = NOT_IN_XML.sub("\ufffd", value)
        cell.data_type = "s"
        cell.quotePrefix = would_be_computed(value)  # it stays text when somebody edits the cell
        cell.alignment = Alignment(vertical="top", wrap_text=len(value) > WIDEST)
    else:
        cell.value = repr(value)  # openpyxl itself keeps 16 digits, one too few
        cell.data_type = "n"
