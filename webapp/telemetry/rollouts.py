"""Lists of rollouts: what they may be narrowed to, and how far they are counted."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from webapp.telemetry.models import Rollout

COUNTED = 10_000  # found rollouts that are counted before a page says "more than"


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
