"""Settings of pre-training (no torch)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from training.data.sources import AnySource
from training.settings.shared import Learns, TrainingStageSettings
from training.settings.source import Source
from training.settings.work_estimate import Work


class PretrainSettings(TrainingStageSettings):
    """Packed sequences of one length; tokens = steps × batch_size × gradient_accumulation × length.

    Each source's weight is its share of the tokens.
    """

    kind: Literal["pretrain"]
    learns: ClassVar[Learns] = "text"
    same_speed: ClassVar[tuple[str, ...]] = ("precision", "length")
    utilisation: ClassVar[float] = 0.17  # 10 B tokens through 124M parameters in 3 hours on 4 × H200
    several_processes: ClassVar[bool] = True
    draws_by: ClassVar[tuple[str, ...]] = ("validation_tokens",)
    data: list[AnySource] = Field(..., min_length=1, description="Sources of text and their weights")
    steps: int = Field(..., ge=1, description="Optimizer steps")
    length: int = Field(..., ge=8, description="Tokens in a sequence; at most the model's context")
    validation_tokens: int = Field(
        0,
        ge=0,
        description="Tokens held out to measure the loss on; their texts are not trained on, wherever they come again",
    )
    validate_every: int = Field(
        100, ge=1, description="Steps between two validations, where tokens are held out"
    )
    compile: bool = Field(
        False, description="Compile the model (torch.compile): minutes at the start, faster steps on a GPU"
    )
    peak_flops: float | None = Field(
        None,
        gt=0,
        description="Peak FLOP/s of one device, for MFU; empty: by the device's name, and no MFU where it is not known",
    )

    def size(self) -> str:
        """Steps and tokens."""
        tokens = self.steps * self.batch_size * self.gradient_accumulation * self.length
        return f"{self.steps:,} steps, {tokens:,} tokens"

    def planned_steps(self) -> int:
        """The steps as set."""
        return self.steps

    def work(self) -> Work:
        """Every row is full, so the tokens are exact."""
        rows = self.steps * self.batch_size * self.gradient_accumulation
        return Work(steps=self.steps, learnt=rows * self.length, records=self.steps // self.log_every)

    def context_needed(self) -> dict[str, int]:
        """A sequence fills it."""
        return {"length": self.length}

    def mixtures(self) -> Mapping[str, Sequence[Source]]:
        """The one mixture."""
        return {"data": self.data}
