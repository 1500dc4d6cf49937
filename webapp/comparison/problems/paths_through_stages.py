"""The way of a problem through the stages: right or wrong after each, and the pattern that this makes."""

import itertools
from collections.abc import Sequence

PATTERNS = {
    "never": ("never {solved}", "not after any stage"),
    "always": ("always {solved}", "after every stage"),
    "kept": ("gained and kept", "not at first, but from some stage on"),
    "gained_lost": ("gained, then lost", "not at first, after some stage, but not in the end"),
    "lost": ("{solved} at first, then lost", "after the first stage, but not in the end"),
    "regained": ("lost on the way, regained", "after some stage, not after a later one, but in the end"),
}  # each problem that was asked after a stage has exactly one: its words and what they mean


def words(solved: str) -> dict[str, str]:
    """The words of each pattern for what is counted: 'solved', or 'repeating'."""
    return {name: text.format(solved=solved) for name, (text, _) in PATTERNS.items()}


def pattern(marks: Sequence[bool | None]) -> str:
    """The one of PATTERNS that these marks make, in the order of the stages; '' when none of them is known."""
    known = [mark for mark in marks if mark is not None]
    if not known:
        return ""
    if not any(known):
        return "never"
    if all(known):
        return "always"
    if known[-1]:
        fell = any(before and not after for before, after in itertools.pairwise(known))
        return "regained" if fell else "kept"
    return "lost" if known[0] else "gained_lost"
