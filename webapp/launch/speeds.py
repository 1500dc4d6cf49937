"""How fast this installation's earlier runs were: what a plan goes by before it guesses."""

from collections.abc import Iterable
from statistics import median
from typing import Any

import numpy as np
from django.db.models import QuerySet

from training.recipes.recipe import StageSpec
from training.settings.shared import BenchmarkSettings
from training.settings.work_estimate import Unit
from webapp.results.models import AS_IT_RAN, Evaluation
from webapp.runs.models import Attempt, State
from webapp.telemetry.models import MetricChunk

NEWEST = 5  # attempts that are looked at
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
    """Seconds from taking a run to its first record, on such a device: libraries, tokenizer, model, data."""
    ran = Attempt.objects.filter(outcome=State.SUCCEEDED, device__startswith=device, first_step=0)
    newest = ran.exclude(hostname="").order_by("-pk").values_list("pk", flat=True)[:NEWEST]
    first = MetricChunk.objects.filter(metric__attempt__in=list(newest)).order_by(
        "metric__attempt_id", "first_seq"
    )
    taken = [
        float(np.frombuffer(times, "<f8", count=1)[0]) - started.timestamp()
        for started, times in first.distinct("metric__attempt_id").values_list(
            "metric__attempt__started_at", "times"
        )
    ]
    return max(median(taken), 0.0) if taken else None


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
