"""Components of the GRPO reward: one module each, listed here; pure functions of a completion."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from training.rewards import (
    correct,
    partial_credit,
    repetition,
    short_response,
    shows_steps,
    uses_mul_tokens,
)


class RewardFunction(Protocol):
    """Scores one completion; the component's default size is in the value it returns."""

    def __call__(self, completion: str, reference: str, *, mul_tokens: int) -> float: ...


REWARDS: Mapping[str, RewardFunction] = {
    "correct": correct.score,
    "partial_credit": partial_credit.score,
    "shows_steps": shows_steps.score,
    "uses_mul_tokens": uses_mul_tokens.score,
    "short_response": short_response.score,
    "repetition": repetition.score,
}


def components(
    completion: str, reference: str, *, mul_tokens: int, rewards: Sequence[tuple[str, float]]
) -> dict[str, float]:
    """Return each component's contribution, weight applied; the reward is their sum.

    `rewards` holds (name, weight). A correct answer gets nothing else: the other components are then 0, those
    that cost included.
    """
    scores = {
        name: weight * REWARDS[name](completion, reference, mul_tokens=mul_tokens) for name, weight in rewards
    }
    if scores.get("correct", 0.0) > 0:
        return {name: score if name == "correct" else 0.0 for name, score in scores.items()}
    return scores


def total(contributions: Mapping[str, float]) -> float:
    """Return the reward: the sum of the contributions."""
    return sum(contributions.values())
