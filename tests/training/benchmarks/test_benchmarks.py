"""Benchmarks: stable problems, and a grader that reads completions."""

import hashlib
import re
from pathlib import Path

import pytest

from training.benchmarks import BENCHMARKS, Problem
from training.benchmarks.final_number import GRADER
from training.data.held_out import is_unseen_pair, triple_is_held_out
from training.data.sources.gsm8k import read
from training.text.answers import extract_answer


def problems(name, count=None, data_dir=Path()):
    return BENCHMARKS[name].problems(count, data_dir=data_dir)


@pytest.mark.parametrize("name", ["one_step_multiplication", "one_step_splits", "arithmetic_probes"])
def test_problems_are_stable_and_different(name):
    every = problems(name)
    assert every == problems(name)
    assert every[:150] == problems(name, 150)
    assert len({p.id for p in every}) == len({p.prompt for p in every}) == len(every)
    for problem in every:
        assert problem.prompt.startswith("User: ")
        assert problem.prompt.endswith("\nAssistant:")


def test_the_first_problems_are_what_they_were():
    """A change here makes new results incomparable with stored ones: then change the benchmark's name."""
    text = "\n".join(f"{p.id} {p.prompt} {p.reference}" for p in problems("one_step_multiplication"))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "d5ce29f44b98c525"


@pytest.mark.parametrize("count", [150, 600, 1000])
def test_one_step_multiplication_is_held_out_and_mostly_hard(count):
    found = problems("one_step_multiplication", count)
    assert len(found) == count
    assert sum("-hard" in p.id for p in found) == pytest.approx(0.75 * count, abs=1)
    assert sum(p.id.endswith("-unseen") for p in found) == count // 10
    for problem in found:
        a, b, noun, unseen = re.fullmatch(
            r"\d+-(\d)x(\d)-([a-z]+)-(?:plain|hard)\d+(-unseen)?", problem.id
        ).groups()
        assert triple_is_held_out(int(a), int(b), noun)
        assert is_unseen_pair(int(a), int(b)) == bool(unseen)
        assert int(problem.reference) == int(a) * int(b)
        assert noun in problem.prompt
        assert re.search(rf"\b{a}\b", problem.prompt)
        assert re.search(rf"\b{b}\b", problem.prompt)


def test_more_problems_than_there_are_gives_all():
    assert len(problems("one_step_multiplication", 5000)) == 1000
    assert len(problems("arithmetic_probes", 5000)) == 281


def test_arithmetic_probes_cover_the_table_and_ask_right_questions():
    found = problems("arithmetic_probes")
    kinds = [p.id.partition("-")[0] for p in found]
    assert (kinds.count("table"), kinds.count("product"), kinds.count("sum")) == (81, 100, 100)
    assert len(set(kinds[:30])) == 3
    for problem in found:
        task = re.fullmatch(r"User: What is (.*)\?\nAssistant:", problem.prompt)[1]
        assert eval(task.replace("×", "*")) == int(problem.reference)


def test_gsm8k_asks_the_published_test_set(data_dir):
    found = problems("gsm8k", data_dir=data_dir)
    published = read("test", data_dir=data_dir)
    assert [p.prompt for p in found] == [f"User: {question}\nAssistant:" for question, _ in published]
    for problem, (_, answer) in zip(found, published, strict=True):
        assert float(problem.reference) == float(answer.rpartition("#### ")[2].replace(",", ""))
        assert BENCHMARKS["gsm8k"].grade(problem, answer) == (extract_answer(answer), True, "mark")
    assert problems("gsm8k", 50, data_dir) == found[:50]


def test_gsm8k_without_files_is_explained(tmp_path):
    with pytest.raises(ValueError, match=r"set MULBERRY_DATA to the folder that holds gsm8k/test.jsonl"):
        problems("gsm8k", 1, tmp_path)


@pytest.mark.parametrize(
    ("completion", "graded"),
    [
        (" 7 × 8 = 56\n#### 56", ("56", True, "mark")),
        (" <MUL_7_8_56>\n#### 56", ("56", True, "mark")),
        (" <MUL_7_8_56>", ("56", True, "last_number")),
        (" 7 × 8 = 56\n#### 57", ("57", False, "mark")),
        ("", (None, False, "none")),
    ],
)
def test_completions_are_graded_by_their_final_number(completion, graded):
    problem = Problem("x", "User: ?\nAssistant:", "56")
    for benchmark in BENCHMARKS.values():
        if benchmark.kind == "choice" or benchmark.grader != GRADER:  # another way to answer, or to grade
            continue
        assert benchmark.grade(problem, completion) == graded
        assert re.fullmatch(r"\w+/\d+", benchmark.grader)
        assert benchmark.prompt_format.format(question="?") == problem.prompt
