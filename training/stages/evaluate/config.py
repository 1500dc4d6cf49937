"""Settings of an evaluation stage (no torch)."""

from typing import ClassVar, Literal

from pydantic import Field

from training.settings.shared import BenchmarkSettings, StageSettings


class EvaluateSettings(StageSettings):
    """Runs its benchmarks on its parent's checkpoint, or on the model's start_from."""

    kind: Literal["evaluate"]
    leaves_checkpoint: ClassVar[bool] = False
    several_processes: ClassVar[bool] = True
    benchmarks: list[BenchmarkSettings] | None = Field(..., min_length=1, description="The benchmarks to run")
