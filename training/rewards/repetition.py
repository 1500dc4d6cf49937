"""Repetition: a phrase of three words that occurs three times or more costs."""

from typing import Literal

from training.settings.reward import Reward
from training.text.repetition import repeats


class RepetitionReward(Reward):
    """−0.3 when a phrase of three words occurs three times or more."""

    reward: Literal["repetition"]

    def score(self, completion: str, reference: str, *, mul_tokens: int) -> float:
        """Return -0.3 when some word trigram occurs three times or more, else 0."""
        return -0.3 if repeats(completion) else 0.0
