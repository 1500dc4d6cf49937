"""Points and rollouts that count: an attempt's records up to the step where a later attempt resumed."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BinaryField, Exists, F, Func, OuterRef, Q, QuerySet, Value
from numpy.typing import NDArray

from webapp.runs.models import Attempt
from webapp.telemetry.models import Metric, MetricChunk, Rollout


@dataclass(frozen=True)
class Series:
    """A metric of a run: one value a step, in order of steps; the three arrays have one length."""

    steps: NDArray[np.int64]
    times: NDArray[np.float64]  # seconds since the epoch
    values: NDArray[np.float64]


def last_steps(stage_runs: Iterable[int]) -> dict[int, dict[int, int | None]]:
    """For each run its started attempts, in order, with the last step of each that counts (None: all do).

    A later attempt that resumed at step s replaces everything after s.
    """
    limits: dict[int, dict[int, int | None]] = {run: {} for run in stage_runs}
    attempts = Attempt.objects.filter(stage_run__in=limits, first_step__isnull=False).order_by("-number")
    lowest: dict[int, int] = {}
    for run, attempt, first_step in attempts.values_list("stage_run_id", "pk", "first_step"):
        assert first_step is not None
        limits[run] = {attempt: lowest.get(run), **limits[run]}
        lowest[run] = min(lowest.get(run, first_step), first_step)
    return limits


def series(stage_runs: Iterable[int], names: Iterable[str] | None = None) -> dict[tuple[int, str], Series]:
    """(stage run, metric name) → its points that count; every metric when no names are given."""
    limits = last_steps(stage_runs)
    run_of = {attempt: run for run, attempts in limits.items() for attempt in attempts}
    chunks = MetricChunk.objects.filter(metric__attempt__in=run_of)
    if names is not None:
        chunks = chunks.filter(metric__name__in=list(names))
    chunks = chunks.order_by("metric__attempt__number", "first_seq")
    rows = chunks.values_list("metric__attempt_id", "metric__name", "steps", "times", "values")
    parts: dict[tuple[int, str], list[Series]] = defaultdict(list)
    for attempt, name, *arrays in _in_binary(rows):
        run = run_of[attempt]
        steps, times, values = (
            np.frombuffer(a, t) for a, t in zip(arrays, ("<i8", "<f8", "<f8"), strict=True)
        )
        limit = limits[run][attempt]
        count = slice(None) if limit is None else steps <= limit
        parts[run, name].append(Series(steps[count], times[count], values[count]))
    return {key: _joined(found) for key, found in parts.items()}


def _in_binary(rows: QuerySet[Any, Any]) -> Iterable[tuple[Any, ...]]:
    """The rows of a values_list in PostgreSQL's binary form: Django asks for text, in which arrays come as twice the bytes."""
    try:
        query, parameters = rows.query.sql_with_params()
    except EmptyResultSet:
        return []
    connection.ensure_connection()
    return psycopg.Cursor(connection.connection).execute(query, parameters, binary=True)


def recorded_names(stage_run: int) -> set[str]:
    """Names of the run's metrics that have a point that counts."""
    names: set[str] = set()
    for attempt, limit in last_steps([stage_run])[stage_run].items():
        metrics = Metric.objects.filter(attempt=attempt)
        chunks = MetricChunk.objects.filter(metric=OuterRef("pk"))
        own = chunks if limit is None else chunks.filter(first_step__lte=limit)
        names |= set(metrics.filter(Exists(own)).values_list("name", flat=True))
    return names


def names_beside_zero(stage_runs: Iterable[int], names: Iterable[str]) -> set[str]:
    """Those of the names under which any of the runs has recorded something else than 0; one query.

    A float64 that is 0 has no bytes but 00 and, where it is −0, 80, so a chunk is 0 throughout when nothing is left
    of it without those at its ends; the first chunk mostly decides.
    """
    rest = Func(F("values"), Value(b"\x00\x80"), function="btrim", output_field=BinaryField())
    other = MetricChunk.objects.filter(metric=OuterRef("pk")).annotate(rest=rest).exclude(rest=b"")
    recorded = Metric.objects.filter(attempt__stage_run__in=list(stage_runs), name__in=list(names))
    return set(recorded.filter(Exists(other)).values_list("name", flat=True))


def counting(stage_runs: Iterable[int]) -> Q:
    """Which rollouts, or groups of them, of these runs count."""
    found = Q(pk__in=[])
    for attempts in last_steps(stage_runs).values():
        for attempt, limit in attempts.items():
            own = Q(attempt=attempt)
            found |= own if limit is None else own & Q(step__lte=limit)
    return found


def rollouts(stage_runs: Iterable[int]) -> QuerySet[Rollout]:
    """Rollouts of these runs that count, unordered; filter, order and slice it further."""
    return Rollout.objects.filter(counting(stage_runs))


def rollouts_by_attempt(stage_runs: Iterable[int]) -> dict[int, QuerySet[Rollout]]:
    """The same, each attempt's for itself, unordered: what is asked of one attempt is read along its own index."""
    return {
        attempt: Rollout.objects.filter(attempt=attempt, **({} if limit is None else {"step__lte": limit}))
        for attempts in last_steps(stage_runs).values()
        for attempt, limit in attempts.items()
    }


def _joined(parts: list[Series]) -> Series:
    """One series in order of steps; where a step was recorded twice, the later record."""
    steps = np.concatenate([part.steps for part in parts])
    times = np.concatenate([part.times for part in parts])
    values = np.concatenate([part.values for part in parts])
    if (steps[1:] > steps[:-1]).all():
        return Series(steps, times, values)  # as an attempt that was never interrupted leaves it
    _, from_end = np.unique(steps[::-1], return_index=True)
    chosen = len(steps) - 1 - from_end
    return Series(steps[chosen], times[chosen], values[chosen])
