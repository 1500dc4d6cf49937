"""Answer extraction, comparison of numbers, and repetition."""

import re

import pytest

from training.data.sources.gsm8k import read
from training.text.answers import extract_answer, same_number
from training.text.repetition import repeats


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so 5\n#### 42", "42"),
        ("#### 42 and then 7", "42"),
        ("#### 1,234,567", "1234567"),
        ("#### $1,000.00", "1000"),
        ("#### 72.", "72"),
        ("#### -5", "-5"),
        ("#### −5", "-5"),
        ("#### $-5", "-5"),
        ("#### -$5", "-5"),
        ("#### +5", "5"),
        ("#### .5", "0.5"),
        ("#### 2.50", "2.5"),
        ("####7", "7"),
        ("The answer is 12. Then 3 more", "12"),
        ("the answer is: $12", "12"),
        ("THE ANSWER IS -3", "-3"),
        ("3 + 4 = 7", "7"),
        ("she has 10-3", "3"),
        ("it is 5 below: -5", "-5"),
        ("#### none, but 8", "8"),
        ("<MUL_6_9_54>", "54"),
        ("2 + <MUL_6_9_54>\n#### <MUL_7_8_56>", "56"),
        ("100.0", "100"),
        ("-0", "0"),
        ("no number", None),
        ("", None),
    ],
)
def test_the_final_number_is_found_and_normalised(text, answer):
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("42", "42.0", True),
        ("1,000", "1000", True),
        ("$5", "5", True),
        ("-5", "5", False),
        ("−5", "-5", True),
        ("5.", "5", True),
        ("0.1", "0.10", True),
        ("54", "54.5", False),
        (None, "5", False),
        (None, None, False),
        ("abc", "abc", False),
        ("nan", "nan", False),
        ("Infinity", "Infinity", False),
    ],
)
def test_numbers_are_compared_by_value(a, b, same):
    assert same_number(a, b) is same


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_grader_agrees_with_every_published_answer(data_dir, split):
    """The reference is the published evaluation code: `#### (-?[0-9.,]+)` without its commas."""
    problems = read(split, data_dir=data_dir)
    assert problems
    for _, text in problems:
        reference = re.search(r"#### (\-?[0-9\.\,]+)", text)[1].replace(",", "")
        assert same_number(extract_answer(text), reference), text
        assert float(extract_answer(text)) == float(reference)


def test_a_word_trigram_three_times_is_repetition():
    assert repeats("a b c a b c a b c")
    assert repeats("x x x x x")
    assert not repeats("x x x x")
    assert not repeats("a b c d a b c e a b")
    assert repeats("one two three, one two three, one two three,")
    assert not repeats("")
