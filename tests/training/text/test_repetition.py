"""Where a text repeats itself, and that the two functions agree about whether."""

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from training.text.repetition import repeated_spans, repeats


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("", []),
        ("a b c a b c", []),
        ("a b c x a b c y a b c", ["a b c", "a b c", "a b c"]),
        ("so a b c a b c a b c end", ["a b c a b c a b c"]),
        ("a  b\nc - a b c - a b c", ["a  b\nc", "a b c", "a b c"]),
    ],
)
def test_the_repeated_phrases_are_marked(text: str, phrases: list[str]) -> None:
    assert [text[start:end] for start, end in repeated_spans(text)] == phrases


@given(st.lists(st.sampled_from("ab"), max_size=30))
def test_there_are_spans_exactly_where_a_text_repeats(words: list[str]) -> None:
    text = " ".join(words)
    spans = repeated_spans(text)
    assert bool(spans) == repeats(text)
    assert all(start < end for start, end in spans)
    assert all(end < start for (_, end), (start, _) in pairwise(spans))
