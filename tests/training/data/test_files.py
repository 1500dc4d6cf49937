"""Sources that read files, and mixtures of all sources."""

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from training.data.mixture import stream, texts
from training.data.sources.drills import DrillsSource
from training.data.sources.gsm8k import Gsm8kSource, examples as gsm8k_examples, read
from training.data.sources.instructions import InstructionsSource
from training.data.sources.plain_text import PlainTextSource, examples as plain_text_examples
from training.data.sources.word_problems import WordProblemsSource
from training.text.mul_tokens import TOKEN, inject


def draw(sources, count, *, seed, data_dir, inject=False):
    drawn = islice(stream(sources, seed=seed, data_dir=data_dir), count)
    return [example.injected() if inject else example for example in drawn]


def test_gsm8k_yields_every_training_problem_once(data_dir):
    found = list(gsm8k_examples(Gsm8kSource(source="gsm8k"), seed=0, data_dir=data_dir))
    published = read("train", data_dir=data_dir)
    assert sorted(e.prompt for e in found) == sorted(f"User: {q}\nAssistant:" for q, _ in published)
    assert not any("<<" in e.completion for e in found)
    assert all(f"#### {e.answer}" in e.completion.replace(",", "") for e in found)
    assert [e.prompt for e in found[:20]] != [f"User: {q}\nAssistant:" for q, _ in published[:20]]


def test_the_published_training_set_is_whole(whole_data):
    assert len(read("train", data_dir=whole_data)) == 7473


def test_gsm8k_keeps_calculator_marks_when_told(data_dir):
    source = Gsm8kSource(source="gsm8k", calculator_marks="keep")
    found = {e.completion for e in gsm8k_examples(source, seed=0, data_dir=data_dir)}
    assert found == {f" {answer}" for _, answer in read("train", data_dir=data_dir)}


def test_gsm8k_leaves_long_answers_out(data_dir):
    source = Gsm8kSource(source="gsm8k", longest_answer=100)
    found = list(gsm8k_examples(source, seed=0, data_dir=data_dir))
    assert 0 < len(found) < len(read("train", data_dir=data_dir))
    assert max(len(e.completion) for e in found) <= 101


def test_a_missing_file_is_explained_in_one_line(tmp_path):
    sources = [(Gsm8kSource(source="gsm8k"), "hub"), (PlainTextSource(source="plain_text"), "path")]
    for source, way_out in sources:
        with pytest.raises(ValueError, match="set MULBERRY_DATA") as error:
            draw([source], 1, seed=0, data_dir=tmp_path)
        assert way_out in str(error.value)
        assert "\n" not in str(error.value)


def test_plain_text_yields_the_whole_file_once(tmp_path):
    lines = [f"Line {i}: 3 × 4 is said here.\n" for i in range(100)]
    (tmp_path / "a.txt").write_text("".join(lines), encoding="utf-8")
    source = PlainTextSource(source="plain_text", path="a.txt", characters=90)
    found = list(plain_text_examples(source, seed=0, data_dir=tmp_path))
    assert sorted("".join(e.completion for e in found).splitlines(keepends=True)) == sorted(lines)
    assert {e.prompt for e in found} == {""}
    assert all(len(e.completion) >= 90 for e in found[:-1] if not e.completion.endswith(lines[-1]))


def test_a_mixture_follows_its_weights_and_its_seed():
    sources = [
        DrillsSource(source="drills", weight=80),
        InstructionsSource(source="instructions", weight=20),
    ]
    found = draw(sources, 4000, seed=0, data_dir=Path())
    drills = sum(e.operands_stay for e in found)
    assert abs(drills / 4000 - 0.8) < 0.03
    assert found == draw(sources, 4000, seed=0, data_dir=Path())
    assert found != draw(sources, 4000, seed=1, data_dir=Path())
    assert found[:100] == draw(sources, 100, seed=0, data_dir=Path())


def test_two_entries_of_one_source_yield_different_examples():
    source = WordProblemsSource(source="word_problems")
    found = draw([source, source], 200, seed=0, data_dir=Path())
    assert max(Counter(e.prompt for e in found).values()) == 1


def test_a_finite_source_starts_again_in_a_new_order(tmp_path):
    (tmp_path / "a.txt").write_text("".join(f"line {i}\n" for i in range(50)), encoding="utf-8")
    source = PlainTextSource(source="plain_text", path="a.txt", characters=1)
    found = [e.completion for e in draw([source], 100, seed=0, data_dir=tmp_path)]
    assert sorted(found[:50]) == sorted(found[50:]) == sorted(f"line {i}\n" for i in range(50))
    assert found[:50] != found[50:]


def test_an_empty_source_is_an_error_and_no_endless_loop(tmp_path):
    (tmp_path / "a.txt").write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match="has no example"):
        draw([PlainTextSource(source="plain_text", path="a.txt")], 1, seed=0, data_dir=tmp_path)


def test_injection_changes_completions_only_and_nothing_about_what_is_drawn():
    sources = [DrillsSource(source="drills"), WordProblemsSource(source="word_problems")]
    plain = draw(sources, 500, seed=0, data_dir=Path())
    injected = draw(sources, 500, seed=0, data_dir=Path(), inject=True)
    assert [e.prompt for e in plain] == [e.prompt for e in injected]
    assert [e.answer for e in plain] == [e.answer for e in injected]
    for before, after in zip(plain, injected, strict=True):
        assert after.completion == inject(before.completion, operands_stay=before.operands_stay)
    assert sum(bool(TOKEN.search(e.completion)) for e in injected) > 250
    assert not any(TOKEN.search(text) for text in texts(sources, 500, seed=0, data_dir=Path()))


def test_a_corpus_is_the_text_of_the_examples():
    sources = [InstructionsSource(source="instructions")]
    examples = islice(stream(sources, seed=5, data_dir=Path()), 20)
    assert list(texts(sources, 20, seed=5, data_dir=Path())) == [e.prompt + e.completion for e in examples]
