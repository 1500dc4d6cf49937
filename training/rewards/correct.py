"""Correct answer: 1 when the final number equals the reference."""

from typing import Literal

from training.settings.reward import Reward
from training.text.answers import extract_answer, same_number


class CorrectReward(Reward):
    """1 when the final number is right; then no other component counts."""

    reward: Literal["correct"]

    def score(self, completion: str, reference: str, *, mul_tokens: int) -> float:
        """Return 1.0 for the right final number, else 0."""
        return float(same_number(extract_answer(completion), reference))
