"""The stage table as Parquet: typed columns, and where they come from in the schema's metadata."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from webapp.results import exports
from webapp.results.grids import Value
from webapp.results.tables import StageTable

INTEGERS = {
    "seed", "correct", "problems", "count", "gained", "lost", "steps_written", "steps_right", "samples",
}  # fmt: skip
TEXTS = {
    "experiment", "recipe", "code_version", "benchmark", "problems_sha256", "metric", "stage", "condition", "baseline",
    "pairing", "verdict", "refused", "imported",
}  # fmt: skip


def parquet(table: StageTable, exported_at: datetime | None = None) -> bytes:
    """The rows of the CSV; the mean over seeds has `over_seeds` true and no seed. Metadata key: `provenance`, JSON."""
    at = exported_at or datetime.now(UTC)
    schema = pa.schema(
        [pa.field(name, _type(name)) for name in exports.COLUMNS] + [pa.field("over_seeds", pa.bool_())],
        metadata={"provenance": json.dumps(exports.provenance(table, at), ensure_ascii=False)},
    )
    found: list[dict[str, Value | datetime]] = [
        {
            **row,
            "over_seeds": row["seed"] == "mean",
            "seed": None if row["seed"] == "mean" else row["seed"],
            "exported_at": at,
        }
        for row in exports.rows(table, at)
    ]
    written = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(found, schema), written)
    return bytes(written.getvalue())


def _type(name: str) -> pa.DataType:
    if name == "exported_at":
        return pa.timestamp("s", "UTC")
    if name in INTEGERS:
        return pa.int64()
    return pa.string() if name in TEXTS else pa.float64()
