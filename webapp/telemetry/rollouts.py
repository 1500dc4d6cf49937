"""Rollouts of stage runs that count, as a list: without those that a later attempt sampled again."""

import heapq
from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter

from django.db.models import Q, QuerySet

from webapp.telemetry import series
from webapp.telemetry.models import Rollout

SHOWN = 60  # rollouts on a run's page
COUNTED = 10_000  # found rollouts that are counted before a page says "more than"


def counted(run_id: int) -> QuerySet[Rollout]:
    """Every rollout of a stage run up to the step where the next attempt resumed."""
    return series.rollouts([run_id])


def newest(run_ids: Iterable[int]) -> list[Rollout]:
    """The newest rollouts of some runs, newest first."""
    return newest_of(series.rollouts_by_attempt(run_ids))


def newest_of(found: Mapping[int, QuerySet[Rollout]]) -> list[Rollout]:
    """As many as a page shows, of all attempts together, those sampled last first.

    `found` are the rollouts of each attempt; those of one attempt stay in the order of its journal.
    """
    keys: list[int] = []
    for rows in found.values():
        # Only the keys, from the attempt's index alone; then the times, then the texts of the few that are shown.
        keys += rows.order_by("-seq", "-index").values_list("pk", flat=True)[:SHOWN]
    known = Rollout.objects.filter(pk__in=keys).order_by("-attempt_id", "-seq", "-index")
    read = list(known.values_list("sampled_at", "attempt_id", "pk"))
    by_attempt = [list(rows) for _, rows in groupby(read, itemgetter(1))]
    merged = heapq.merge(*by_attempt, key=itemgetter(0), reverse=True)
    shown = [pk for (_, _, pk), _ in zip(merged, range(SHOWN), strict=False)]
    texts = Rollout.objects.for_lists().in_bulk(shown)
    return [texts[pk] for pk in shown]


def at_most(found: Iterable[QuerySet[Rollout]], limit: int = COUNTED) -> int:
    """How many there are, counted no further than one beyond the limit."""
    count = 0
    for rows in found:
        # in the order of the index, which is left early: without one PostgreSQL joins every text first
        count += rows.order_by("-seq", "-index").values("pk")[: limit + 1 - count].count()
        if count > limit:
            break
    return count


CHOICES = {  # ?only= of a list of rollouts or of outcomes: what it is called, and which rows it shows
    "": ("all", Q()),
    "correct": ("correct", Q(correct=True)),
    "wrong": ("wrong", Q(correct=False)),
    "mul_tokens": ("with mul-tokens", Q(mul_tokens__gt=0)),
    "repeats": ("repeating", Q(repeats=True)),
    "hit_limit": ("cut at the limit", Q(hit_limit=True)),
}
