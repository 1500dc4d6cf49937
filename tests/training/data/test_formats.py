"""Reading rows: every format, every start, without reading what lies before it; broken files are named."""

import gzip
import json
from collections import Counter
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.data.test_files import draw
from training.data import files
from training.data.mixture import stream
from training.data.sources.drills import DrillsSource
from training.data.sources.fineweb_edu import FinewebEduSource, examples
from training.data.sources.gsm8k import Gsm8kSource

SOURCE = FinewebEduSource(source="fineweb_edu")
ROWS = [{"text": f"text {i}", "id": i} for i in range(2500)]


@pytest.fixture
def folder(tmp_path):
    """2,500 rows in four formats: parquet in small row groups, JSONL with an empty line, gzip, a JSON array."""
    place = tmp_path / "fineweb_edu"
    (place / "sub").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(ROWS[:1000]), place / "a.parquet", row_group_size=300)
    lines = [json.dumps(row) for row in ROWS]
    (place / "b.jsonl").write_text("\n".join(lines[1000:1600]) + "\n\n" + "\n".join(lines[1600:2000]))
    with gzip.open(place / "c.jsonl.gz", "wt") as file:
        file.write("\n".join(lines[2000:2300]) + "\n")
    (place / "sub" / "d.json").write_text(json.dumps(ROWS[2300:]))
    (place / "README.md").write_text("not data")
    return tmp_path


def rows(folder, start):
    return [row["text"] for row in files.rows_from(SOURCE, start, data_dir=folder, columns=["text"])]


def test_all_formats_are_read_in_order(folder):
    assert rows(folder, 0) == [row["text"] for row in ROWS]
    assert files.count_rows(SOURCE, data_dir=folder) == 2500


@pytest.mark.parametrize("start", [1, 299, 300, 999, 1000, 1601, 2000, 2299, 2499, 2500, 9999])
def test_reading_starts_at_any_row(folder, start):
    assert rows(folder, start) == [row["text"] for row in ROWS[start:]]


def test_what_lies_before_the_start_is_not_read(folder):
    (folder / "fineweb_edu" / "b.jsonl").write_text("\n".join(["not JSON"] * 1000))
    assert rows(folder, 2000) == [row["text"] for row in ROWS[2000:]]
    with pytest.raises(ValueError, match=r"b\.jsonl, line 1 is not JSON"):
        rows(folder, 999)


def test_the_order_is_the_seeds_and_every_row_comes_once(folder):
    first, second = ([e.completion for e in examples(SOURCE, seed=seed, data_dir=folder)] for seed in (0, 1))
    assert sorted(first) == sorted(second) == sorted(row["text"] for row in ROWS)
    assert first != second
    assert first[:10] != [row["text"] for row in ROWS[:10]]


@pytest.mark.parametrize("skip", [0, 1, 999, 1000, 1234, 2499, 2500])
def test_a_source_goes_on_at_any_example(folder, skip):
    every = list(examples(SOURCE, seed=0, data_dir=folder))
    assert list(examples(SOURCE, seed=0, data_dir=folder, skip=skip)) == every[skip:]


@pytest.mark.parametrize("skip", [0, 1, 500, 3000, 6000])
def test_a_mixture_goes_on_at_any_example_over_several_passes(folder, data_dir, skip):
    (folder / "gsm8k").symlink_to(data_dir / "gsm8k")
    sources = [SOURCE, DrillsSource(source="drills"), Gsm8kSource(source="gsm8k", shortest=50, weight=0.1)]
    every = draw(sources, 6050, seed=7, data_dir=folder)
    assert list(islice(stream(sources, seed=7, data_dir=folder, skip=skip), 50)) == every[skip : skip + 50]
    assert max(Counter(e.completion for e in every if e.prompt == "").values()) == 2


def test_a_broken_parquet_file_is_named(tmp_path):
    (tmp_path / "fineweb_edu").mkdir()
    (tmp_path / "fineweb_edu" / "a.parquet").write_bytes(b"PAR1 cut")
    with pytest.raises(ValueError, match=r"a\.parquet is not a whole parquet file") as error:
        rows(tmp_path, 0)
    assert "\n" not in str(error.value)


def test_one_file_may_be_named(folder):
    source = FinewebEduSource(source="fineweb_edu", path="fineweb_edu/c.jsonl.gz")
    found = [e.completion for e in examples(source, seed=0, data_dir=folder)]
    assert sorted(found) == [f"text {i}" for i in range(2000, 2300)]


def test_the_hub_is_streamed_by_name_from_the_row_on(folder, monkeypatch):
    """`datasets` itself, given the local folder as the name: no network."""
    source = FinewebEduSource(source="fineweb_edu", hub=str(folder / "hub"))
    (folder / "hub").mkdir()
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "hub" / "train.parquet")
    every = [e.completion for e in examples(source, seed=0, data_dir=folder)]
    assert sorted(every) == sorted(row["text"] for row in ROWS)
    assert [e.completion for e in examples(source, seed=0, data_dir=folder, skip=1200)] == every[1200:]
