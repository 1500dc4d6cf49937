"""The scratchpad format: a completion opens with its working out between marks, and the answer stands behind (no torch).

The working out is learnt like any other text and can be graded by itself; the answer is read behind the marks only.
"""

import re
from dataclasses import dataclass

OPEN, CLOSE = "[[", "]]"

_WORKED = re.compile(r"(\s*)(\S.*?)\s*(\n####[^\n]*)\Z", re.DOTALL)
_COMPLETION = re.compile(  # at the very start: brackets within ordinary text are no scratchpad
    rf"\A\s*{re.escape(OPEN)}(?P<working>.*?)(?:(?P<close>{re.escape(CLOSE)})(?P<answer>.*))?\Z", re.DOTALL
)


@dataclass(frozen=True)
class Parts:
    """A completion taken apart."""

    working: str | None  # what stands between the marks; None: there is no scratchpad
    answer: str  # what is left; empty where the scratchpad was never closed


def wrapped(completion: str) -> str:
    """Put the working out before the last line `#### …` between marks; a completion without both stays as it is."""
    found = _WORKED.fullmatch(completion)
    if found is None or completion.lstrip().startswith(OPEN):
        return completion
    before, working, answer = found.groups()
    return f"{before}{OPEN} {working} {CLOSE}{answer}"


def parts(completion: str) -> Parts:
    """Take a completion apart; one without a scratchpad is all answer."""
    found = _COMPLETION.match(completion)
    if found is None:
        return Parts(None, completion)
    return Parts(found["working"].strip(), found["answer"] or "")
