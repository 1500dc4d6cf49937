"""Uses mul-tokens: the completion has at least one."""

from typing import Literal

from training.settings.reward import Reward


class UsesMulTokensReward(Reward):
    """0.2 when at least one mul-token was generated."""

    reward: Literal["uses_mul_tokens"]

    def score(self, completion: str, reference: str, *, mul_tokens: int) -> float:
        """Return 0.2 when at least one mul-token was generated (counted from token ids), else 0."""
        return 0.2 if mul_tokens > 0 else 0.0
