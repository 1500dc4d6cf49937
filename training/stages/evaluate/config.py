"""Settings of an evaluation stage (no torch)."""

from typing import Literal

from pydantic import Field

from training.settings import BenchmarkSettings, StageSettings


class EvaluateSettings(StageSettings):
    """Runs its benchmarks on its parent's checkpoint, or on the model's start_from."""

    kind: Literal["evaluate"]
    benchmarks: list[BenchmarkSettings] | None = Field(..., min_length=1, description="The benchmarks to run")
