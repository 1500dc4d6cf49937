"""Rewards of completions, as TRL asks for them."""

from collections.abc import Callable, Sequence
from typing import Any

from training.process import ranks
from training.rewards import OWN, REWARDS, components, total
from training.rewards.tally import RewardTally
from training.stages.grpo.config import GrpoSettings
from training.text import mul_tokens


class Grader:
    """The reward function that TRL calls; keeps each rollout's components for the record."""

    def __init__(
        self, settings: GrpoSettings, first_mul_token: int, warn: Callable[[str], None] = print
    ) -> None:
        self.rewards = settings.rewards
        self.first_mul_token = first_mul_token
        self.warn = warn
        self.tally = RewardTally(may_fail=REWARDS.keys() - OWN.keys())
        self._told: set[str] = set()  # components whose failures were
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
        self.tally = RewardTally(self.tally.may_fail)
        self.components = [
            components(text, right, mul_tokens=self.count(ids), rewards=self.rewards, tally=self.tally)
            for text, ids, right in zip(completions, completion_ids, reference, strict=True)
        ]
        return [total(parts) for parts in self.components]

    def metrics(self) -> dict[str, float]:
        """Of the last batch: seconds of each component, the mean of the processes; of plug-ins the share of rollouts without a score.

        All processes ask at the same point. Raises ValueError where a plug-in scored none of the batch.
        """
        names = [one.reward for one in self.rewards]
        failing = [name for name in names if name in self.tally.may_fail]
        counted = ranks.total(
            len(self.texts),
            *(self.tally.seconds[name] for name in names),
            *(self.tally.failures[name] for name in failing),
        )
        rows, seconds, failures = counted[0], counted[1 : 1 + len(names)], counted[1 + len(names) :]
        for name, failed in zip(failing, failures, strict=True):
            self._tell(name, failed, rows)
        return {
            **{f"reward_time/{name}": of / ranks.count() for name, of in zip(names, seconds, strict=True)},
            **{f"reward_errors/{name}": of / rows for name, of in zip(failing, failures, strict=True)},
        }

    def _tell(self, name: str, failed: float, rows: float) -> None:
        last = self.tally.last.get(name, "in another process")
        if failed == rows:
            raise ValueError(f"reward {name!r} scored none of {rows:.0f} rollouts ({last}); fix its score()")
        if failed and name not in self._told:
            self._told.add(name)
            self.warn(
                f"reward {name!r} failed on {failed:.0f} of {rows:.0f} rollouts, which it pays nothing: {last}"
            )

    def count(self, ids: Sequence[int]) -> int:
        """Mul-tokens among generated ids."""
        return mul_tokens.count(ids, self.first_mul_token)
