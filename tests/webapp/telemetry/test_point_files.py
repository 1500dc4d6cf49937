"""A run's metrics as files: each point that counts is one row, to the digit, in each format."""

import csv
import io
import json
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.test import Client

from tests import factories
from webapp.files import long_tables
from webapp.runs.models import State
from webapp.telemetry import point_files
from webapp.telemetry.series import series

pytestmark = pytest.mark.django_db
LONG = long_tables.CHUNK + 7  # points, so that a metric takes more than one part


def written(run, format):
    return b"".join(long_tables.FORMATS[format].write(point_files.rows(run.experiment, [run])))


def resumed_run():
    """Two metrics, and a second attempt that resumed at step 10."""
    run = factories.make_run("grpo", state=State.READY)
    first = run.attempts.get()
    first.first_step = 0
    first.save()
    factories.add_metrics(first, {"reward": [i / 7 for i in range(30)], "loss": [i / 3 for i in range(30)]})
    second = factories.make_attempt(run, first_step=10)
    factories.add_metrics(
        second, {"reward": [-i / 7 for i in range(LONG)], "kl": [float("nan"), 0.1]}, first_step=11
    )
    return run


def wanted(run):
    found = series([run.pk])
    return [
        (name, int(step), float(time), float(value))
        for name in sorted(name for _, name in found)
        for step, time, value in zip(*vars(found[run.pk, name]).values(), strict=True)
    ]


def test_parquet_holds_each_point_that_counts_once():
    run = resumed_run()
    table = pq.read_table(pa.BufferReader(written(run, "parquet")))
    found = [(r["metric"], r["step"], r["time"].timestamp(), r["value"]) for r in table.to_pylist()]
    assert [(name, step) for name, step, *_ in found] == [(name, step) for name, step, *_ in wanted(run)]
    assert [time for *_, time, _ in found] == pytest.approx([time for *_, time, _ in wanted(run)], abs=1e-6)
    assert repr([value for *_, value in found]) == repr([value for *_, value in wanted(run)])
    assert len({(name, step) for name, step, *_ in found}) == len(found) == 10 + LONG + 10 + 2
    assert "Runs" in json.loads(table.schema.metadata[b"provenance"])


def test_csv_and_json_lines_are_the_same_to_the_digit():
    run = resumed_run()
    flat = list(csv.DictReader(io.StringIO(written(run, "csv").decode(), newline="")))
    lines = [json.loads(line) for line in written(run, "jsonl").decode().splitlines()]
    assert repr([float(row["value"]) for row in flat]) == repr([value for *_, value in wanted(run)])
    assert [row["value"] for row in lines if row["metric"] == "kl"] == [None, 0.1], "JSON has no NaN"
    assert [int(row["step"]) for row in flat] == [row["step"] for row in lines]
    assert [datetime.fromisoformat(row["time"]) for row in flat] == [
        datetime.fromisoformat(row["time"]) for row in lines
    ]
    assert {row["condition"] for row in flat} == {"mul_tokens"}


def test_the_page_hands_them_out(client: Client):
    run = resumed_run()
    client.force_login(factories.make_user())
    assert f'href="/runs/{run.pk}/metrics.parquet"' in client.get(f"/runs/{run.pk}/").content.decode()
    answer = client.get(f"/runs/{run.pk}/metrics.csv")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="demo-1-run-{run.pk}-metrics.csv"'
    assert client.get(f"/runs/{run.pk}/metrics.doc").status_code == 404
