"""Repetition in a completion (no torch)."""

import re
from collections import Counter

TIMES = 3  # that a phrase of three words occurs in a text that repeats itself


def repeats(text: str) -> bool:
    """Whether some three words in a row occur three times or more; words are split at white space."""
    words = text.split()
    trigrams = Counter(zip(words, words[1:], words[2:], strict=False))
    return max(trigrams.values(), default=0) >= TIMES


def repeated_spans(text: str) -> list[tuple[int, int]]:
    """Where the phrases stand that make a text repeat itself: [start, end) in characters; neighbours are one."""
    words = list(re.finditer(r"\S+", text))
    phrases = [tuple(word.group() for word in words[i : i + 3]) for i in range(len(words) - 2)]
    counts = Counter(phrases)
    spans: list[tuple[int, int]] = []  # first and last word
    for first, phrase in enumerate(phrases):
        if counts[phrase] < TIMES:
            continue
        if spans and first <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], first + 2)
        else:
            spans.append((first, first + 2))
    return [(words[first].start(), words[last].end()) for first, last in spans]
