"""What a stage took: rollouts beside the baseline's and an earlier experiment's, training time, devices."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from pydantic import TypeAdapter, ValidationError

from training.settings.shared import StageSettings
from training.stages import AnyStage
from webapp.experiments.models import Experiment
from webapp.experiments.templatetags.humane import duration
from webapp.runs.models import Attempt, StageRun, State

STAGE = TypeAdapter[StageSettings](AnyStage)


@dataclass(frozen=True)
class RunFacts:
    """What one stage run had and took, of the one that was computed where it is reused."""

    stage: str
    condition: str
    succeeded: bool
    rollouts: int
    seconds: float  # of all its attempts, benchmarks included
    devices: tuple[str, ...]


def rollouts_text(stage: str, runs: Sequence[RunFacts], earlier: Mapping[str, tuple[str, int]]) -> str:
    """How many times the baseline's rollouts a condition has, and an earlier experiment's; empty where there are none."""
    counts = {run.condition: run.rollouts for run in runs if run.rollouts}
    if not counts:
        return ""
    (baseline, least), *others = counts.items()
    parts = [
        f"{name} has {count:,}, {_times(count, least)} {baseline}’s {least:,}"
        for name, count in others
        if count != least
    ] or ([f"{least:,} in each condition"] if others else [])
    if stage in earlier:
        name, before = earlier[stage]
        parts.append(f"{_times(least, before)} the {before:,} of {name}")
    return "; ".join(parts)


def _times(count: int, of: int) -> str:
    return "as many as" if count == of else f"{count / of:.3g} ×"


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


def _rollouts_of(settings: Mapping[str, Any] | None) -> int:
    try:
        return STAGE.validate_python(settings).work().rollouts if settings else 0
    except ValidationError:  # of an older version: nothing is said of it
        return 0


def earlier_rollouts(experiment: Experiment) -> dict[str, tuple[str, int]]:
    """Stage → (an experiment, its baseline's rollouts): of the one that this comes from, else of the recipe's one before."""
    before = experiment.origin
    if before is None:
        older = Experiment.objects.filter(
            recipe_name=experiment.recipe_name, pk__lt=experiment.pk, imported=False
        )
        before = older.order_by("-pk").first()
    if before is None or before.imported:
        return {}
    rows = StageRun.objects.filter(experiment=before, condition__position=0, seed=before.seeds[0])
    counts = {
        stage: _rollouts_of(settings) for stage, settings in rows.values_list("stage__name", "spec__settings")
    }
    return {stage: (before.name, count) for stage, count in counts.items() if count}
