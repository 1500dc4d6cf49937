"""Settings of pre-training (no torch)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from training.data import AnySource
from training.settings import Source, TrainingStageSettings


class PretrainSettings(TrainingStageSettings):
    """Packed sequences of one length; tokens = steps × batch_size × gradient_accumulation × length."""

    kind: Literal["pretrain"]
    several_processes: ClassVar[bool] = True
    data: list[AnySource] = Field(..., min_length=1, description="Sources of text and their weights")
    steps: int = Field(..., ge=1, description="Optimizer steps")
    length: int = Field(..., ge=8, description="Tokens in a sequence; at most the model's context")

    def planned_steps(self) -> int:
        """The steps as set."""
        return self.steps

    def context_needed(self) -> dict[str, int]:
        """A sequence fills it."""
        return {"length": self.length}

    def mixtures(self) -> Mapping[str, Sequence[Source]]:
        """The one mixture."""
        return {"data": self.data}
