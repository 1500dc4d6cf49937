"""Short completion: fewer than 150 words."""

from typing import Literal

from training.settings.reward import Reward

LIMIT = 150


class ShortResponseReward(Reward):
    """0.1 for fewer than 150 words."""

    reward: Literal["short_response"]

    def score(self, completion: str, reference: str, *, mul_tokens: int) -> float:
        """Return 0.1 for fewer than 150 words (split at white space), else 0."""
        return 0.1 if len(completion.split()) < LIMIT else 0.0
