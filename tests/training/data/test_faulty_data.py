"""Data files that went wrong are refused by file and line, and what can be read over is read."""

import gzip
import json
import os
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import faulty_data
from tests.training.data.test_sources import source
from training.benchmarks import BENCHMARKS
from training.benchmarks.benchmark import Benchmark, Problem
from training.data import rows
from training.data.mixture import SOURCES, stream
from training.data.sources import gsm8k
from training.recipes import recipe
from training.recipes.availability import check_data, missing_data
from training.recipes.recipe import RecipeError

READING = ["fineweb_edu", "gsm8k", "open_web_math", "proof_pile", "svamp", "tinygsm", "tulu"]
ASKING = ["gsm8k", "hellaswag", "svamp"]
LATER = {  # what a source leaves out and counts
    "tinygsm": {"null_value", "list_value"},
    "tulu": {"list_value"},
}


def examples(name, folder):
    return list(SOURCES[name](source(name), seed=0, data_dir=folder))


def problems(name, folder):
    return BENCHMARKS[name].asked(None, data_dir=folder)


def reading(kind, **settings):
    """A recipe whose only data come from one source."""
    stage = {"name": "sft", "kind": "sft", "data": [{"source": kind, **settings}], "examples": 1}
    data = {
        "name": "a",
        "title": "a",
        "primary_metric": "arithmetic_probes",
        "conditions": [{"name": "baseline"}],
        "benchmarks": [{"benchmark": "arithmetic_probes"}],
        "stages": [{**stage, "optimizer": {"learning_rate": 1}}],
    }
    return recipe.build(data)


def test_a_file_that_changed_is_read_again(tmp_path):
    both = recipe.build(recipe.read("gsm8k_tiny"))  # as source and as benchmark
    for fault in ("empty", None, "array", None):
        faulty_data.write(tmp_path, fault) if fault else faulty_data.sound(tmp_path)
        said = " ".join(missing_data(both, tmp_path))
        assert [name in said for name in ("train.jsonl", "test.jsonl")] == [fault is not None] * 2, said


@pytest.mark.parametrize("fault", faulty_data.READ)
def test_what_can_be_read_over_is_read(fault, tmp_path):
    faulty_data.sound(tmp_path / "sound")
    faulty_data.write(tmp_path / "faulty", fault)
    for name in READING:
        assert examples(name, tmp_path / "faulty") == examples(name, tmp_path / "sound")
    for name in ASKING:
        assert problems(name, tmp_path / "faulty") == problems(name, tmp_path / "sound")


@pytest.mark.parametrize("fault", faulty_data.REFUSED)
def test_what_cannot_be_read_is_refused_by_file_and_line(fault, tmp_path):
    faulty_data.write(tmp_path, fault)
    for name in READING:
        if fault in LATER.get(name, ()):
            continue
        with pytest.raises(ValueError) as found:
            list(islice(stream([source(name)], seed=0, data_dir=tmp_path), 50))
        _names_its_place(str(found.value), fault, tmp_path)
    for name in ASKING:
        if (name, fault) in {("hellaswag", "half_a_character")}:
            continue  # its label is no text
        with pytest.raises(ValueError) as found:
            problems(name, tmp_path)
        _names_its_place(str(found.value), fault, tmp_path)


def _names_its_place(said, fault, folder):
    assert str(folder) in said
    assert "\n" not in said
    assert len(said) < 500
    if fault in ("cut", "null_value", "list_as_row", "wrong_keys", "latin_1", "array"):
        assert ", line " in said or ", row " in said, said
    if fault == "null_value":
        assert said.startswith(str(folder))
        assert "3: " in said
        assert "null" in said


def test_the_line_is_the_files_own(tmp_path):
    """Blank lines are counted, so that an editor finds the line."""
    (tmp_path / "gsm8k").mkdir()
    lines = ["", json.dumps(faulty_data.GSM8K[0]), "", "", '{"question": "x", "answer": null}']
    (tmp_path / "gsm8k" / "test.jsonl").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"test\.jsonl, line 5: 'answer' is null, not text"):
        problems("gsm8k", tmp_path)


def test_a_problem_without_an_answer_is_refused(tmp_path):
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "test.jsonl").write_text('{"question": "x", "answer": "nobody knows"}\n')
    with pytest.raises(
        ValueError, match=r"line 1: 'answer' is \"nobody knows\", not a text that ends with ####"
    ):
        problems("gsm8k", tmp_path)


def test_a_file_that_is_changed_is_read_again(tmp_path):
    faulty_data.write(tmp_path, "empty")
    with pytest.raises(ValueError, match=r"test\.jsonl is empty"):
        problems("gsm8k", tmp_path)
    (tmp_path / "gsm8k" / "test.jsonl").write_text(json.dumps(faulty_data.GSM8K[0]))
    assert len(problems("gsm8k", tmp_path)) == 1


def test_a_line_without_an_end_is_not_read_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "LONGEST_LINE", 1 << 20)
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "test.jsonl").write_bytes(b'{"question": "x"}\n' + b"x" * (1 << 21))
    with pytest.raises(ValueError, match=r"line 2 has more than 1 MiB; write one row a line"):
        problems("gsm8k", tmp_path)


@pytest.mark.parametrize("fault", ["cut", "none", "bytes"])
def test_a_gzip_file_that_is_none_is_named(fault, tmp_path):
    (tmp_path / "tulu").mkdir()
    file = tmp_path / "tulu" / "a.jsonl.gz"
    whole = gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in faulty_data.TULU * 50))
    file.write_bytes(
        {"cut": whole[: len(whole) // 2], "none": b"{}\n", "bytes": whole[:20] + bytes(200)}[fault]
    )
    with pytest.raises(ValueError, match=r"a\.jsonl\.gz is not a whole gzip file; get it again"):
        examples("tulu", tmp_path)
    assert len(missing_data(reading("tulu"), tmp_path)) == 1


@pytest.mark.parametrize("keep", [0, 4, 200])
def test_a_parquet_file_that_was_cut_is_named(keep, tmp_path):
    (tmp_path / "tulu").mkdir()
    file = tmp_path / "tulu" / "a.parquet"
    pq.write_table(pa.Table.from_pylist(faulty_data.TULU), file)
    file.write_bytes(file.read_bytes()[:keep])
    (said,) = missing_data(reading("tulu"), tmp_path)
    assert said == f"{file} is not a whole parquet file; get it again"


def test_a_parquet_files_broken_pages_are_named(tmp_path):
    (tmp_path / "tulu").mkdir()
    file = tmp_path / "tulu" / "a.parquet"
    pq.write_table(pa.Table.from_pylist(faulty_data.TULU), file)
    content = bytearray(file.read_bytes())
    content[4:200] = bytes(196)
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.parquet is not a whole parquet file"):
        examples("tulu", tmp_path)


def test_what_the_system_does_not_let_be_read_may_come_back(tmp_path):
    """It is an OSError too, so that the attempt is tried again, unlike one with a wrong setting."""
    (tmp_path / "gsm8k").mkdir()
    file = tmp_path / "gsm8k" / "test.jsonl"
    file.symlink_to("/proc/self/mem")  # opened by anybody, read by nobody
    with pytest.raises(
        rows.UnreadableError, match=r"test\.jsonl cannot be read \(Input/output error\)"
    ) as found:
        problems("gsm8k", tmp_path)
    assert isinstance(found.value, OSError)
    assert isinstance(found.value, ValueError)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_of_somebody_else_is_named(tmp_path):
    faulty_data.sound(tmp_path)
    (tmp_path / "gsm8k" / "test.jsonl").chmod(0)
    with pytest.raises(rows.UnreadableError, match=r"Permission denied"):
        problems("gsm8k", tmp_path)


def test_a_text_file_of_another_encoding_is_named(tmp_path):
    (tmp_path / "a.txt").write_bytes("one\ntwo é\n".encode("latin-1"))
    text = reading("plain_text", path="a.txt")
    assert missing_data(text, tmp_path) == [f"{tmp_path}/a.txt, line 2 is not UTF-8; save the file as UTF-8"]
    (tmp_path / "a.txt").write_bytes(b"")
    (said,) = missing_data(text, tmp_path)
    assert said.startswith(f"the source plain_text has no example in {tmp_path}/a.txt")
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    (example,) = SOURCES["plain_text"](text.stages[0].data[0], seed=0, data_dir=tmp_path)
    assert example.completion == "one\ntwo\n"


@pytest.mark.parametrize(
    ("vocabulary", "merges", "said"),
    [
        (b"", b"#version\na b\n", r"vocab\.json, line 1 is not JSON"),
        (b"[]", b"#version\na b\n", r"vocab\.json holds no mapping"),
        (b'{"a": 0}', b"#version: 0.2\n", r"merges\.txt is empty"),
        (b'{"a": 0}', b"\xff\xfe", r"merges\.txt, line 1 is not UTF-8"),
    ],
)
def test_broken_files_of_a_vocabulary_are_named(vocabulary, merges, said, tmp_path):
    (tmp_path / "gpt2").mkdir()
    (tmp_path / "gpt2" / "vocab.json").write_bytes(vocabulary)
    (tmp_path / "gpt2" / "merges.txt").write_bytes(merges)
    data = reading("drills").model_dump(mode="json") | {"tokenizer": {"kind": "gpt2", "path": "gpt2"}}
    with pytest.raises(RecipeError, match=said):
        check_data(recipe.build(data), tmp_path)


def test_a_source_without_an_example_is_refused_before_anything_is_queued(tmp_path):
    faulty_data.sound(tmp_path)
    assert missing_data(reading("gsm8k"), tmp_path) == []
    (said,) = missing_data(reading("gsm8k", longest_answer=1), tmp_path)
    assert said.startswith(
        f"the source gsm8k has no example in {tmp_path}/gsm8k/train.jsonl under these settings"
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], "has no problem"),
        ([Problem("a", "?", "1"), Problem("a", "!", "2")], "2 problems with the id 'a'"),
        ([Problem("a" * 101, "?", "1")], "at most 100 characters"),
    ],
)
def test_problems_that_cannot_be_recorded_are_refused(found, said):
    one = Benchmark(
        "own", "own/1", "{question}", lambda count, *, data_dir: found, lambda *_: (None, False), 1, 1
    )
    with pytest.raises(ValueError, match=said):
        one.asked(None, data_dir=Path())


def test_the_sound_files_are_sound(tmp_path):
    faulty_data.sound(tmp_path)
    assert len(gsm8k.read("train", data_dir=tmp_path)) == len(faulty_data.GSM8K)
    for name in READING:
        assert missing_data(reading(name), tmp_path) == []
