"""Long tables as files: rows written as CSV, JSON Lines, Excel or Parquet a chunk at a time, whatever their number.

A `LongTable` is read once, front to back; nothing of a chunk is kept when the next one is read. The command line reads
FORMATS, so the functions that use pyarrow import it.
"""

import csv as csv_format
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 2_000  # rows read at once; a row group in Parquet
SIGNED_NUMBER = re.compile(r"[-+]\d+(,\d{3})*(\.\d+)?([eE][-+]?\d+)?( ?%)?")


@dataclass(frozen=True)
class LongTable:
    """A long table: column → its kind (one of arrow_types()), chunks of rows in that order, and where they come from."""

    columns: Mapping[str, str]
    chunks: Iterator[Sequence[Sequence[Any]]]
    provenance: Mapping[str, str]


class RowsFormat(NamedTuple):
    """A format that long tables are written in."""

    title: str
    content_type: str
    write: Callable[[LongTable], Iterator[bytes]]


def csv(rows: LongTable) -> Iterator[bytes]:
    """RFC 4180 with a header; text that a spreadsheet would compute gets an apostrophe in front."""
    buffer = io.StringIO()
    writer = csv_format.writer(buffer)
    writer.writerow(rows.columns)
    kinds = rows.columns.values()
    for chunk in rows.chunks:
        writer.writerows(
            [csv_cell(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in chunk
        )
        yield _taken(buffer)
    yield _taken(buffer)


def jsonl(rows: LongTable) -> Iterator[bytes]:
    """One JSON object a line; every text is as it was recorded, and null where a number is none (JSON has no NaN)."""
    names = list(rows.columns)
    for chunk in rows.chunks:
        lines = (
            json.dumps(
                {name: _finite(value) for name, value in zip(names, row, strict=True)},
                ensure_ascii=False,
                allow_nan=False,
                default=json_value,
            )
            for row in chunk
        )
        yield "".join(f"{line}\n" for line in lines).encode()


def parquet(rows: LongTable) -> Iterator[bytes]:
    """Typed columns, a row group a chunk; the schema's metadata has the provenance as JSON under `provenance`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = arrow_types()
    schema = pa.schema(
        [pa.field(name, types[kind]) for name, kind in rows.columns.items()],
        metadata={"provenance": json.dumps(dict(rows.provenance), ensure_ascii=False)},
    )
    sink = io.BytesIO()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema) as writer:
        for chunk in rows.chunks:
            columns = [
                pa.array(map(_pairs, values) if kind == "numbers" else values, types[kind])
                for values, kind in zip(zip(*chunk, strict=True), rows.columns.values(), strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            yield _taken(sink)
    yield _taken(sink)


def xlsx(rows: LongTable) -> Iterator[bytes]:
    """An Excel workbook, whose sheets have a million rows each."""
    from webapp.files.long_excel import workbook

    yield from workbook(rows)


def arrow_types() -> dict[str, "pa.DataType"]:
    """Each kind of column with its type in Parquet."""
    import pyarrow as pa

    return {
        "text": pa.string(),
        "texts": pa.list_(pa.string()),
        "integer": pa.int64(),
        "number": pa.float64(),
        "numbers": pa.map_(pa.string(), pa.float64()),  # by name
        "figures": pa.list_(pa.float64()),
        "truth": pa.bool_(),
        "truths": pa.list_(pa.bool_()),
        "time": pa.timestamp("us", "UTC"),
    }


FORMATS = {  # the end of a file's name → what it is
    "csv": RowsFormat("CSV", "text/csv; charset=utf-8", csv),
    "jsonl": RowsFormat("JSON Lines", "application/x-ndjson", jsonl),
    "xlsx": RowsFormat("Excel", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", xlsx),
    "parquet": RowsFormat("Parquet", "application/vnd.apache.parquet", parquet),
}


def would_be_computed(text: str) -> bool:
    """Whether a spreadsheet would take this text for a formula; a number with its sign is none."""
    return not SIGNED_NUMBER.fullmatch(text) and text.startswith(
        ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
    )


def not_a_formula(value: Any) -> Any:
    """A cell's value, with an apostrophe before text that a spreadsheet would compute."""
    return f"'{value}" if isinstance(value, str) and would_be_computed(value) else value


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_value(at: datetime) -> str:
    """What JSON has no kind for: a time."""
    return at.isoformat()


def csv_cell(value: Any, kind: str) -> Any:
    """A value of one of arrow_types() as the csv module writes it."""
    if value is None:
        return ""
    return not_a_formula(value) if kind in ("text", "integer", "number", "truth") else cell_text(value, kind)


def cell_text(value: Any, kind: str) -> str:
    """A value of one of arrow_types() that is neither number nor truth, as the text of a cell."""
    if kind == "time":
        return str(value.isoformat())
    return str(value) if kind == "text" else json.dumps(value, ensure_ascii=False)


def _pairs(named: Mapping[str, float] | None) -> list[tuple[str, float]] | None:
    return None if named is None else list(named.items())


def _taken(buffer: io.StringIO | io.BytesIO) -> bytes:
    """What was written since, which the buffer then no longer holds."""
    written = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return written.encode() if isinstance(written, str) else written
