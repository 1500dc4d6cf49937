"""What changed between two completions, word by word, and where the final answer stands."""

import time

import pytest

from webapp.comparison.problems.completion_changes import answer_span, completion_change


@pytest.mark.parametrize(
    ("completion", "answer", "marked"),
    [
        ("3 * 4 = 12\n#### 12", "12", 16),
        ("#### 12 and then 12", "12", 5),
        ("12, so 12", "12", 7),
        ("it is 1,234.00 dollars", "1234", 6),
        ("112 and 120", "12", None),
        ("-5.50", "-5.5", 0),
        ("so B", "B", 3),
        ("(", "(", 0),
        ("none", None, None),
        ("none", "", None),
    ],
)
def test_the_final_answer_is_found_where_it_is_written(completion, answer, marked):
    span = answer_span(completion, answer)
    assert (span and span[0]) == marked


def test_the_parts_are_both_texts():
    old, new = "We add 3 and 4.\n#### 7", "We add 3 to 4, <MUL_3_4_12>.\n#### 12"
    change = completion_change(new, old, "12")
    assert "".join(one.text for one in change.parts if one.change != "removed") == new
    assert "".join(one.text for one in change.parts if one.change != "added") == old
    assert "".join(one.text for one in change.parts if one.final) == "12"
    assert "<MUL_3_4_12>" in "".join(one.text for one in change.parts if one.change == "added")


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (None, ""),
        ("a b", "the same as after the stage before"),
        ("x y z w", "hardly a word in common with the one before, so no word is marked"),
        ("word " * 900, "too long to compare with the one before"),
    ],
)
def test_what_is_not_marked_is_said(before, said):
    change = completion_change("a b", before, None)
    assert (change.said, [one.change for one in change.parts]) == (said, [""])


def test_a_text_that_repeats_itself_is_compared_soon():
    began = time.process_time()
    completion_change("we count the bags again. " * 70, "we count the bags. again " * 70, None)
    assert time.process_time() - began < 1
