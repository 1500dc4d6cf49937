"""Long tables as files: what independent readers find in them, and that memory does not grow with their length."""

import csv
import io
import json
import tracemalloc
from datetime import UTC, datetime

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from webapp.files import long_excel
from webapp.files.long_tables import FORMATS, LongTable
from webapp.pages import file_responses

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
COLUMNS = {
    "name": "text", "labels": "texts", "count": "integer", "share": "number", "parts": "numbers", "right": "truth",
    "at": "time",
}  # fmt: skip
HOSTILE = [
    '=HYPERLINK("x")',
    "-5",
    "+1,234.5e-3",
    "-5+2",
    "a & b_c %",
    "<script>",
    'a,"b"\r\nc',
    "\ttab",
    "−1",
    "＝1",
    "",
    "漢 😀 \u2028",
]


def long_table(count, chunk=100, texts=tuple(HOSTILE)):
    made = (
        [row(i, texts) for i in range(start, min(count, start + chunk))] for start in range(0, count, chunk)
    )
    return LongTable(COLUMNS, made, {"Experiment": "demo-1"})


def row(i, texts):
    if i % 5 == 4:
        return (None, None, None, None, None, None, None)
    return (texts[i % len(texts)], ["a", "=b"], i, i / 7, {"correct": 1.0, "length": -i / 3}, i % 2 == 0, AT)


def written(format, table):
    return b"".join(FORMATS[format].write(table))


def expected(count):
    return [dict(zip(COLUMNS, row(i, HOSTILE), strict=True)) for i in range(count)]


def test_parquet_is_the_same_to_the_digit():
    found = pq.ParquetFile(pa.BufferReader(written("parquet", long_table(250))))
    assert found.num_row_groups == 3
    assert [str(field.type) for field in found.schema_arrow] == [
        "string", "list<element: string>", "int64", "double", "map<string, double ('parts')>", "bool", "timestamp[us, tz=UTC]"
    ]  # fmt: skip
    table = found.read()
    assert json.loads(table.schema.metadata[b"provenance"]) == {"Experiment": "demo-1"}
    assert [one | {"parts": one["parts"] and dict(one["parts"])} for one in table.to_pylist()] == expected(
        250
    )


def test_json_lines_are_the_same_to_the_digit():
    found = [json.loads(line) for line in written("jsonl", long_table(250)).decode().split("\n")[:-1]]
    assert [one | {"at": one["at"] and datetime.fromisoformat(one["at"])} for one in found] == expected(250)


def test_csv_is_the_same_but_for_what_would_be_computed():
    found = list(csv.DictReader(io.StringIO(written("csv", long_table(250)).decode(), newline="")))
    assert len(found) == 250
    for one, wanted in zip(found, expected(250), strict=True):
        assert one["name"].removeprefix("'") == (wanted["name"] or "")
        computed = one["name"].lstrip("'")[:1] in tuple("=\t＝") or one["name"].endswith("+2")
        assert one["name"].startswith("'") == computed
        if wanted["count"] is not None:
            assert (int(one["count"]), float(one["share"])) == (wanted["count"], wanted["share"])
            assert json.loads(one["parts"]) == wanted["parts"]
            assert datetime.fromisoformat(one["at"]) == AT


def test_a_workbook_is_the_same_to_the_digit_and_no_text_is_a_formula():
    book = openpyxl.load_workbook(io.BytesIO(written("xlsx", long_table(250))))
    header, *found = book["Rows"].iter_rows()
    assert [cell.value for cell in header] == list(COLUMNS)
    assert len(found) == 249  # the last row is empty
    for cells, wanted in zip(found, expected(249), strict=True):
        one = dict(zip(COLUMNS, (cell.value for cell in cells), strict=True))
        assert (one["name"] or "").replace("\r", "") == (wanted["name"] or "").replace("\r", "")
        assert (one["count"], one["right"]) == (wanted["count"], wanted["right"])
        if wanted["count"] is not None:
            assert cells[0].data_type != "f" and float(one["share"]) == wanted["share"]
            assert json.loads(one["parts"]) == wanted["parts"]
            assert datetime.fromisoformat(one["at"]) == AT
    assert [[cell.value for cell in line] for line in book["Provenance"]] == [["Experiment", "demo-1"]]


def test_a_workbook_says_what_a_cell_or_a_sheet_cannot_hold(monkeypatch):
    monkeypatch.setattr(long_excel, "MOST_ROWS", 100)  # of which each fifth is empty, the last too
    texts = ("x" * 40_000, "a\x00b", "z" * 32_767)
    book = openpyxl.load_workbook(io.BytesIO(written("xlsx", long_table(250, texts=texts))))
    assert [(sheet.title, sheet.max_row) for sheet in book] == [
        ("Rows", 100), ("Rows 2", 100), ("Rows 3", 50), ("Provenance", 2)
    ]  # fmt: skip
    assert book["Rows"]["A2"].value == "x" * 32_766 + "…"
    assert book["Rows"]["A3"].value == "a\ufffdb"
    assert "32,767" in book["Provenance"]["B2"].value


def test_a_table_without_rows_has_its_header():
    book = openpyxl.load_workbook(io.BytesIO(written("xlsx", long_table(0))))
    assert [cell.value for cell in book["Rows"][1]] == list(COLUMNS)
    assert written("csv", long_table(0)).decode() == ",".join(COLUMNS) + "\r\n"
    assert written("jsonl", long_table(0)) == b""
    assert pq.read_table(pa.BufferReader(written("parquet", long_table(0)))).schema.names == list(COLUMNS)


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_memory_does_not_grow_with_the_number_of_rows(format):
    texts = tuple(str(i) * 300 for i in range(9))

    def peak(count):
        arrow = pa.default_memory_pool().bytes_allocated()
        tracemalloc.start()
        try:
            size = sum(len(part) for part in FORMATS[format].write(long_table(count, 500, texts)))
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert pa.default_memory_pool().bytes_allocated() <= arrow + 1_000_000
        return size, most

    rows = 100 if format == "xlsx" else 1_000  # which takes ten times as long
    peak(rows)
    small, least = peak(2 * rows)
    large, most = peak(40 * rows)
    assert large > 10 * small
    assert most < 1.5 * least + 200_000  # the footer of Parquet knows every row group


@pytest.mark.django_db  # its thread may hold a connection of an earlier test, which is given back
async def test_a_part_is_made_only_when_the_one_before_is_taken():
    made = []

    def chunks():
        for i in range(3):
            made.append(i)
            yield [row(i, HOSTILE)]

    parts = aiter(file_responses.rows_response(LongTable(COLUMNS, chunks(), {}), "jsonl", "some"))
    await anext(parts)
    assert made == [0]
    await anext(parts)
    assert made == [0, 1]
