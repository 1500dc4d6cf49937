"""Repetition in a response (no torch)."""

from collections import Counter


def repeats(text: str) -> bool:
    """Whether some three words in a row occur three times or more; words are split at white space."""
    words = text.split()
    trigrams = Counter(zip(words, words[1:], words[2:], strict=False))
    return max(trigrams.values(), default=0) >= 3
