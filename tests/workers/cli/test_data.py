"""`mulberry data`: what the shipped recipes want, what is here, and getting it from a hub, whole or not at all."""

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from tests import commands
from tests.hub import COMMIT, hub
from tests.stack import OURS, ROOT, SAMPLES
from training.data.sources import HUBS
from training.data_sets import DATA_SETS
from training.recipes import recipe as recipes
from training.recipes.availability import missing_data, wanted
from training.text.tokenizer import load


def mulberry(
    folder: Path, *arguments: str, endpoint: str = "http://127.0.0.1:9"
) -> subprocess.CompletedProcess[str]:
    """The command with this data folder and this hub; nothing of another hub's cache is seen."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith((*OURS, "HF_"))}
    home = {"MULBERRY_HOME": str(folder / "home"), "HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "hf")}
    return commands.mulberry(arguments, clean | home, ROOT, timeout=60)


def parquet(rows: list[dict[str, Any]]) -> bytes:
    written = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), written)
    return written.getvalue()


def gpt2_on_hub() -> dict[str, bytes]:
    return {
        f"openai-community/gpt2/{name}": (SAMPLES / "gpt2" / name).read_bytes()
        for name in ("vocab.json", "merges.txt")
    }


def svamp_on_hub(rows: int = 1_000) -> dict[str, bytes]:
    """In two splits, in another order than published, answers as text: as the hub has it."""
    some = json.loads((SAMPLES / "svamp" / "SVAMP.json").read_text(encoding="utf-8"))
    every = [{**some[i % len(some)], "ID": f"chal-{i + 1}"} for i in range(rows)]
    told = [{**row, "Answer": str(row["Answer"]), "question_concat": "…"} for row in every]
    return {
        "datasets/ChilleD/SVAMP/data/train-00000-of-00001.parquet": parquet(told[1::2]),
        "datasets/ChilleD/SVAMP/data/test-00000-of-00001.parquet": parquet(told[::2]),
    }


def test_every_data_set_that_a_shipped_recipe_wants_can_be_had(tmp_path: Path) -> None:
    for name in recipes.names():
        recipe = recipes.build(recipes.shipped(name))
        for scale in recipe.scales:
            sized = recipes.build(recipe.model_dump(mode="json"), [("scale", scale)])
            local, streamed = wanted(sized)
            assert local <= set(DATA_SETS) and streamed <= set(HUBS)
            told = missing_data(sized, tmp_path)
            assert {
                one for one in DATA_SETS if any(f"`mulberry data fetch {one}`" in text for text in told)
            } == local


def test_the_list_says_what_is_here_and_how_to_get_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "data" / "gpt2"
    folder.mkdir(parents=True)
    for name in ("vocab.json", "merges.txt"):
        (folder / name).symlink_to(SAMPLES / "gpt2" / name)
    listed = json.loads(mulberry(tmp_path, "data", "--json").stdout)
    assert listed["folder"] == str(tmp_path / "home" / "data")
    found = {one["name"]: one for one in listed["data_sets"]}
    assert {name for name, one in found.items() if one["here"]} == {"gpt2"}
    assert (found["gpt2"]["path"], found["gpt2"]["bytes"]) == (str(folder), 1_498_619)
    assert "phase6_grpo_20x" in found["gsm8k"]["wanted_by"]
    assert "phase5_curriculum (tiny)" in found["tinyshakespeare"]["wanted_by"]
    assert {one["source"] for one in listed["streamed"]} >= {"fineweb_edu", "tulu"}

    text = mulberry(tmp_path, "data").stdout
    assert "get all that is wanted: mulberry data fetch gsm8k hellaswag tinyshakespeare\n" in text


@pytest.mark.slow
def test_what_is_fetched_is_what_recipes_read(tmp_path: Path) -> None:
    with hub({**gpt2_on_hub(), **svamp_on_hub()}) as endpoint:
        done = mulberry(tmp_path, "data", "fetch", "gpt2", "svamp", endpoint=endpoint)
    assert done.returncode == 0, done.stderr
    assert "licence: modified MIT" in done.stdout
    data = tmp_path / "home" / "data"
    for name in ("vocab.json", "merges.txt"):
        assert (data / "gpt2" / name).read_bytes() == (SAMPLES / "gpt2" / name).read_bytes()
    rows = json.loads((data / "svamp" / "SVAMP.json").read_text())
    published = json.loads((SAMPLES / "svamp" / "SVAMP.json").read_text())
    assert rows[: len(published)] == published and len(rows) == 1_000
    assert COMMIT in (data / "svamp" / "ORIGIN.md").read_text()
    assert not list(data.glob(".fetch-*"))
    settings = recipes.build(recipes.read("gsm8k_tiny")).tokenizer
    assert load(settings, lambda: iter(()), data).convert_tokens_to_ids("<|endoftext|>") == 50_256

    again = mulberry(tmp_path, "data", "fetch", "gpt2")
    assert (again.returncode, again.stdout) == (0, "gpt2 is here already; --again gets it anew\n")


def test_the_whole_published_sets_come_out_byte_by_byte(tmp_path: Path, whole_data: Path) -> None:
    text = (whole_data / "text" / "tinyshakespeare.txt").read_text(encoding="utf-8")
    files = {
        f"datasets/karpathy/tiny_shakespeare/data/{split}-00000-of-00001.parquet": parquet([{"text": part}])
        for split, part in (("train", text[:1000]), ("validation", text[1000:2000]), ("test", text[2000:]))
    }
    for split in ("train", "test"):
        lines = (whole_data / "gsm8k" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        files[f"datasets/openai/gsm8k/main/{split}-00000-of-00001.parquet"] = parquet(
            [*map(json.loads, lines)]
        )
    with hub(files) as endpoint:
        done = mulberry(tmp_path, "data", "fetch", "gsm8k", "tinyshakespeare", endpoint=endpoint)
    assert done.returncode == 0, done.stderr
    for name in ("gsm8k/train.jsonl", "gsm8k/test.jsonl", "text/tinyshakespeare.txt"):
        assert (tmp_path / "home" / "data" / name).read_bytes() == (whole_data / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "files", "told"),
    [
        ("svamp", svamp_on_hub(999), "svamp/SVAMP.json has 999 rows instead of 1000"),
        ("gpt2", {**gpt2_on_hub(), "openai-community/gpt2/merges.txt": b"#version"}, "SHA-256 differs"),
        ("svamp", dict.fromkeys(svamp_on_hub(2), b"<html>"), "not a whole parquet file"),
        ("svamp", {name: parquet([{"text": "…"}]) for name in svamp_on_hub(2)}, "no column 'ID'"),
        ("gpt2", dict([*gpt2_on_hub().items()][:1]), "cannot get gpt2 from the hub"),
        ("svamp", {}, "cannot get svamp from the hub"),
    ],
)
def test_what_is_not_right_changes_nothing(
    tmp_path: Path, name: str, files: dict[str, bytes], told: str
) -> None:
    with hub(files) as endpoint:
        failed = mulberry(tmp_path, "data", "fetch", name, endpoint=endpoint)
    assert failed.returncode == 1
    assert told in failed.stderr and len(failed.stderr.splitlines()) == 1, failed.stderr
    assert not list((tmp_path / "home" / "data").iterdir())


def test_no_hub_and_no_such_name_are_said_in_one_line(tmp_path: Path) -> None:
    absent = mulberry(tmp_path, "data", "fetch", "gpt2")
    assert absent.returncode == 1
    assert "cannot get gpt2 from the hub" in absent.stderr and "gpt2/vocab.json" in absent.stderr
    assert len(absent.stderr.splitlines()) == 1, absent.stderr
    wrong = mulberry(tmp_path, "data", "fetch", "gsm8")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "there is no data set 'gsm8'" in wrong.stderr and "gsm8k" in wrong.stderr
