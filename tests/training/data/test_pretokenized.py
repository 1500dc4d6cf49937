"""Pre-training's tokens: mixed by tokens, made once, gone on with after a kill, held out for good."""

import hashlib
import json
import os
import signal
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from training.data import encoding, files, identity, mixture, pretokenized, token_mixture
from training.data.pretokenized import Making
from training.data.sources.fineweb_edu import FinewebEduSource
from training.data.sources.open_web_math import OpenWebMathSource
from training.data.sources.plain_text import PlainTextSource
from training.data.sources.statements import StatementsSource
from training.engine.run_context import Stopped
from training.settings.shared import TextForm, TokenizerSettings
from training.text import tokenizer

STATEMENTS = StatementsSource(source="statements")


@pytest.fixture(scope="module")
def tokens(data_dir):
    texts = mixture.texts([STATEMENTS], 300, seed=0, data_dir=data_dir)
    return tokenizer.load(TokenizerSettings(entries=500), lambda: texts, data_dir)


@pytest.fixture
def making(tokens, data_dir):
    def make(sources=(STATEMENTS,), *, inject=False, validation_tokens=0, data_dir=data_dir):
        return Making(
            sources=sources,
            identities=identity.of_mixtures({"data": list(sources)}, data_dir),
            seed=7,
            data_dir=data_dir,
            tokenizer=tokens,
            form=TextForm(inject=inject),
            validation_tokens=validation_tokens,
        )

    return make


def made(cache, making, count=40, *, tick=lambda done, total: None, shard_tokens=300, length=32):
    return pretokenized.rows(cache, making, length=length, count=count, tick=tick, shard_tokens=shard_tokens)


def flat(rows):
    return np.concatenate([rows[i] for i in range(len(rows))]).tolist()


def shards(cache):
    return {file: file.stat().st_mtime_ns for file in sorted(cache.rglob("shard-*.bin"))}


def web(tmp_path, source="fineweb_edu", documents=3_000, words=12):
    folder = tmp_path / "data" / source
    folder.mkdir(parents=True)
    rows = [{"text": f"Page {i} of {source}: " + "and so on " * (words + i % 7)} for i in range(documents)]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    kind = {"fineweb_edu": FinewebEduSource, "open_web_math": OpenWebMathSource}[source]
    return kind(source=source)


@pytest.mark.parametrize("inject", [False, True])
def test_one_source_is_its_texts_one_after_the_other(tmp_path, tokens, making, data_dir, inject):
    found = made(tmp_path, making(inject=inject))
    examples = islice(mixture.stream([STATEMENTS], seed=7, data_dir=data_dir), 400)
    written = [example.written(TextForm(inject=inject)) for example in examples]
    expected = [token for example in written for token in encoding.encode(tokens, example)[0]]
    assert flat(found.training) == expected[: 40 * 32]
    assert len(shards(tmp_path)) > 3
    assert found.made >= 40 * 32


def test_what_is_learnt_of_each_source_is_counted_and_kept_with_the_shards(tmp_path, making):
    sources = [STATEMENTS, web(tmp_path).model_copy(update={"weight": 2.0})]
    for inject in (False, True):
        asked = making(sources, inject=inject, data_dir=tmp_path / "data")
        first, again = made(tmp_path, asked), made(tmp_path, asked)
        assert first.sources == again.sources
        assert again.made == 0
        counted = {dose["source"]: dose for dose in first.sources}
        assert sum(dose["tokens"] for dose in first.sources) == pytest.approx(40 * 32, abs=2)
        assert counted["fineweb_edu"]["products"] == 0
        assert counted["statements"]["products"] > 10
        assert (counted["statements"]["replaced"] == counted["statements"]["products"]) == inject
        assert (counted["statements"]["mul_tokens"] > 0) == inject
        fewer = made(tmp_path, asked, count=20)
        assert sum(dose["tokens"] for dose in fewer.sources) == pytest.approx(20 * 32, abs=2)


def test_texts_have_one_name_in_every_condition_and_another_when_a_file_changes(tmp_path, making):
    source, folder = web(tmp_path), tmp_path / "data"
    plain, injected = (making([source], inject=inject, data_dir=folder) for inject in (False, True))
    assert plain.texts_sha256 == injected.texts_sha256
    file = folder / "fineweb_edu" / "a.jsonl"
    file.write_text(file.read_text().replace("Page 7 ", "Sheet 7 "))
    assert making([source], data_dir=folder).texts_sha256 != plain.texts_sha256


def test_tokens_and_code_version_go_together(tmp_path, making):
    """These change with how texts are mixed, injected, formatted or encoded: raise pretokenized.VERSION then."""
    sources = [STATEMENTS, web(tmp_path).model_copy(update={"weight": 2.0})]
    digests = {}
    for inject in (False, True):
        found = made(tmp_path, making(sources, inject=inject, data_dir=tmp_path / "data"))
        digests[inject] = hashlib.sha256(np.array(flat(found.training), dtype="<u2")).hexdigest()[:16]
    assert (pretokenized.VERSION, digests) == (2, {False: "a4d8220bbeb99402", True: "75a40e6ba1cd0b0d"})


def test_weights_are_shares_of_tokens_and_conditions_read_the_same_texts(tmp_path, tokens):
    short = web(tmp_path, "open_web_math", words=3).model_copy(update={"weight": 3.0})
    long = web(tmp_path, "fineweb_edu", words=60).model_copy(update={"weight": 1.0})
    sources = [short, long, STATEMENTS.model_copy(update={"weight": 4.0})]
    read = []
    for inject in (False, True):
        mixed = token_mixture.TokenMixture(
            sources,
            [3 / 8, 1 / 8, 4 / 8],
            seed=0,
            data_dir=tmp_path / "data",
            tokenizer=tokens,
            form=TextForm(inject=inject),
            measured=True,
            drawn=[0, 0, 0],
            sizes=[0, 0, 0],
        )
        read.append([mixed.take(set()) for _ in range(1_000)])
        longest = max(text.size for text in read[-1])
        for size, share in zip(mixed.sizes, [3 / 8, 1 / 8, 4 / 8], strict=True):
            assert abs(size - share * sum(mixed.sizes)) <= longest
        assert mixed.texts_taken[0] > 10 * mixed.texts_taken[1]  # the long texts are few
    plain, injected = read
    assert [text.key for text in plain] == [text.key for text in injected]
    assert sum(len(text.ids) for text in injected) < sum(len(text.ids) for text in plain)


def test_who_needs_the_same_tokens_makes_none_and_opens_no_source(tmp_path, making, monkeypatch):
    first = made(tmp_path, making())
    before = shards(tmp_path)

    def opened(*_args, **_kwargs):
        raise AssertionError("a source was opened")

    monkeypatch.setattr(token_mixture, "cycled", opened)
    ticks = []
    again = made(tmp_path, making(), tick=lambda *args: ticks.append(args))
    assert (again.key, again.made, ticks) == (first.key, 0, [])
    assert flat(again.training) == flat(first.training)
    shorter = made(tmp_path, making(), count=5, length=64)  # another length, the same tokens
    assert flat(shorter.training) == flat(first.training)[: 5 * 64]
    same_share = STATEMENTS.model_copy(update={"weight": 9.0})
    assert made(tmp_path, making([same_share])).made == 0
    assert shards(tmp_path) == before


@pytest.mark.slow
def test_what_changes_the_tokens_changes_the_folder(tmp_path, making, tokens, data_dir):
    base = making()
    text = PlainTextSource(source="plain_text")
    other = tokenizer.load(TokenizerSettings(entries=501), lambda: iter(["other"]), data_dir)
    variants = [
        base,
        making(inject=True),
        making(validation_tokens=100),
        replace(base, seed=8),
        replace(base, tokenizer=other),
        replace(base, form=TextForm(format="scratchpad")),
        making([STATEMENTS, text]),
        making([STATEMENTS, text.model_copy(update={"weight": 2.0})]),
        making([STATEMENTS, text.model_copy(update={"characters": 50})]),
    ]
    assert len({made(tmp_path, variant, count=1).key for variant in variants}) == len(variants)


def test_the_same_bytes_elsewhere_are_the_same_text(tmp_path, making):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("One line.\n" * 500)
    found = [
        made(tmp_path / "cache", making([PlainTextSource(source="plain_text", path=name)], data_dir=tmp_path))
        for name in ("a.txt", "b.txt")
    ]
    assert found[0].key == found[1].key
    assert found[1].made == 0


def test_who_needs_more_goes_on_where_the_last_one_stopped(tmp_path, making):
    sources = [STATEMENTS, PlainTextSource(source="plain_text")]
    made(tmp_path / "a", making(sources, validation_tokens=200), count=11)
    before = shards(tmp_path / "a")
    longer = made(tmp_path / "a", making(sources, validation_tokens=200), count=40)
    assert before.items() <= shards(tmp_path / "a").items()
    whole = made(tmp_path / "b", making(sources, validation_tokens=200), count=40, shard_tokens=10**9)
    assert flat(longer.training) == flat(whole.training)
    assert flat(longer.validation) == flat(whole.validation)
    assert len(shards(tmp_path / "b")) == 2


@pytest.mark.parametrize("killed_at", [50, 700, 1_500])
def test_a_killed_making_goes_on_at_its_last_whole_shard(tmp_path, making, monkeypatch, killed_at):
    source = web(tmp_path)
    asked = making([source], data_dir=tmp_path / "data", validation_tokens=100)

    def die(done, total):
        if done >= killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    pid = os.fork()
    if pid == 0:
        try:
            made(tmp_path / "cache", asked, count=100, tick=die)
        finally:
            os._exit(70)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    left = shards(tmp_path / "cache")
    assert len(left) == (0 if killed_at == 50 else 2 if killed_at == 700 else 5)

    drawn = 0
    if left:
        manifest = json.loads(next((tmp_path / "cache").rglob("manifest.json")).read_text())
        drawn = manifest["shards"][-1]["drawn"][0]
        assert drawn > 0
    skips = []
    original = mixture.SOURCES["fineweb_edu"]

    def watched(*args, **kwargs):
        skips.append(kwargs.get("skip", 0))
        return original(*args, **kwargs)

    monkeypatch.setitem(mixture.SOURCES, "fineweb_edu", watched)
    resumed = made(tmp_path / "cache", asked, count=100)
    assert left.items() <= shards(tmp_path / "cache").items()
    whole = made(tmp_path / "other", asked, count=100)
    assert flat(resumed.training) == flat(whole.training)
    assert flat(resumed.validation) == flat(whole.validation)
    assert skips[0] == drawn  # what lies in whole shards is not read again


def test_two_processes_make_it_once(tmp_path, making):
    asked = making([STATEMENTS, PlainTextSource(source="plain_text")])
    pids = []
    for number in range(3):
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                seen = []

                def tick(done, total, seen=seen):
                    seen.append(done)
                    time.sleep(0.002)

                found = made(tmp_path / "cache", asked, count=100, tick=tick)
                digest = hashlib.sha256(np.array(flat(found.training))).hexdigest()
                (tmp_path / f"{number}.json").write_text(json.dumps([found.made, digest, seen]))
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0, 0]
    results = [json.loads((tmp_path / f"{number}.json").read_text()) for number in range(3)]
    assert sorted(bool(count) for count, _, _ in results) == [False, False, True]
    assert len({digest for _, digest, _ in results}) == 1
    assert all(seen == sorted(seen) and max(seen) <= 3_200 for _, _, seen in results if seen)


def test_a_broken_shard_is_made_again(tmp_path, making):
    first = flat(made(tmp_path, making()).training)
    broken = list(shards(tmp_path))[2]
    broken.write_bytes(bytes(broken.stat().st_size))
    before = shards(tmp_path)
    again = made(tmp_path, making())
    assert flat(again.training) == first
    assert again.made > 0
    assert [shards(tmp_path)[file] == before[file] for file in before][:3] == [True, True, False]


def test_being_told_to_stop_leaves_whole_shards_only(tmp_path, making):
    def stop(done, total):
        if done >= 800:
            raise Stopped("terminated")

    with pytest.raises(Stopped):
        made(tmp_path, making(), tick=stop)
    assert len(shards(tmp_path)) == 2
    assert not list(tmp_path.rglob(".partial-*"))
    assert made(tmp_path, making()).made > 0


def test_no_training_text_is_a_validation_text(tmp_path, making, tokens):
    lines = [f"Line {i} says {i * 7919 % 1000}.\n" for i in range(60)]
    (tmp_path / "a.txt").write_text("".join(lines))
    source = PlainTextSource(source="plain_text", path="a.txt", characters=1)
    found = made(tmp_path / "cache", making([source], data_dir=tmp_path, validation_tokens=150), count=100)
    assert found.validation is not None
    validated = set(tokens.decode(flat(found.validation)).split(tokens.eos_token)[:-1])
    trained = tokens.decode(flat(found.training)).split(tokens.eos_token)[:-1]
    assert len(validated) >= 5
    assert not validated & set(trained)
    assert len(trained) > 2 * len(lines)  # the file came several times


def test_validation_that_leaves_nothing_or_holds_nothing_is_explained(tmp_path, making):
    (tmp_path / "a.txt").write_text("One.\nTwo.\n")
    source = PlainTextSource(source="plain_text", path="a.txt", characters=1)
    with pytest.raises(ValueError, match="take every text of the source plain_text; lower them"):
        made(tmp_path, making([source], data_dir=tmp_path, validation_tokens=10**6))
    with pytest.raises(ValueError, match="validation_tokens 3 hold no row of 64 tokens; raise them"):
        made(tmp_path, making(validation_tokens=3), length=64)


def test_conditions_hold_out_the_same_texts(tmp_path, making):
    for inject in (False, True):
        made(tmp_path, making(inject=inject, validation_tokens=2_000))
    held = [Path(file).read_bytes() for file in sorted(tmp_path.rglob("held_out.bin"))]
    assert len(held) == 2
    assert held[0] == held[1]
    assert len(held[0]) > 8 * 20


class Hub:
    """A hub data set of one split, streamed; it keeps where streams began and what commit was asked for."""

    def __init__(self, rows):
        self.rows, self.began, self.commits = rows, [], set()
        self.info = SimpleNamespace(splits={"train": SimpleNamespace(num_examples=len(rows))})

    def opened(self, settings):
        self.commits.add(settings.revision)
        return self

    def skip(self, start):
        self.began.append(start)
        return iter(self.rows[start:])


def test_a_stream_from_the_hub_is_of_one_commit_and_goes_on_at_its_block(
    tmp_path, making, tokens, data_dir, monkeypatch
):
    hub = Hub([{"text": f"Page {i} of the web."} for i in range(5_000)])
    monkeypatch.setattr(files, "_hub", hub.opened)
    commit = "a5b192f752f39f7847f432b95d2e64c1ff187163"
    known = {"version": 1, "sha256": "1", "revision": commit}
    source = FinewebEduSource(source="fineweb_edu", hub="someone/pages")
    asked = replace(making(), sources=[source], identities=[known])
    first = made(tmp_path, asked, count=1_000)
    manifest = json.loads(next(tmp_path.rglob("manifest.json")).read_text())
    drawn = manifest["shards"][-1]["drawn"][0]
    assert drawn > 1_000
    longer = made(tmp_path, asked, count=1_300)
    assert hub.began == [0, drawn // files.BLOCK * files.BLOCK]
    assert hub.commits == {commit}
    assert flat(longer.training)[: 1_000 * 32] == flat(first.training)
