"""Rewards of completions, as TRL asks for them."""

from collections.abc import Sequence
from typing import Any

from training.rewards import components, total
from training.stages.grpo.config import GrpoSettings
from training.text import mul_tokens


class Grader:
    """The reward function that TRL calls; keeps each rollout's components for the record."""

    def __init__(self, settings: GrpoSettings, first_mul_token: int) -> None:
        self.rewards = settings.rewards
        self.first_mul_token = first_mul_token
        self.components: list[dict[str, float]] = []
        self.texts: list[str] = []
        self.ids: list[list[int]] = []

    def __call__(
        self,
        *,
        completions: list[str],
        completion_ids: list[list[int]],
        reference: list[str],
        **_: Any,
    ) -> list[float]:
        """The reward of each completion: the sum of its components."""
        self.texts, self.ids = completions, completion_ids
        self.components = [
            components(text, right, mul_tokens=self.count(ids), rewards=self.rewards)
            for text, ids, right in zip(completions, completion_ids, reference, strict=True)
        ]
        return [total(parts) for parts in self.components]

    def count(self, ids: Sequence[int]) -> int:
        """Mul-tokens among generated ids."""
        return mul_tokens.count(ids, self.first_mul_token)
