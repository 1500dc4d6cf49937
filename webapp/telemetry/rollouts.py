"""Rollouts of a stage run that count: without those that a later attempt sampled again."""

from django.db.models import Q, QuerySet

from webapp.telemetry import series
from webapp.telemetry.models import Rollout

SHOWN = 60  # rollouts on a run's page; older ones are on the pages behind it
NEWEST_FIRST = ("-attempt_id", "-seq", "-index")  # an attempt's id grows with its number


def counted(run_id: int) -> QuerySet[Rollout]:
    """Every rollout of a stage run up to the step where the next attempt resumed."""
    return series.rollouts([run_id])


def newest(run_id: int, limit: int = SHOWN) -> list[Rollout]:
    """The newest rollouts, newest first."""
    return list(counted(run_id).order_by(*NEWEST_FIRST)[:limit])


CHOICES = {  # ?only= of a list of rollouts or of outcomes: what it is called, and which rows it shows
    "": ("all", Q()),
    "correct": ("correct", Q(correct=True)),
    "wrong": ("wrong", Q(correct=False)),
    "mul_tokens": ("with mul-tokens", Q(mul_tokens__gt=0)),
    "repeats": ("repeating", Q(repeats=True)),
    "hit_limit": ("cut at the limit", Q(hit_limit=True)),
}
