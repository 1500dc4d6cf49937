"""The settings of a run that matter most, in a line: named as the form names them, as the run was given them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from webapp.launch.labels import label
from webapp.runs.models import StageRun

SHOWN = (  # below the stage, in this order; what a kind of stage does not have is left out
    "optimizer.learning_rate",
    "optimizer.schedule",
    "batch_size",
    "gradient_accumulation",
    "steps",
    "length",
    "examples",
    "epochs",
    "max_length",
    "prompts",
    "group_size",
    "iterations",
    "beta",
    "loss_type",
    "temperature",
    "max_new_tokens",
)
USUALLY_ONE = ("gradient_accumulation", "iterations")  # said where they are not 1


class NamedSetting(NamedTuple):
    """A setting as people read it."""

    name: str
    value: str


def main_settings(run: StageRun) -> list[NamedSetting]:
    """Learning rate, batch, steps and, of GRPO, groups, KL and rewards."""
    settings = (run.spec or {}).get("settings") or {}
    found = [
        NamedSetting(label(path.rpartition(".")[2]), _written(value))
        for path in SHOWN
        if (value := _at(settings, path)) is not None and not (path in USUALLY_ONE and value == 1)
    ]
    if run.planned_steps and _at(settings, "steps") is None:
        found.append(NamedSetting("Optimizer steps", f"{run.planned_steps:,}"))
    if (prompts := _prompts_of_a_step(settings)) is not None:
        found.append(NamedSetting("Prompts a step", _written(prompts)))
    if rewards := _rewards(settings):
        found.append(NamedSetting("Reward weights", rewards))
    return found


def _at(settings: Any, path: str) -> str | int | float | None:
    """A single value; None where there is none, or a list."""
    for key in path.split("."):
        settings = settings.get(key) if isinstance(settings, Mapping) else None
    return settings if isinstance(settings, str | int | float) else None


def _prompts_of_a_step(settings: Mapping[str, Any]) -> float | None:
    """How many groups an optimizer step takes."""
    rollouts, size = settings.get("batch_size"), settings.get("group_size")
    if not rollouts or not size:
        return None
    return float(rollouts * settings.get("gradient_accumulation", 1) / size)


def _rewards(settings: Mapping[str, Any]) -> str:
    """Each component with its weight."""
    return ", ".join(
        f"{one.get('reward', '')} {_written(one.get('weight', 1))}" for one in settings.get("rewards") or ()
    )


def _written(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:g}".replace("-", "−")
