"""A file of published numbers: what is wrong in it is said in one line, and the documented format can be imported."""

import re

import pytest

from tests.factories import make_user
from tests.published_files import minimal, write
from webapp.results import published
from webapp.results.imports import import_history

pytestmark = pytest.mark.django_db


def broken(path, value):
    data = minimal()
    at = data
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return data


RESULT = ("stages", 0, "results", "gsm8k", "a")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (broken((*RESULT, "correct"), 11), "stages.sft.results.gsm8k.a.correct: 11 of 10 problems"),
        (broken((*RESULT, "rate"), 0.3), "give either the count `correct` or"),
        (broken((*RESULT, "corect"), 3), "there is no setting 'corect'"),
        (broken(RESULT, {"correct": 3}), "problems: is missing"),
        (broken(RESULT, {"rate": 30.3}), "rate: must be at most 1"),
        (broken(RESULT, {"rate": 0.3, "repetition_rate": float("nan")}), "repetition_rate"),
        (broken(("stages", 0, "kind"), "stf"), "there is no kind 'stf'; did you mean 'sft'"),
        (broken(("stages", 0, "after"), "pretrain"), "no stage 'pretrain' stands before this one"),
        (broken(("primary_metric",), "gsm9k"), "there is no benchmark 'gsm9k' in this file"),
        (broken(("stages", 0, "results", "gsm8k", "c"), {"rate": 0}), "there is no condition 'c'"),
        (broken(("title",), "a\x00b"), "NUL"),
        (broken(("benchmarks", "x" * 101), {}), "benchmarks"),
        (broken(("benchmarks", "gsm8k"), {"grader": "a\x00b"}), "NUL"),
        (broken(("conditions", 0, "overrides"), {"x": float("inf")}), "overrides"),
        (broken((*RESULT, "mul_tokens"), 10**400), "mul_tokens"),
        (broken(("name",), "Two words"), "name: use small letters"),
        (broken(("date",), "soon"), "date:"),
        (broken(("tables",), [{"title": "t", "header": ["a"], "rows": [["1", "2"]]}]), "row 1 has 2 cells"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, data, says):
    with pytest.raises(ValueError) as error:
        published.read(write(tmp_path, data))
    assert says in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("there_is_none", None, "there is no history 'there_is_none'"),
        ("../history/phase_1_to_6", None, "there is no history"),
        ("none.yaml", None, "cannot read"),
        ("a.yaml", b"a: [", "is not YAML"),
        ("a.yaml", b"date: 2025-13-45", "is not YAML"),
        ("a.json", b"{", "is not JSON"),
        ("a.yaml", b"conditions: {a: 1, b: 2, a: 3}", "'a' is written twice, in line 1"),
        ("a.yaml", b"title: x\ndate: 2025\ntitle: y", "'title' is written twice, in line 1 and in line 3"),
        ("a.json", b'{"title": "x",\n"title": "y"}', "'title' is written twice, in line 1 and in line 2"),
        ("a.json", b'{"title": "\\/",\n\t"title": "y"}', "'title' is written twice"),
        ("a.json", b"[" * 100_000, "is not JSON"),
        ("a.yaml", b"[" * 100_000, "too deep"),
        ("a.json", b"\xef\xbb\xbf[]", "holds no mapping"),
        ("a.yaml", b"title: a\x00b", "is not YAML"),
        ("a.json", b"\xff", "no text in UTF-8"),
        ("a.yaml", b"- 1", "holds no mapping"),
    ],
)
def test_files_that_cannot_be_read_are_explained_in_one_line(tmp_path, monkeypatch, name, content, says):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError) as error:
        published.read(name)
    assert says in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_the_format_in_the_documents_can_be_imported(tmp_path):
    text = (published.HISTORY.parents[2] / "docs" / "operations.md").read_text()
    (tmp_path / "shown.yaml").write_text(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])
    publication = published.read(str(tmp_path / "shown.yaml"))
    made = import_history(publication=publication, owner=make_user())
    assert (made.new, made.results) == (True, 3)
    for field in published.PublishedResult.model_fields:
        assert f"`{field}`" in text
