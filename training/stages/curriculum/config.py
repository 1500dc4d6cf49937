"""Settings of a curriculum (no torch)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from training.data.sources import AnySource
from training.settings.base import Settings
from training.settings.shared import Learns, TrainingStageSettings, epochs_text
from training.settings.source import Source, mean_tokens
from training.settings.work_estimate import Work


class CurriculumStep(Settings):
    """One step of the curriculum."""

    name: str = Field(..., pattern=r"^[a-z][a-z0-9_]*$", description="Unique in the stage")
    data: list[AnySource] = Field(..., min_length=1, description="Sources of examples and their weights")
    examples: int = Field(..., ge=1, description="Examples drawn from the sources by weight")
    epochs: int = Field(1, ge=1, description="Passes over the drawn examples")
    learning_rate: float = Field(
        ..., gt=0, le=1, description="Peak rate of this step; replaces the optimizer's"
    )


class CurriculumSettings(TrainingStageSettings):
    """Steps follow each other with the same model; each has a schedule of its own."""

    kind: Literal["curriculum"]
    learns: ClassVar[Learns] = "completions"
    same_speed: ClassVar[tuple[str, ...]] = ("precision",)
    several_processes: ClassVar[bool] = True
    leaves_out_long: ClassVar[bool] = True
    draws_by: ClassVar[tuple[str, ...]] = ("max_length",)
    steps: list[CurriculumStep] = Field(..., min_length=1, description="The steps, in order")
    max_length: int = Field(
        128, ge=8, description="Longest prompt + completion in tokens; longer ones are left out"
    )

    @field_validator("steps")
    @classmethod
    def _names_differ(cls, steps: list[CurriculumStep]) -> list[CurriculumStep]:
        names = [step.name for step in steps]
        if len(set(names)) < len(names):
            raise ValueError("two steps have the same name; rename one")
        return steps

    def size(self) -> str:
        """Examples and epochs of each step."""
        return "; ".join(
            f"{step.name} {step.examples:,} examples, {epochs_text(step.epochs)}" for step in self.steps
        )

    def peak_rates(self) -> Mapping[str, float]:
        """Each step's own, which replaces the optimizer's."""
        return {step.name: step.learning_rate for step in self.steps}

    def planned_steps(self) -> int:
        """Optimizer steps over all steps of the curriculum."""
        per_step = self.batch_size * self.gradient_accumulation
        return sum(step.epochs * -(-step.examples // per_step) for step in self.steps)

    def work(self) -> Work:
        """Examples of their sources' average length, at most max_length."""
        learnt = sum(step.examples * step.epochs * self._tokens(step) for step in self.steps)
        steps = self.planned_steps()
        return Work(steps=steps, learnt=round(learnt), records=steps // self.log_every)

    def assumptions(self) -> list[str]:
        """The length of an example in each step."""
        tokens = ", ".join(f"{self._tokens(step):.0f} in {step.name}" for step in self.steps)
        return [f"{self.name}: tokens of an example on average: {tokens}"]

    def _tokens(self, step: CurriculumStep) -> float:
        return min(sum(mean_tokens(step.data)), self.max_length)

    def context_needed(self) -> dict[str, int]:
        """Prompt and completion stand in it."""
        return {"max_length": self.max_length}

    def drawing(self) -> dict[str, Any]:
        """Each step's sources and examples, whatever it is learnt with."""
        steps = [step.model_dump(mode="json", include={"name", "data", "examples"}) for step in self.steps]
        return {**super().drawing(), "steps": steps}

    def mixtures(self) -> Mapping[str, Sequence[Source]]:
        """One for each step."""
        return {f"steps.{step.name}.data": step.data for step in self.steps}
