"""Settings of rejection sampling (no torch)."""

from typing import Literal

from pydantic import Field

from training.settings.work_estimate import Work
from training.teacher.config import SolutionSettings


class RejectionSamplingSettings(SolutionSettings):
    """The model answers each problem `samples` times; up to `keep` right and different answers are learnt."""

    kind: Literal["rejection_sampling"]
    rounds: int = Field(
        1,
        ge=1,
        description="Times to sample and learn; each round samples from what the one before has learnt",
    )

    def planned_steps(self) -> int:
        """The most there can be, over all rounds."""
        return self.rounds * self.most_steps()

    def work(self) -> Work:
        """As much in every round."""
        return self.work_of(rounds=self.rounds, generates=True)

    def context_needed(self) -> dict[str, int]:
        """A completion and at least one token of its prompt stand in it too."""
        return {**super().context_needed(), "max_new_tokens": self.max_new_tokens + 1}
