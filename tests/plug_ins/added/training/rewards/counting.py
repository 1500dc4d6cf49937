"""Counting: the share of numbers that follow the one before them."""

import re
from itertools import pairwise
from typing import Literal

from training.settings.reward import Reward


class CountingReward(Reward):
    """Share of the numbers in a completion that are one more than the number before."""

    reward: Literal["counting"]

    def score(self, completion: str, reference: str, *, mul_tokens: int) -> float:
        """Return 0.0 for a completion with fewer than two numbers."""
        pairs = list(pairwise(map(int, re.findall(r"\d+", completion))))
        return sum(after == before + 1 for before, after in pairs) / len(pairs) if pairs else 0.0
