"""TinyGSM in its real format: worked text whose final number is what the program computes; the rest is counted."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.programs.test_safe_python import BENIGN, oracle, program
from training.data import skipped
from training.data.sources.tinygsm import TinyGsmSource, examples, worked
from training.text.answers import extract_answer, value

SOURCE = TinyGsmSource(source="tinygsm")


@pytest.fixture
def folder(tmp_path):
    """Every benign program in parquet and JSONL, with one that is refused and one that is too long."""
    (tmp_path / "tinygsm").mkdir()
    rows = [{"question": f"Question {i}?", "code": program(body)} for i, body in enumerate(BENIGN)]
    pq.write_table(pa.Table.from_pylist(rows[:8]), tmp_path / "tinygsm" / "0.parquet")
    rows = [*rows[8:], {"question": "Mine?", "code": program("import os\n    return 1")}]
    rows.append({"question": "Long?", "code": program("x = 1\n    " + "x += 1\n    " * 39 + "return x")})
    (tmp_path / "tinygsm" / "1.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return tmp_path


def test_final_numbers_are_what_the_programs_compute(folder):
    skipped.taken()
    found = {e.prompt: e for e in examples(SOURCE, seed=0, data_dir=folder)}
    assert len(found) == len(BENIGN)
    for i, body in enumerate(BENIGN):
        example = found[f"User: Question {i}?\nAssistant:"]
        assert example.completion.splitlines()[-1] == f"#### {example.answer}"
        assert extract_answer(example.completion) == example.answer
        assert float(value(example.answer)) == pytest.approx(oracle(program(body)), rel=1e-11)
    told = f"tinygsm: {len(BENIGN)} kept, 2 skipped (import 1, too much text 1)"
    assert skipped.lines() == [told]


def test_what_is_skipped_is_counted(folder):
    skipped.taken()
    list(examples(SOURCE, seed=0, data_dir=folder))
    assert skipped.taken()["tinygsm"] == {"kept": len(BENIGN), "import": 1, "too much text": 1}
    assert skipped.lines() == []


def test_a_stream_goes_on_where_another_ended(folder):
    every = list(examples(SOURCE, seed=3, data_dir=folder))
    assert [list(examples(SOURCE, seed=3, data_dir=folder, skip=n)) for n in (0, 5, 99)] == [
        every,
        every[5:],
        [],
    ]
    assert every != list(examples(SOURCE, seed=4, data_dir=folder))


def test_the_docstring_is_the_question_where_no_column_is():
    assert worked(program("return 2 + 3")).prompt == "User: How many?\nAssistant:"
    assert worked(program("return 2 + 3")).completion == " result = 2 + 3 = 5\n#### 5"


def test_other_columns_are_explained(tmp_path):
    (tmp_path / "tinygsm").mkdir()
    (tmp_path / "tinygsm" / "a.jsonl").write_text('{"problem": "x"}\n')
    with pytest.raises(ValueError, match=r"a\.jsonl, line 1 has no 'code' but problem"):
        list(examples(SOURCE, seed=0, data_dir=tmp_path))
