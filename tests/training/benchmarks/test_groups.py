"""Groups of problems, each with an accuracy of its own; SVAMP by type; HellaSwag's choices."""

import hashlib
import json
import math
import re
from collections import Counter
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import PreTrainedTokenizerFast

from training.architecture import model
from training.benchmarks import BENCHMARKS, Problem, one_step_splits
from training.data.held_out import is_unseen_pair, triple_is_held_out
from training.data.phrases import NOUNS
from training.data.sources import statements, word_problems
from training.data.sources.statements import StatementsSource
from training.data.sources.word_problems import PLAIN, WordProblemsSource
from training.sampling import likelihood
from training.settings.shared import ModelSettings, TokenizerSettings
from training.text import tokenizer
from training.text.answers import extract_answer, read_answer

SCENE = {
    "ind": 4,
    "activity_label": "Removing ice from car",
    "ctx_a": "A man writes over the snow.",
    "ctx_b": "then",
    "ctx": "A man writes over the snow. then",
    "endings": ["he eats.", "he scrapes the ice off.", "a cat sings.", "snow."],
    "label": "1",
    "source_id": "activitynet~v_-1IBHYS3L-Y",
    "split": "val",
}


SVAMP_TYPES = {"subtraction": 531, "addition": 195, "common_division": 166, "multiplication": 108}


def problems(name, count=None, data_dir=Path()):
    return BENCHMARKS[name].problems(count, data_dir=data_dir)


def test_each_group_is_new_in_exactly_one_thing():
    every = problems("one_step_splits")
    assert Counter(p.labels for p in every) == {(group,): 250 for group in one_step_splits.GROUPS}
    assert {p.labels for p in every[:4]} == {(group,) for group in one_step_splits.GROUPS}
    for problem in every:
        group, a, b, noun, which = re.fullmatch(r"\d+-(\w+)-(\d)x(\d)-([a-z]+)-(\d)", problem.id).groups()
        a, b = int(a), int(b)
        assert is_unseen_pair(a, b) == (group == "new_pair")
        assert (noun not in NOUNS) == (group == "new_noun")
        if group in ("new_triple", "new_template"):
            assert triple_is_held_out(a, b, noun) == (group == "new_triple")
        templates = one_step_splits.NEW_TEMPLATES if group == "new_template" else PLAIN
        pattern = re.sub(r"\\{\w+\\}", ".+", re.escape(templates[int(which)]))
        assert re.fullmatch(rf"User: {pattern}\nAssistant:", problem.prompt)
        assert int(problem.reference) == a * b


def test_training_never_asks_what_the_groups_ask():
    asked = {p.prompt for p in problems("one_step_splits")}
    mixed = WordProblemsSource(source="word_problems", phrasing="mixed")
    told = [e.prompt for e in islice(word_problems.examples(mixed, seed=0, data_dir=Path()), 5000)]
    assert not asked & set(told)
    texts = [
        e.text
        for e in islice(
            statements.examples(StatementsSource(source="statements"), seed=0, data_dir=Path()), 5000
        )
    ]
    words = set(re.findall(r"[a-z]+", " ".join(told + texts)))
    assert not words & set(one_step_splits.NEW_NOUNS)


def test_the_first_problems_are_what_they_were():
    """A change here makes new results incomparable with stored ones: then change the benchmark's name."""
    text = "\n".join(f"{p.id} {p.prompt} {p.reference}" for p in problems("one_step_splits"))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "5353580f6ca29956"


def test_other_benchmarks_tell_their_groups(data_dir):
    probes = Counter(p.labels for p in problems("arithmetic_probes"))
    assert probes == {("table",): 81, ("product",): 100, ("sum",): 100}
    one_step = Counter(label for p in problems("one_step_multiplication") for label in p.labels)
    assert one_step == {"plain_phrasing": 250, "hard_phrasing": 750, "new_pair": 100, "known_pair": 900}
    svamp = problems("svamp", data_dir=data_dir)
    assert {p.labels for p in svamp} == {(kind,) for kind in SVAMP_TYPES}
    assert (svamp[0].id, svamp[0].reference) == ("chal-1-subtraction", "51")
    assert len({p.id for p in svamp}) == len(svamp)
    assert all(extract_answer(p.reference) == p.reference for p in svamp)


def test_svamps_types_are_counted_as_published(whole_data):
    found = Counter(kind for p in problems("svamp", data_dir=whole_data) for kind in p.labels)
    assert found == SVAMP_TYPES


@pytest.fixture
def scenes(tmp_path):
    """HellaSwag as published: the hub's parquet with text labels, the training split beside it."""
    (tmp_path / "hellaswag" / "data").mkdir(parents=True)
    rows = [{**SCENE, "ind": i, "label": str(i % 4)} for i in range(6)]
    pq.write_table(
        pa.Table.from_pylist(rows), tmp_path / "hellaswag" / "data" / "validation-00000-of-00001.parquet"
    )
    (tmp_path / "hellaswag" / "data" / "train.jsonl").write_text("not looked at")
    return tmp_path


def test_hellaswag_reads_the_validation_set(scenes):
    found = problems("hellaswag", data_dir=scenes)
    assert [p.reference for p in found] == ["0", "1", "2", "3", "0", "1"]
    assert found[1].choices == (" he eats.", " he scrapes the ice off.", " a cat sings.", " snow.")
    assert (found[1].prompt, found[1].labels) == (SCENE["ctx"], ("activitynet",))
    assert problems("hellaswag", 2, scenes) == found[:2]
    grade = BENCHMARKS["hellaswag"].grade
    assert grade(found[1], " he scrapes the ice off.") == ("1", True, None)
    assert grade(found[1], " he eats.") == ("0", False, None)


def test_hellaswag_also_as_the_authors_have_it(tmp_path):
    (tmp_path / "hellaswag").mkdir()
    (tmp_path / "hellaswag" / "hellaswag_val.jsonl").write_text(json.dumps({**SCENE, "label": 1}) + "\n")
    assert problems("hellaswag", data_dir=tmp_path)[0].reference == "1"


def test_missing_hellaswag_is_explained(tmp_path):
    with pytest.raises(ValueError, match="set MULBERRY_DATA"):
        problems("hellaswag", data_dir=tmp_path)


@pytest.fixture(scope="module")
def tokens(data_dir: Path) -> PreTrainedTokenizerFast:
    return tokenizer.load(TokenizerSettings(entries=400), lambda: iter([SCENE["ctx"]]), data_dir)


@pytest.fixture(scope="module")
def network(tokens: PreTrainedTokenizerFast) -> torch.nn.Module:
    size = ModelSettings(n_layer=1, n_head=2, n_embd=16, n_positions=48, initial_std=0.3)
    return model.build(size, 400, eos_id=tokens.eos_token_id, pad_id=tokens.pad_token_id, seed=0).eval()


def by_hand(network, tokens, prompt, text, context):
    """The mean log-probability of a continuation's tokens, one sequence without padding."""
    before, after = tokens.encode(prompt), tokens.encode(text)
    ids = (before + after)[-context:]
    logprobs = network(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    scored = range(max(1, len(ids) - len(after)), len(ids))
    return math.fsum(logprobs[i - 1, ids[i]].item() for i in scored) / len(scored)


def test_the_likeliest_choice_per_token_is_taken(network, tokens):
    asked = [
        Problem("a", "A man writes.", "0", (" he eats.", " a much longer ending that goes on.", " x")),
        Problem("b", "S " * 40, "0", (" snow.", " ice and snow.", " " + "long " * 30)),
        Problem("c", "", "0", ("b", "a", "c")),
    ]
    found = {}
    for batch in likelihood.choices(network, tokens, asked, context=48, batch_size=6):
        assert len(batch) <= 2
        found |= batch
    for i, problem in enumerate(asked):
        prompt = problem.prompt or tokens.eos_token
        expected = [by_hand(network, tokens, prompt, text, 48) for text in problem.choices]
        assert found[i].logprobs == pytest.approx(expected, abs=1e-4)
        assert found[i].number == expected.index(max(expected))


def test_a_stage_is_evaluated_on_choices_and_records_groups_and_steps(stages, finished, scenes):
    stages.data_dir = scenes
    choice = {"benchmark": "hellaswag", "max_new_tokens": 4, "batch_size": 8}
    probes = {"benchmark": "arithmetic_probes", "problems": 5, "max_new_tokens": 4}
    stage = stages.make(
        "again",
        "again",
        parent=finished["sft"].checkpoints / "final",
        changes=[("stages.again.benchmarks", [choice, probes])],
    )
    assert stage.run() == 0, stage.journal.records("finished")
    first, second = stage.journal.records("evaluation")
    assert (first["settings"]["decoding"], first["settings"]["max_new_tokens"]) == ("choice", 0)
    assert second["settings"]["decoding"] == "greedy"
    rows = [row for record in stage.journal.records("outcomes") for row in record["rows"]]
    chosen, written = rows[:6], rows[6:]
    assert sorted(row["problem"] for row in chosen) == [f"val-{i:05d}" for i in range(6)]
    for row in chosen:
        assert row["completion"] == f" {SCENE['endings'][int(row['final_answer'])]}"
        assert row["correct"] == (row["final_answer"] == row["reference"])
        assert row["labels"] == ["activitynet"]
        assert row["tokens"] > 0
        assert "answer_rule" not in row
    assert len({row["final_answer"] for row in chosen}) == 1  # one scene, one choice
    assert sum(row["correct"] for row in chosen) in (1, 2)
    assert {row["labels"][0] for row in written} <= {"table", "product", "sum"}
    assert all(0 <= row["steps_right"] <= row["steps_written"] for row in written)
    assert all(row["answer_rule"] == read_answer(row["completion"]).rule for row in written)
