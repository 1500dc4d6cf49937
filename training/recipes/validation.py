"""Which benchmark's validation split a stage is evaluated on while it trains (no torch)."""

from collections.abc import Sequence

from training.benchmarks import BENCHMARKS, Benchmark
from training.did_you_mean import nearest
from training.settings.errors import error_at
from training.settings.shared import BenchmarkSettings, StageSettings, TrainingStageSettings

SPLITS = {name: benchmark for name, benchmark in BENCHMARKS.items() if benchmark.validation is not None}


def validated_by(stage: StageSettings, benchmarks: Sequence[BenchmarkSettings]) -> Benchmark | None:
    """The benchmark; None where the stage is not evaluated, or no benchmark has a split. `benchmarks`: the stage's."""
    if not isinstance(stage, TrainingStageSettings) or stage.evaluate_every is None:
        return None
    chosen = stage.evaluate_benchmark
    names = [one.benchmark for one in benchmarks] if chosen is None else [chosen]
    return next((SPLITS[name] for name in names if name in SPLITS), None)


def check_validation(stage: StageSettings, benchmarks: Sequence[BenchmarkSettings]) -> None:
    """Raise an error at the setting where a stage is to be evaluated and there is nothing to evaluate it on."""
    if not isinstance(stage, TrainingStageSettings):
        return
    name, path = stage.evaluate_benchmark, f"stages.{stage.name}.evaluate_benchmark"
    known = ", ".join(SPLITS)
    if name is not None and name not in SPLITS:
        if name not in BENCHMARKS:
            raise error_at(path, f"there is no benchmark {name!r}{nearest(name, SPLITS)}")
        raise error_at(path, f"{name} has no validation split; take one of {known}")
    asks = (
        bool(benchmarks) or name is not None
    )  # a stage that runs no benchmark is not evaluated while it trains either
    if stage.evaluate_every is not None and asks and validated_by(stage, benchmarks) is None:
        raise error_at(
            path, f"is missing: no benchmark of the stage has a validation split; take one of {known}"
        )
