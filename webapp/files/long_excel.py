"""A long table as an Excel workbook, written by way of the disk: memory does not grow with its rows."""

import math
import tempfile
from collections.abc import Iterator
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from webapp.files.excel import NOT_IN_XML
from webapp.files.long_tables import LongTable, cell_text, would_be_computed

MOST_ROWS = 1_048_575  # of a sheet, beside its header
LONGEST = 32_767  # characters of a cell
BLOCK = 1 << 18  # bytes


def workbook(rows: LongTable) -> Iterator[bytes]:
    """The file, in parts: as many sheets as the rows need, then where they come from and what is not whole."""
    book = Workbook(write_only=True)
    kinds, sheet, left, cut = list(rows.columns.values()), None, 0, 0
    for chunk in rows.chunks:
        for row in chunk:
            if left == 0:
                sheet, left = _sheet(book, rows), MOST_ROWS
            assert sheet is not None
            cells = [_cell(sheet, value, kind) for value, kind in zip(row, kinds, strict=True)]
            cut += sum(isinstance(cell.value, str) and len(cell.value) == LONGEST for cell in cells)
            sheet.append(cells)
            left -= 1
    if sheet is None:
        _sheet(book, rows)
    about = book.create_sheet("Provenance")
    lines = [*rows.provenance.items()]
    if cut:
        lines.append(
            ("Cut", f"{cut:,} texts end after {LONGEST:,} characters; the other formats have all of them")
        )
    for line in lines:
        about.append([_cell(about, text, "text") for text in line])
    with tempfile.TemporaryFile() as file:
        book.save(file)
        file.seek(0)
        while part := file.read(BLOCK):
            yield part


def _sheet(book: Workbook, rows: LongTable) -> WriteOnlyWorksheet:
    sheet = book.create_sheet(f"Rows {len(book.worksheets) + 1}" if book.worksheets else "Rows")
    sheet.freeze_panes = "A2"
    sheet.append([_cell(sheet, name, "text") for name in rows.columns])
    return sheet


def _cell(sheet: WriteOnlyWorksheet, value: Any, kind: str) -> Any:
    """Numbers in full precision, truths, and text that is never a formula; empty where a number is none."""
    cell = WriteOnlyCell(sheet)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return cell
    if kind in ("integer", "number"):
        cell.value, cell.data_type = repr(value), "n"
    elif kind == "truth":
        cell.value = value
    else:
        text = NOT_IN_XML.sub("\ufffd", cell_text(value, kind))
        if len(text) > LONGEST:
            text = text[: LONGEST - 1] + "…"
        cell.value, cell.data_type = text, "s"
        cell.quotePrefix = would_be_computed(text)
    return cell
