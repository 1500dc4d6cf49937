"""A checkpoint is there whole or not at all."""

import json
from pathlib import Path

import pytest

from training.process import checkpoints


def put(folder: Path, step: int, text: str = "weights", key: str = "") -> Path:
    with checkpoints.write(folder, checkpoints.step_name(step), step=step, key=key) as partial:
        (partial / "model").write_text(text)
    return folder / checkpoints.step_name(step)


def test_the_newest_whole_one_is_found(tmp_path: Path) -> None:
    put(tmp_path, 5)
    put(tmp_path, 10)
    broken = put(tmp_path, 15)
    found = checkpoints.Own(tmp_path).newest()
    assert found is not None and found.step == 15
    assert (found.bytes, found.final) == (7, False)
    (broken / "model").write_text("WEIGHTS")  # same size, other bytes
    assert checkpoints.read(broken) is None
    newest = checkpoints.Own(tmp_path).newest()
    assert newest is not None and newest.step == 10


@pytest.mark.parametrize("harm", ["model", "manifest.json"])
def test_a_missing_file_makes_it_invalid(tmp_path: Path, harm: str) -> None:
    path = put(tmp_path, 5)
    (path / harm).unlink()
    assert checkpoints.read(path) is None
    assert checkpoints.Own(tmp_path).newest() is None


def test_an_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk"), checkpoints.write(tmp_path, "final", step=3) as partial:
        (partial / "model").write_text("half")
        raise OSError("disk full")
    assert list(tmp_path.iterdir()) == []


def test_one_of_the_same_name_is_replaced(tmp_path: Path) -> None:
    put(tmp_path, 5, "old")
    path = put(tmp_path, 5, "new")
    assert (path / "model").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000005"]


def test_one_of_another_run_or_without_records_is_passed_over_and_said(tmp_path: Path) -> None:
    kept = put(tmp_path, 5, key="mine")
    put(tmp_path, 10, "later", key="mine")
    put(tmp_path, 15, key="another's")
    with checkpoints.write(
        tmp_path, checkpoints.FINAL, step=20
    ) as partial:  # of a home that is older than keys
        (partial / "model").write_text("result")
    read = checkpoints.read(kept)
    assert read is not None
    own = checkpoints.Own(tmp_path, "mine", [read.manifest_sha256])
    assert own.final() is None and own.newest() == read
    assert [text.rpartition(": it ")[2] for text in own.passed_over] == [
        "was written by another run",
        "was written by another run",
        "is not among those whose records are kept",
    ]
    assert "final was passed over" in own.passed_over[0]
    without = checkpoints.Own(tmp_path)
    assert (final := without.final()) is not None and final.step == 20
    assert without.newest() is None, "a run without a key has checkpoints without one"


def test_two_runs_that_computed_the_same_have_one_digest(tmp_path: Path) -> None:
    found = [checkpoints.read(put(tmp_path / key, 5, key=key)) for key in ("a", "b")]
    first, second = found
    assert first is not None and second is not None
    assert (first.key, second.key) == ("a", "b") and first.manifest_sha256 == second.manifest_sha256
    old = first.path / "manifest.json"
    told = json.loads(old.read_text())
    del told["key"]
    old.write_text(json.dumps(told, indent=1))  # as it was written before runs had keys
    before = checkpoints.read(first.path)
    assert before is not None and (before.key, before.manifest_sha256) == ("", first.manifest_sha256)


def test_prune_keeps_the_two_newest_and_the_final_one(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        put(tmp_path, step)
    with checkpoints.write(tmp_path, checkpoints.FINAL, step=15) as partial:
        (partial / "model").write_text("result")
    (tmp_path / ".partial-step-00000020-abc").mkdir()
    checkpoints.prune(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["final", "step-00000010", "step-00000015"]
    final = checkpoints.Own(tmp_path).final()
    assert final is not None and final.final and final.step == 15


def test_a_quick_look_sees_what_was_removed_cut_or_replaced(tmp_path: Path) -> None:
    path = put(tmp_path, 5)
    known = checkpoints.read(path)
    assert known is not None and checkpoints.is_there(path, known.manifest_sha256)
    assert not checkpoints.is_there(tmp_path / "elsewhere", known.manifest_sha256)
    (path / "model").write_text("cut")
    assert not checkpoints.is_there(path, known.manifest_sha256)
    assert not checkpoints.is_there(put(tmp_path, 5, "others!"), known.manifest_sha256)
