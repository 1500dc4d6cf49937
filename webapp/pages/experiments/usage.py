"""What experiments took: time on devices and checkpoints on disk, as lists show it and are ordered by it."""

from collections.abc import Iterable

from django.db.models import (
    DurationField,
    ExpressionWrapper,
    F,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    Sum,
)
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, Now

from webapp.runs.models import Attempt, Checkpoint
from webapp.runs.recomputing import REPLACED
from webapp.runs.reuse import REUSED

# A run on several devices has a process on each; what was taken over took nothing here.
_DEVICES = Coalesce(Cast(KT("environment__processes"), IntegerField()), 1)
_LENGTH = Coalesce(F("ended_at"), Now()) - F("started_at")
DEVICE_TIME = Sum(ExpressionWrapper(_LENGTH * _DEVICES, output_field=DurationField()))
TAKEN_OVER = (REUSED, REPLACED, "imported")  # outcomes of attempts that ran elsewhere


def device_seconds(experiments: Iterable[int]) -> dict[int, float]:
    """Seconds of all attempts, times the devices that each ran on. One query."""
    found = _attempts().filter(stage_run__experiment__in=list(experiments))
    rows = found.values_list("stage_run__experiment").annotate(took=DEVICE_TIME)
    return {experiment: took.total_seconds() for experiment, took in rows if took is not None}


def disk_bytes(experiments: Iterable[int]) -> dict[int, int]:
    """Bytes of the checkpoints that its own runs saved, as they were recorded. One query."""
    found = _checkpoints().filter(attempt__stage_run__experiment__in=list(experiments))
    return dict(found.values_list("attempt__stage_run__experiment").annotate(bytes_=Sum("bytes")))


def device_order() -> Subquery:
    """Device time of an experiment, for an order of all of them."""
    of_one = _attempts().filter(stage_run__experiment=OuterRef("pk")).values("stage_run__experiment")
    return Subquery(of_one.annotate(took=DEVICE_TIME).values("took"))


def disk_order() -> Subquery:
    """Bytes on disk of an experiment, for an order of all of them."""
    of_one = _checkpoints().filter(attempt__stage_run__experiment=OuterRef("pk"))
    summed = of_one.values("attempt__stage_run__experiment").annotate(bytes_=Sum("bytes"))
    return Subquery(summed.values("bytes_"))


def _attempts() -> QuerySet[Attempt]:
    return Attempt.objects.exclude(outcome__in=TAKEN_OVER).order_by()


def _checkpoints() -> QuerySet[Checkpoint]:
    return Checkpoint.objects.exclude(attempt__outcome__in=TAKEN_OVER).order_by()
