"""Shows steps: the completion has an equation or the answer's mark."""

from typing import Literal

from training.settings.reward import Reward


class ShowsStepsReward(Reward):
    """0.1 when the completion has = or ####."""

    reward: Literal["shows_steps"]

    def score(self, completion: str, reference: str, *, mul_tokens: int) -> float:
        """Return 0.1 when the completion has `=` or `####`, else 0."""
        return 0.1 if "=" in completion or "####" in completion else 0.0
