"""Data identities: bytes of files, code and settings of generators, commits of the hub; recorded by every run."""

import hashlib
import json
import re
from itertools import islice

import pytest

from training.data import identity
from training.data.files import FilesSource
from training.data.sources import SOURCES
from training.data.sources.drills import DrillsSource
from training.data.sources.fineweb_edu import FinewebEduSource
from training.data.sources.gsm8k import Gsm8kSource
from training.data.sources.plain_text import PlainTextSource
from training.settings.source import Source
from training.stages.sft.config import SftSettings

FILES = FinewebEduSource(source="fineweb_edu")
# A generator whose digest changes yields other examples: raise its class's `version` and write the new digest here.
GENERATED = {
    "decompositions": (1, "c307d91a6eb81db3"),
    "drills": (1, "c0e4641f5754df61"),
    "instructions": (1, "a5ded7b594896dc0"),
    "statements": (1, "bf60c66950b14da9"),
    "word_problems": (1, "3bc7011c183960f5"),
}


def source(name):
    return SftSettings(
        name="a", kind="sft", data=[{"source": name}], examples=1, optimizer={"learning_rate": 1}
    ).data[0]


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_a_generators_version_stands_for_its_examples(name, tmp_path):
    examples = list(islice(SOURCES[name](source(name), seed=0, data_dir=tmp_path), 300))
    digest = hashlib.sha256(
        repr([(e.prompt, e.completion, e.answer) for e in examples]).encode()
    ).hexdigest()[:16]
    assert (source(name).version, digest) == GENERATED[name]


def test_one_file_is_known_by_its_bytes(data_dir):
    found = identity.of_source("data", Gsm8kSource(source="gsm8k"), data_dir)
    content = (data_dir / "gsm8k" / "train.jsonl").read_bytes()
    assert found == {
        "path": "data",
        "source": "gsm8k",
        "version": 1,
        "name": "gsm8k/train.jsonl",
        "revision": None,
        "sha256": hashlib.sha256(content).hexdigest(),
        "rows": len(content.splitlines()),
    }


def test_several_files_count_with_their_names_and_a_change_is_seen(tmp_path):
    folder = tmp_path / "fineweb_edu"
    folder.mkdir()
    for name in ("b", "a"):
        (folder / f"{name}.jsonl").write_text(json.dumps({"text": name}) + "\n")
    first = identity.of_source("data", FILES, tmp_path)
    listing = "".join(
        f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  fineweb_edu/{n}\n"
        for n in ("a.jsonl", "b.jsonl")
    )
    assert first["sha256"] == hashlib.sha256(listing.encode()).hexdigest()
    assert (first["name"], first["rows"]) == ("fineweb_edu", 2)
    assert identity.of_source("data", FILES, tmp_path) == first
    (folder / "b.jsonl").write_text(json.dumps({"text": "c", "more": 1}) + "\n")
    assert identity.of_source("data", FILES, tmp_path)["sha256"] != first["sha256"]


def test_generated_data_are_known_by_code_and_settings(tmp_path):
    drills = DrillsSource(source="drills")
    first = identity.of_source("data", drills, tmp_path)
    assert (first["name"], first["rows"]) == ("generated", None)
    assert identity.of_source("data", drills.model_copy(update={"weight": 5.0}), tmp_path) == first
    other = DrillsSource(source="drills", tiers=["one_digit_sums"])
    assert identity.of_source("data", other, tmp_path)["sha256"] != first["sha256"]


def test_a_commit_of_the_hub_needs_no_network(tmp_path, monkeypatch):
    monkeypatch.setattr("training.data.files.count_rows", lambda *_, **__: None)
    commit = "a5b192f752f39f7847f432b95d2e64c1ff187163"
    source = FinewebEduSource(source="fineweb_edu", hub="HuggingFaceFW/fineweb-edu", revision=commit)
    found = identity.of_source("data", source, tmp_path)
    assert (found["name"], found["revision"], found["rows"]) == ("HuggingFaceFW/fineweb-edu", commit, None)


def test_a_source_that_says_what_it_reads_has_an_identity_of_those_files(tmp_path):
    class LinesSource(Source):
        """Lines of two files."""

        def reads(self):
            """Both."""
            return ("a.txt", "b.txt")

    (tmp_path / "a.txt").write_text("1\n2\n")
    with pytest.raises(ValueError, match=r"there is no .*b.txt; set MULBERRY_DATA"):
        identity.of_source("data", LinesSource(source="lines"), tmp_path)
    (tmp_path / "b.txt").write_text("3\n")
    before = identity.of_source("data", LinesSource(source="lines"), tmp_path)
    assert before["rows"] == 3
    (tmp_path / "b.txt").write_text("4\n")
    assert identity.of_source("data", LinesSource(source="lines"), tmp_path)["sha256"] != before["sha256"]


def test_missing_files_are_explained(tmp_path):
    for source in (FILES, Gsm8kSource(source="gsm8k"), PlainTextSource(source="plain_text")):
        with pytest.raises(ValueError, match="MULBERRY_DATA"):
            identity.of_source("data", source, tmp_path)


def test_the_digest_of_a_stage_changes_with_any_source(tmp_path):
    drills, fewer = DrillsSource(source="drills"), DrillsSource(source="drills", tiers=["one_digit_sums"])
    digests = {
        identity.digest(identity.of_mixtures(mixtures, tmp_path))
        for mixtures in (
            {"data": [drills]},
            {"data": [drills, drills]},
            {"data": [fewer]},
            {"steps.a": [drills]},
        )
    }
    assert len(digests) == 4


def test_every_source_that_reads_files_has_an_identity_of_its_files(tmp_path):
    reading = [name for name in SOURCES if isinstance(source(name), FilesSource)]
    assert len(reading) >= 6
    for name in reading:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jsonl").write_text('{"text": "x"}\n')
        assert identity.of_source("data", source(name), tmp_path)["rows"] == 1


def test_a_run_records_its_data_and_what_was_skipped(stages, tmp_path):
    (tmp_path / "data" / "tinygsm").mkdir(parents=True)
    rows = [{"question": f"{n}?", "code": f"def f():\n    x = {n} * 3\n    return x\n"} for n in range(9)] + [
        {"question": "?", "code": "import os"}
    ]
    (tmp_path / "data" / "tinygsm" / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    stages.data_dir = tmp_path / "data"
    changes = [
        ("stages.sft.after", None),
        ("stages.sft.data", [{"source": "tinygsm"}, {"source": "drills"}]),
        ("stages.sft.epochs", 1),
    ]
    stage = stages.make("run", "sft", changes=changes)
    assert stage.run() == 0, stage.journal.records("finished")
    tinygsm, drills = stage.journal.records("data")[0]["sources"]
    assert (tinygsm["name"], tinygsm["rows"], tinygsm["path"]) == ("tinygsm/a.jsonl", 10, "data")
    assert drills["name"] == "generated"
    told = " ".join(line["text"] for line in stage.journal.records("log"))
    assert re.search(r"tinygsm: \d+ kept, \d+ skipped \(.*\bno function \d+", told), told
