"""Settings of supervised fine-tuning (no torch)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from training.data.sources import AnySource
from training.settings.shared import Learns, TrainingStageSettings, epochs_text
from training.settings.source import Source, mean_tokens
from training.settings.work_estimate import Work


class SftSettings(TrainingStageSettings):
    """Loss on the completion and its end-of-text token only."""

    kind: Literal["sft"]
    learns: ClassVar[Learns] = "completions"
    same_speed: ClassVar[tuple[str, ...]] = ("precision",)
    several_processes: ClassVar[bool] = True
    leaves_out_long: ClassVar[bool] = True
    draws_by: ClassVar[tuple[str, ...]] = ("examples", "max_length")
    data: list[AnySource] = Field(..., min_length=1, description="Sources of examples and their weights")
    examples: int = Field(..., ge=1, description="Examples drawn from the sources by weight")
    epochs: int = Field(1, ge=1, description="Passes over the drawn examples")
    max_length: int = Field(
        128, ge=8, description="Longest prompt + completion in tokens; longer ones are left out"
    )

    def size(self) -> str:
        """Examples and epochs."""
        return f"{self.examples:,} examples, {epochs_text(self.epochs)}"

    def planned_steps(self) -> int:
        """Steps over all epochs; the last batch of an epoch may be short."""
        return self.epochs * -(-self.examples // (self.batch_size * self.gradient_accumulation))

    def work(self) -> Work:
        """Examples of their sources' average length, at most max_length."""
        tokens = min(sum(mean_tokens(self.data)), self.max_length)
        steps = self.planned_steps()
        return Work(
            steps=steps,
            learnt=round(self.examples * self.epochs * tokens),
            records=steps // self.log_every,
        )

    def assumptions(self) -> list[str]:
        """The length of an example."""
        tokens = min(sum(mean_tokens(self.data)), self.max_length)
        return [f"{self.name}: an example is taken to have {tokens:.0f} tokens on average"]

    def context_needed(self) -> dict[str, int]:
        """Prompt and completion stand in it."""
        return {"max_length": self.max_length}

    def mixtures(self) -> Mapping[str, Sequence[Source]]:
        """The one mixture."""
        return {"data": self.data}
