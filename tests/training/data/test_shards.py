"""Shards on disk: rows across files, whole or not counted."""

import json

import numpy as np
import pytest

from training.data.shards import Folder, TokenRows, Writer, key


def folder(path, vocabulary=648):
    return Folder(path, {"version": 1}, vocabulary)


def fill(found, texts, part="training", first=0):
    """One shard for each list of texts."""
    drawn = first
    for shard in texts:
        writer = Writer(found, part)
        for ids in shard:
            writer.append(ids)
            drawn += 1
        writer.close([drawn], [drawn * 10])


def random_texts(seed=0, shards=5):
    rng = np.random.default_rng(seed)
    return [[rng.integers(0, 600, rng.integers(1, 40)).tolist() for _ in range(7)] for _ in range(shards)]


@pytest.mark.parametrize(("vocabulary", "size"), [(648, 2), (50_349, 2), (1 << 16, 2), (100_000, 4)])
def test_rows_by_number_are_the_texts_one_after_the_other(tmp_path, vocabulary, size):
    texts = random_texts()
    fill(folder(tmp_path, vocabulary), texts)
    found = folder(tmp_path, vocabulary)
    found.load()
    flat = [token for shard in texts for ids in shard for token in ids]
    rows = TokenRows(found, "training", 16)
    assert len(rows) == len(flat) // 16
    for row in np.random.default_rng(1).permutation(len(rows)).tolist():  # in any order, as ranks would ask
        assert rows[row].tolist() == flat[row * 16 : (row + 1) * 16]
    assert rows[0].dtype == np.int64
    assert sum(file.stat().st_size for file in tmp_path.glob("*.bin")) == len(flat) * size
    with pytest.raises(IndexError):
        rows[len(rows)]


def test_a_row_may_be_longer_than_a_shard(tmp_path):
    found = folder(tmp_path)
    fill(found, [[[1, 2]], [[3]], [[4, 5, 6]], [[7, 8]]])
    assert TokenRows(found, "training", 7)[0].tolist() == [1, 2, 3, 4, 5, 6, 7]
    with pytest.raises(ValueError, match="holds 1 rows"):
        TokenRows(found, "training", 7, count=2)


@pytest.mark.parametrize(
    "harm",
    [
        lambda file: file.write_bytes(file.read_bytes()[:-2]),
        lambda file: file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:]),
        lambda file: file.unlink(),
    ],
)
def test_a_shard_that_is_not_whole_ends_what_counts(tmp_path, harm):
    fill(folder(tmp_path), random_texts())
    harm(tmp_path / "shard-000003.bin")
    found = folder(tmp_path)
    found.load()
    assert [shard.file for shard in found.manifest.shards] == [f"shard-00000{i}.bin" for i in range(3)]
    found.clear_unnamed()
    assert sorted(file.name for file in tmp_path.glob("*.bin")) == [f"shard-00000{i}.bin" for i in range(3)]


def test_what_a_killed_writer_left_does_not_count(tmp_path):
    found = folder(tmp_path)
    fill(found, random_texts(shards=1))
    Writer(found, "training").append([1, 2, 3])  # and then it died
    again = folder(tmp_path)
    again.load()
    assert len(again.manifest.shards) == 1
    again.clear_unnamed()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["manifest.json", "shard-000000.bin"]
    (tmp_path / "manifest.json").write_text("{")
    again = folder(tmp_path)
    again.load()
    assert again.manifest.shards == []


def test_without_the_held_out_keys_nothing_counts(tmp_path):
    found = folder(tmp_path)
    found.hold_out({3, 2**63 + 5})
    fill(found, random_texts(shards=1), part="validation")
    fill(found, random_texts(shards=2))
    again = folder(tmp_path)
    again.load()
    assert again.held_out() == {3, 2**63 + 5}
    assert [shard.part for shard in again.manifest.shards] == ["validation", "training", "training"]
    (tmp_path / "held_out.bin").unlink()
    again.load()
    assert again.manifest.shards == []


def test_the_manifest_says_what_it_is_made_of(tmp_path):
    fill(folder(tmp_path), random_texts(shards=1))
    written = json.loads((tmp_path / "manifest.json").read_text())
    assert written["made_of"] == {"version": 1}
    assert key({"a": 1, "b": [2]}) == key({"b": [2], "a": 1}) != key({"a": 1, "b": [3]})
