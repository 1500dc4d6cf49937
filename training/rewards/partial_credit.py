"""Partial credit: a wrong answer that is near."""

from fractions import Fraction
from typing import Literal

from training.settings.reward import Reward
from training.text.answers import extract_answer, value


class PartialCreditReward(Reward):
    """0.3 when the final number is wrong, but within 1 or within 10 %."""

    reward: Literal["partial_credit"]

    def score(self, completion: str, reference: str, *, mul_tokens: int) -> float:
        """Return 0.3 for a wrong final number within 1 or within 10 % of the reference, else 0."""
        given, right = value(extract_answer(completion)), value(reference)
        if given is None or right is None or given == right:
            return 0.0
        return 0.3 if abs(given - right) <= max(Fraction(1), abs(right) / 10) else 0.0
