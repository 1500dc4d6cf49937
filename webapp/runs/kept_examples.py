"""Which examples runs kept, and what they learnt of them, as their newest attempt recorded it."""

import hashlib
import json
from collections.abc import Iterable

from django.db.models import QuerySet

from training.data.kept import KeptExamples
from webapp.experiments.models import Experiment
from webapp.runs.models import Attempt, StageRun

Recorded = dict[int, list[KeptExamples]]  # by stage run; those that recorded nothing are not in it


def of_experiment(experiment: Experiment) -> Recorded:
    """Of every run of an experiment. One query."""
    return _of(Attempt.objects.filter(stage_run__experiment=experiment))


def of_runs(runs: Iterable[StageRun]) -> Recorded:
    """Of some runs. One query."""
    return _of(Attempt.objects.filter(stage_run__in=[run.pk for run in runs]))


def hashes(parts: Iterable[KeptExamples]) -> dict[str, str]:
    """Part → what its examples are called; parts that the stage has made itself are left out."""
    return {part["part"]: part["sha256"] for part in parts if part["sha256"]}


def name_of(parts: Iterable[KeptExamples]) -> str:
    """One hash for all parts of a run; of a single part its own; empty where none is recorded."""
    found = hashes(parts)
    if len(found) < 2:
        return next(iter(found.values()), "")
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def _of(attempts: QuerySet[Attempt]) -> Recorded:
    found = attempts.filter(examples__isnull=False).order_by("number")
    return {run: parts or [] for run, parts in found.values_list("stage_run_id", "examples")}
