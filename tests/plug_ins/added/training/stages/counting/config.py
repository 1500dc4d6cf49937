"""Settings of counting (no torch)."""

from typing import ClassVar, Literal

from pydantic import Field

from training.settings.shared import StageSettings


class CountingSettings(StageSettings):
    """Counts from 1, and records each number."""

    kind: Literal["counting"]
    leaves_checkpoint: ClassVar[bool] = False
    records_rollouts: ClassVar[bool] = True
    numbers: int = Field(3, ge=1, description="Numbers to count")

    def size(self) -> str:
        """How far it counts."""
        return f"{self.numbers} numbers"
