"""What a benchmark's problems share in clusters, so that they are no independent draws (no torch).

A benchmark names one such variable at most; standard errors of differences are then taken over its clusters (Miller
2024, arXiv:2411.00640).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

_OPERANDS = re.compile(r"(\d+)([x×+])(\d+)")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+")


@dataclass(frozen=True)
class ClusterVariable:
    """A variable whose values are the clusters; `of` reads one from a problem's id or from its prompt."""

    name: str  # in the plural: operand pairs
    reads: Literal["id", "prompt"]
    of: Callable[[str], str | None]  # None: not such a problem's text


def operand_pair(problem_id: str) -> str | None:
    """The operation and its operands, in any order: '3×9' of `0007-9x3-marbles-hard3`."""
    found = _OPERANDS.search(problem_id)
    if found is None:
        return None
    sign = found[2].replace("x", "×")
    return sign.join(sorted((found[1], found[3]), key=int))


def story(prompt: str) -> str | None:
    """What is told before the last sentence, which asks, with # for each number; None where nothing is told."""
    told = _SENTENCE_END.split(prompt.removesuffix("\nAssistant:").strip())[:-1]
    return _NUMBER.sub("#", " ".join(told)).rstrip(".") or None


OPERAND_PAIRS = ClusterVariable("operand pairs", "id", operand_pair)
STORIES = ClusterVariable("stories", "prompt", story)
