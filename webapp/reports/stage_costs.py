"""What a stage took: rollouts beside the baseline's and those of before, time, devices."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from pydantic import TypeAdapter, ValidationError

from training.recipes import recipe as recipes
from training.settings.shared import StageSettings
from training.stages import AnyStage
from webapp.experiments.models import Experiment
from webapp.experiments.templatetags.humane import duration
from webapp.runs.models import Attempt, StageRun, State

STAGE = TypeAdapter[StageSettings](AnyStage)
FIRST_SCALE = "1x"  # of a recipe that is so many times as large


@dataclass(frozen=True)
class RolloutCount:
    """Rollouts of a stage, and what they are made of where it draws groups of them for prompts."""

    rollouts: int = 0
    prompts: int = 0
    group_size: int = 0


@dataclass(frozen=True)
class EarlierRollouts:
    """What a stage's rollouts are set against: those of an earlier experiment, or of a scale of the recipe."""

    name: str
    count: RolloutCount


@dataclass(frozen=True)
class RunFacts:
    """What one stage run had and took, of the one that was computed where it is reused."""

    stage: str
    condition: str
    succeeded: bool
    count: RolloutCount
    seconds: float  # of all its attempts, benchmarks included
    devices: tuple[str, ...]


def rollouts_text(stage: str, runs: Sequence[RunFacts], earlier: Mapping[str, EarlierRollouts]) -> str:
    """How many times the baseline's rollouts a condition has, and those of before; empty where there are none."""
    counts = {run.condition: run.count for run in runs if run.count.rollouts}
    if not counts:
        return ""
    (baseline, least), *others = counts.items()
    parts = [
        f"{name} has {count.rollouts:,}, {_times(count.rollouts, least.rollouts)} {baseline}’s {least.rollouts:,}"
        for name, count in others
        if count.rollouts != least.rollouts
    ] or ([f"{least.rollouts:,} in each condition"] if others else [])
    if before := earlier.get(stage):
        times = _times(least.rollouts, before.count.rollouts)
        parts.append(f"{times} the {before.count.rollouts:,} of {before.name}{_made_of(least, before.count)}")
    return "; ".join(parts)


def _made_of(count: RolloutCount, before: RolloutCount) -> str:
    """Whether more rollouts are more prompts, or more for each."""
    if count.rollouts == before.rollouts or not (before.prompts and before.group_size):
        return ""
    factors = {
        "prompts": (count.prompts, before.prompts),
        "rollouts a prompt": (count.group_size, before.group_size),
    }
    told = [
        f"as many {what}" if one == other else f"{_factor(one, other)} × the {what}"
        for what, (one, other) in factors.items()
    ]
    return f": {', '.join(told)}"


def _times(count: int, of: int) -> str:
    return "as many as" if count == of else f"{_factor(count, of)} ×"


def _factor(count: int, of: int) -> str:
    return f"{count / of:,.0f}" if count >= 100 * of else f"{count / of:.3g}"


def time_text(runs: Sequence[RunFacts]) -> str:
    """Mean and range over the runs of each condition that succeeded; others took less than the stage does, and are counted."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    timed = [run for run in runs if run.succeeded and run.seconds]
    for run in timed:
        times[run.condition].append(run.seconds)
    if not times:
        return ""
    each = ", ".join(f"{name} {_span(found)}" for name, found in times.items())
    devices = ", ".join(dict.fromkeys(device for run in timed for device in run.devices))
    left_out = sum(not run.succeeded for run in runs)
    what = "run that has not succeeded is" if left_out == 1 else "runs that have not succeeded are"
    others = f"; {left_out} {what} left out" if left_out else ""
    return f"{each}, evaluations included{f'; on {devices}' if devices else ''}{others}"


def _span(seconds: Sequence[float]) -> str:
    if len(seconds) == 1:
        return duration(seconds[0])
    return f"{duration(fmean(seconds))} on average over {len(seconds)} runs ({duration(min(seconds))} to {duration(max(seconds))})"


def run_facts(experiment: Experiment) -> list[RunFacts]:
    """Every stage run; two queries."""
    rows = list(
        StageRun.objects.filter(experiment=experiment)
        .order_by("condition__position", "seed", "stage__position")
        .values_list("stage__name", "condition__name", "pk", "reused_from", "state", "spec__settings")
    )
    took = _took(reused or pk for _, _, pk, reused, *_ in rows)
    return [
        RunFacts(
            stage,
            condition,
            state == State.SUCCEEDED,
            _rollouts_of(settings),
            *took.get(reused or pk, (0.0, ())),
        )
        for stage, condition, pk, reused, state, settings in rows
    ]


def _took(runs: Iterable[int]) -> dict[int, tuple[float, tuple[str, ...]]]:
    """Stage run → (seconds of its attempts, the devices they were on). What was taken over took no time here."""
    attempts = Attempt.objects.filter(
        stage_run__in=list(runs), number__gt=0, ended_at__isnull=False
    ).order_by("pk")
    seconds: defaultdict[int, float] = defaultdict(float)
    devices: defaultdict[int, dict[str, None]] = defaultdict(dict)
    fields = "stage_run_id", "started_at", "ended_at", "device", "worker__gpus"
    for run, began, ended, device, gpus in attempts.values_list(*fields):
        seconds[run] += (ended - began).total_seconds()
        if device:
            devices[run][_device(device, gpus or [])] = None
    return {run: (total, tuple(devices[run])) for run, total in seconds.items()}


def _device(device: str, gpus: Sequence[str]) -> str:
    """'cuda:0 (NVIDIA H200)', where the worker named its GPUs."""
    kind, _, place = device.partition(":")
    named = kind == "cuda" and place.isdecimal() and int(place) < len(gpus)
    return f"{device} ({gpus[int(place)]})" if named else device


def _rollouts_of(settings: Mapping[str, Any] | None) -> RolloutCount:
    try:
        return _count(STAGE.validate_python(settings)) if settings else RolloutCount()
    except ValidationError:  # of an older version: nothing is said of it
        return RolloutCount()


def _count(stage: StageSettings) -> RolloutCount:
    return RolloutCount(stage.work().rollouts, getattr(stage, "prompts", 0), getattr(stage, "group_size", 0))


def earlier_rollouts(experiment: Experiment) -> dict[str, EarlierRollouts]:
    """Stage → what its rollouts are set against, where there is something.

    The experiment that this one comes from; else the recipe's newest one before with as large a model, unless it has as
    many rollouts and the recipe's scale 1x says more.
    """
    if experiment.origin is not None:
        return {} if experiment.origin.imported else _of_experiment(experiment.origin)
    older = Experiment.objects.filter(
        recipe_name=experiment.recipe_name, pk__lt=experiment.pk, imported=False
    )
    before = older.filter(recipe__model=experiment.recipe.get("model")).order_by("-pk").first()
    found, own = _of_experiment(before) if before else {}, _of_experiment(experiment)
    return found | {
        stage: one
        for stage, one in _of_first_scale(experiment).items()
        if stage in own and one.count != own[stage].count
        if stage not in found or found[stage].count == own[stage].count
    }


def _of_experiment(experiment: Experiment) -> dict[str, EarlierRollouts]:
    """Of its baseline in the first seed."""
    rows = StageRun.objects.filter(
        experiment=experiment, condition__position=0, seed=experiment.seeds[0]
    ).values_list("stage__name", "spec__settings")
    counts = {stage: _rollouts_of(settings) for stage, settings in rows}
    return {
        stage: EarlierRollouts(experiment.name, count) for stage, count in counts.items() if count.rollouts
    }


def _of_first_scale(experiment: Experiment) -> dict[str, EarlierRollouts]:
    """Of the recipe's scale 1x, where it has one and its model is as large."""
    if experiment.recipe_name not in recipes.names():
        return {}
    shipped = recipes.shipped(experiment.recipe_name)
    if FIRST_SCALE not in shipped.get("scales", {}):
        return {}
    recipe = recipes.build(shipped, [("scale", FIRST_SCALE)])
    if recipe.model.model_dump(mode="json") != experiment.recipe.get("model"):
        return {}
    counts = {stage.name: _count(stage) for stage in recipe.stages}
    return {
        stage: EarlierRollouts(f"scale={FIRST_SCALE}", count)
        for stage, count in counts.items()
        if count.rollouts
    }
