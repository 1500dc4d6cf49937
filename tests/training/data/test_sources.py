"""Sources in the published formats: columns, turns, equations, decompositions; what is missing is explained."""

import json
import re
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.data.test_files import draw
from training.data import encoding, skipped
from training.data.example import Example, Turn
from training.data.held_out import product_is_held_out
from training.data.sources import HUBS, SOURCES
from training.data.sources.decompositions import (
    DecompositionsSource,
    decompose,
    examples as decompositions,
    may_be_shown,
)
from training.data.sources.gsm8k import MARKS, Gsm8kSource, examples as gsm8k, read
from training.data.sources.svamp import SvampSource, examples as svamp
from training.data.sources.tulu import TuluSource, examples as tulu
from training.recipes import recipe
from training.recipes.availability import check_data
from training.recipes.recipe import RecipeError
from training.settings.shared import TokenizerSettings
from training.stages.sft.config import SftSettings
from training.text import mul_tokens, tokenizer

TULU = TuluSource(source="tulu")


def source(name, **settings):
    """A source's settings by its name."""
    data = [{"source": name, **settings}]
    return SftSettings(name="a", kind="sft", data=data, examples=1, optimizer={"learning_rate": 1}).data[0]


def say(*messages):
    """A row as the Tulu-3 mixture has it."""
    roles = {"s": "system", "u": "user", "a": "assistant"}
    turns = [{"role": roles[m[0]], "content": m[2:]} for m in messages]
    return {"id": "x", "messages": turns, "source": "ai2-adapt-dev/flan"}


@pytest.mark.parametrize("name", ["fineweb_edu", "open_web_math", "proof_pile"])
def test_running_text_comes_from_its_column(name, tmp_path):
    (tmp_path / name).mkdir()
    rows = [
        {"text": f"Text {i}: 3 × 4 = 12.", "url": "http://example.org", "meta": {"a": [i]}} for i in range(5)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / name / "train-00000-of-00001.parquet")
    found = draw([source(name)], 5, seed=0, data_dir=tmp_path, inject=True)
    assert sorted(e.completion for e in found) == [f"Text {i}: <MUL_3_4_12>." for i in range(5)]
    assert {e.prompt for e in found} == {""}


@pytest.mark.parametrize("name", sorted(HUBS))
def test_missing_files_are_explained_in_one_line(name, tmp_path):
    with pytest.raises(ValueError, match="set MULBERRY_DATA") as error:
        draw([source(name)], 1, seed=0, data_dir=tmp_path)
    assert f"hub to {HUBS[name]}" in str(error.value)
    assert "\n" not in str(error.value)


def write_tulu(folder, *rows):
    (folder / "tulu").mkdir()
    pq.write_table(pa.Table.from_pylist(list(rows)), folder / "tulu" / "0.parquet")


def test_conversations_keep_their_turns(tmp_path):
    write_tulu(
        tmp_path,
        say("u What is 3 × 4?", "a 3 × 4 = 12.", "u And 3 × 5?", "a 3 × 5 = 15."),
        say("s Be short.", "u Hello", "a Hi"),
        say("u One", "a Two", "u Nobody answers"),
        say("a I begin", "u no"),
        say("u twice", "u asked", "a once"),
    )
    skipped.taken()
    found = sorted(tulu(TULU, seed=0, data_dir=tmp_path), key=lambda e: e.text)
    assert [e.turns for e in found] == [
        (Turn("User: Be short.\n\nHello\nAssistant:", " Hi"),),
        (Turn("User: One\nAssistant:", " Two"),),
        (
            Turn("User: What is 3 × 4?\nAssistant:", " 3 × 4 = 12."),
            Turn("User: And 3 × 5?\nAssistant:", " 3 × 5 = 15."),
        ),
    ]
    assert skipped.taken()["tulu"] == {"kept": 3, "roles": 2}
    assert [t.completion for t in found[2].injected().turns] == [" <MUL_3_4_12>.", " <MUL_3_5_15>."]
    assert "What is 3 × 4?" in found[2].injected().text


def test_only_what_the_assistant_says_is_learnt_in_every_turn(data_dir):
    tokens = tokenizer.load(TokenizerSettings(entries=400), lambda: iter(["What is 7 × 8?"]), data_dir)
    example = Example("User: b\nAssistant:", " two", earlier=(Turn("User: a\nAssistant:", " one"),))
    ids, labels = encoding.encode(tokens, example)
    assert tokens.decode(ids) == "User: a\nAssistant: one<eos>User: b\nAssistant: two<eos>"
    assert tokens.decode([t for t in labels if t != encoding.IGNORED]) == " one<eos> two<eos>"
    assert all(label in (encoding.IGNORED, token) for token, label in zip(ids, labels, strict=True))
    columns = encoding.supervised(tokens, [example], count=1, max_length=96)
    assert columns == {"input_ids": [ids], "labels": [labels]}


def test_svamp_works_out_its_equations(data_dir):
    found = list(svamp(SvampSource(source="svamp"), seed=0, data_dir=data_dir))
    assert len(found) == len(json.loads((data_dir / "svamp" / "SVAMP.json").read_text(encoding="utf-8")))
    first = next(e for e in found if "Each pack of dvds costs 76 dollars." in e.prompt)
    assert first.prompt.endswith("on each pack. How much do you have to pay to buy each pack?\nAssistant:")
    assert (first.completion, first.answer) == (" 76 - 25 = 51\n#### 51", "51")
    worked = sum(e.completion.split("\n")[0].endswith(f"= {e.answer}") for e in found)
    assert worked > 0.98 * len(found)  # a few published answers are not what their equation gives


def test_svamp_is_not_trained_on_where_it_is_asked(data_dir):
    assert "svamp" in SOURCES
    stage = {"name": "sft", "kind": "sft", "data": [{"source": "svamp"}], "examples": 1}
    data = {
        "name": "a",
        "title": "a",
        "primary_metric": "svamp",
        "conditions": [{"name": "baseline"}],
        "benchmarks": [{"benchmark": "svamp"}],
        "stages": [{**stage, "optimizer": {"learning_rate": 1}}],
    }
    with pytest.raises(RecipeError, match="leave one of the two out"):
        check_data(recipe.build(data), data_dir)


def test_gsm8ks_shortest(data_dir):
    found = list(gsm8k(Gsm8kSource(source="gsm8k", shortest=500), seed=0, data_dir=data_dir))
    lengths = sorted(len(MARKS.sub("", answer)) for _, answer in read("train", data_dir=data_dir))
    assert len(found) == 500
    assert sorted(len(e.completion) - 1 for e in found) == lengths[:500]
    assert found != sorted(found, key=lambda e: len(e.completion))


def test_decompositions_as_published():
    assert decompose(12, 12) == [
        "2 × 2 = 4",
        "2 × 12 = 2 × (10 + 2) = 2 × 10 + 2 × 2 = 20 + 4 = 24",
        "12 × 12 = (10 + 2) × 12 = 10 × 12 + 2 × 12 = 120 + 24 = 144",
    ]
    assert decompose(30, 40) == ["3 × 4 = 12", "30 × 40 = 3 × 4 × 100 = 12 × 100 = 1200"]
    assert decompose(7, 8) == ["7 × 8 = 56"]


@pytest.mark.parametrize(
    ("a", "b"), [(12, 12), (34, 26), (345, 7), (9, 99), (120, 45), (808, 606), (99, 100)]
)
def test_every_product_is_split_down_to_single_digits(a, b):
    """Each product that stands in a line is right, single-digit, by a power of ten, or split in an earlier line."""
    known = set()
    for line in decompose(a, b):
        first, *_, result = line.split(" = ")
        for part in line.split(" = "):
            assert eval(part.replace("×", "*")) == int(result)
        for x, y in re.findall(r"(?<![× )\d])(\d+) × (\d+)(?! ×|\d)", line.partition(" = ")[2]):
            tens = re.fullmatch("10+", x) or re.fullmatch("10+", y)
            assert tens or f"{x} × {y}" in known or (len(x) == len(y) == 1)
        known.add(first)


@pytest.mark.parametrize("problems", ["generated", "gsm8k"])
def test_decompositions_end_with_the_answer_and_ask_no_benchmarks_products(problems, data_dir):
    settings = DecompositionsSource(source="decompositions", problems=problems)
    found = list(islice(decompositions(settings, seed=0, data_dir=data_dir), 640))
    assert len(found) > 150
    for example in found:
        assert example.completion.replace(",", "").endswith(f"#### {example.answer}")
        assert "<<" not in example.completion
    split = [line for e in found for line in e.completion.split("\n") if re.match(r" ?\d+ × .* = \(", line)]
    assert split
    for line in split:
        a, b = map(int, re.match(r" ?(\d+) × (\d+)", line).groups())
        assert may_be_shown(a, b)
        assert not product_is_held_out(a, b)
    injected = [e.injected().completion for e in found]
    assert sum(bool(mul_tokens.TOKEN.search(text)) for text in injected) > 0.75 * len(found)
