"""What problems of a benchmark share: told in one place, from ids or prompts that outcomes keep."""

import os
from collections import Counter
from pathlib import Path

import pytest

from training.benchmarks import BENCHMARKS
from training.benchmarks.clusters import operand_pair, story

DATA = Path(os.environ.get("MULBERRY_DATA", "tests/data"))


def clusters(name: str, count: int | None = None) -> Counter[str]:
    variable = BENCHMARKS[name].clusters
    assert variable is not None
    found = [
        variable.of(getattr(one, variable.reads)) for one in BENCHMARKS[name].problems(count, data_dir=DATA)
    ]
    assert None not in found
    return Counter(map(str, found))


@pytest.mark.parametrize("name", ["one_step_multiplication", "one_step_splits"])
def test_the_generated_problems_share_operand_pairs(name: str) -> None:
    assert len(clusters(name, 150)) == 34
    every = clusters(name)
    assert len(every) == 36 and sum(every.values()) == 1000
    assert "3×9" in every and "9×3" not in every


def test_operands_count_in_any_order_and_operations_apart() -> None:
    assert operand_pair("0007-9x3-marbles-hard3") == operand_pair("table-3×9") == "3×9"
    assert operand_pair("0012-new_template-12x6-apples-3") == "6×12"
    assert operand_pair("sum-20+8") == "8+20"
    assert operand_pair("test-0007") is None
    assert clusters("arithmetic_probes")["2×3"] == 2


def test_svamp_varies_stories_by_their_numbers_and_their_question() -> None:
    told = "User: Paco had 26 cookies and 1,017.5 sweets. He ate 14 cookies. "
    first = story(f"{told}How many cookies did Paco have left?\nAssistant:")
    assert first == "User: Paco had # cookies and # sweets. He ate # cookies"
    assert story(told.replace("26", "3") + "How many sweets were there?\nAssistant:") == first
    assert story("User: What is 6 × 9?\nAssistant:") is None
    found = clusters("svamp")
    if sum(found.values()) == 1000:  # the whole file
        assert len(found) == 655


def test_a_benchmark_whose_problems_share_nothing_names_nothing() -> None:
    assert BENCHMARKS["gsm8k"].clusters is None
