"""A table as Parquet: typed columns, and where they come from in the schema's metadata."""

import json

import pyarrow as pa
import pyarrow.parquet as pq

from webapp.files.long_tables import arrow_types
from webapp.files.table import Table


def parquet(table: Table) -> bytes:
    """The rows of the CSV. The schema's metadata has the provenance as JSON under `provenance`."""
    types = arrow_types()
    schema = pa.schema(
        [pa.field(column.name, types[column.kind]) for column in table.sheet.columns],
        metadata={"provenance": json.dumps(dict(table.provenance), ensure_ascii=False)},
    )
    written = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(table.sheet.records(), schema), written)
    return bytes(written.getvalue())
