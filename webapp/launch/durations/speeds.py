"""How fast this installation's earlier runs were: what a plan goes by before it guesses."""

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from django.db.models import Min, QuerySet

from training.recipes.recipe import StageSpec
from training.settings.shared import BenchmarkSettings
from training.settings.work_estimate import Unit
from webapp.results.models import AS_IT_RAN, Evaluation
from webapp.runs.models import Attempt, State
from webapp.telemetry.models import MetricChunk

NEWEST = 5  # attempts that are looked at
LONGEST_TURN = 20.0  # seconds between two runs of a slot: beyond, it waited for work
SHORTEST = 1.0  # seconds of an evaluation: below, starting and ending it is what was measured


def training_speed(spec: StageSpec, device: str) -> float | None:
    """Units (tokens or rollouts, by kind) a second of stages like this one on such a device (`cuda`, `cpu`).

    Like means: the kind, the model's size and variant, and the kind's own settings that decide about speed.
    """
    settings = spec.settings
    own = {f"stage_run__spec__settings__{key}": getattr(settings, key) for key in settings.same_speed}
    like = _attempts(spec, device).filter(stage_run__stage__kind=settings.kind, **own)
    speeds = _medians(like.values_list("pk", flat=True)[:NEWEST], settings.unit)
    return median(speeds) if speeds else None


def benchmark_speed(spec: StageSpec, benchmark: BenchmarkSettings, device: str) -> float | None:
    """Problems a second of this benchmark on such a model and device.

    An evaluation ends where the attempt's next one begins, or where the attempt ends.
    """
    like = _attempts(spec, device).filter(evaluations__benchmark=benchmark.benchmark).distinct()
    speeds = []
    for attempt in like.prefetch_related("evaluations")[:NEWEST]:
        found = sorted(
            (one for one in attempt.evaluations.all() if one.grading == AS_IT_RAN), key=lambda one: one.seq
        )
        ends = [one.at for one in found[1:]] + [attempt.ended_at]
        for one, end in zip(found, ends, strict=True):
            if _same(one, benchmark) and one.problems and end is not None:
                speeds.append(one.problems / max((end - one.at).total_seconds(), SHORTEST))
    return median(speeds) if speeds else None


def start_seconds(device: str) -> float | None:
    """Seconds that a stage run takes on such a device beside training and evaluating.

    From being taken to its first record (libraries, tokenizer, model, data), from its last one to the first evaluation, and
    until its slot has the next run: of small runs most of the time.
    """
    ran = Attempt.objects.filter(outcome=State.SUCCEEDED, device__startswith=device, first_step=0)
    newest = dict(ran.exclude(hostname="").order_by("-pk").values_list("pk", "started_at")[:NEWEST])
    chunks = MetricChunk.objects.filter(metric__attempt__in=list(newest))
    first, last = (
        {
            attempt: float(np.frombuffer(times, "<f8")[place])
            for attempt, times in chunks.order_by("metric__attempt_id", order)
            .distinct("metric__attempt_id")
            .values_list("metric__attempt_id", "times")
        }
        for order, place in (("first_seq", 0), ("-last_seq", -1))
    )
    evaluated = dict(
        Evaluation.objects.filter(attempt__in=list(first), grading=AS_IT_RAN)
        .order_by()
        .values_list("attempt")
        .annotate(first=Min("at"))
    )
    taken = []
    for attempt, at in first.items():
        begun = evaluated.get(attempt)
        after = max(begun.timestamp() - last[attempt], 0.0) if begun else 0.0
        taken.append(max(at - newest[attempt].timestamp(), 0.0) + after)
    return median(taken) + _turnaround(device) if taken else None


def _turnaround(device: str) -> float:
    """Seconds from the end of a run to the start of the next one in the same slot, where that did not wait for work."""
    ran = Attempt.objects.filter(device__startswith=device).exclude(hostname="")
    slots: dict[tuple[str, str], list[tuple[datetime, datetime]]] = {}
    for host, slot, began, ended in ran.order_by("-pk").values_list(
        "hostname", "device", "started_at", "ended_at"
    )[: 8 * NEWEST]:
        if ended is not None:
            slots.setdefault((host, slot), []).append((began, ended))
    gaps = [
        (after[0] - before[1]).total_seconds()
        for times in slots.values()
        for before, after in pairwise(sorted(times))
    ]
    soon = [gap for gap in gaps if 0 <= gap <= LONGEST_TURN]
    return median(soon) if soon else 0.0


def _same(evaluation: Evaluation, benchmark: BenchmarkSettings) -> bool:
    """Whether the evaluation asked as the settings do, and as often; a choice has no token limit."""
    limit, samples = evaluation.settings.get("max_new_tokens"), evaluation.settings.get("samples", 0)
    same = limit in (0, benchmark.max_new_tokens) and samples == benchmark.samples
    return evaluation.benchmark == benchmark.benchmark and same


def _attempts(spec: StageSpec, device: str) -> QuerySet[Attempt]:
    """Succeeded attempts on a model of the same size and variant, the newest first.

    Those of no machine are made up (`mulberry seed`).
    """
    same: dict[str, Any] = {
        f"stage_run__spec__model__{key}": getattr(spec.model, key)
        for key in ("n_layer", "n_embd", "positions", "memory")
    }
    same["stage_run__spec__tokenizer__kind"] = spec.tokenizer.kind
    ran = Attempt.objects.filter(outcome=State.SUCCEEDED, device__startswith=device).exclude(hostname="")
    return ran.filter(**same).order_by("-pk")


def _medians(attempts: Iterable[int], unit: Unit) -> list[float]:
    """The median speed of each attempt that recorded one."""
    chunks = MetricChunk.objects.filter(metric__attempt__in=list(attempts), metric__name=f"{unit}_per_second")
    values: dict[int, list[np.ndarray]] = {}
    for attempt, data in chunks.values_list("metric__attempt_id", "values"):
        values.setdefault(attempt, []).append(np.frombuffer(data, "<f8"))
    return [float(np.median(np.concatenate(parts))) for parts in values.values()]
