"""Patterns of right and wrong over the stages: each way has exactly one."""

from itertools import product

import pytest

from webapp.comparison.problems.paths_through_stages import PATTERNS, pattern, words


@pytest.mark.parametrize(
    ("marks", "name"),
    [
        ("000", "never"),
        ("111", "always"),
        ("0011", "kept"),
        ("0110", "gained_lost"),
        ("0101", "regained"),
        ("1011", "regained"),
        ("1100", "lost"),
        ("1010", "lost"),
        ("-0-1", "kept"),
        ("--", ""),
        ("", ""),
    ],
)
def test_a_way_has_its_pattern(marks, name):
    assert pattern([{"0": False, "1": True, "-": None}[mark] for mark in marks]) == name


def test_every_way_has_one_that_its_ends_allow():
    for marks in product([False, True], repeat=5):
        found = pattern(marks)
        assert found in PATTERNS
        assert (found in ("always", "kept", "regained")) == marks[-1]
        assert (found in ("never", "kept", "gained_lost")) <= (not marks[0])


def test_the_words_name_what_is_counted():
    assert words("solved")["never"] == "never solved"
    assert words("repeating")["lost"] == "repeating at first, then lost"
