"""Outcomes that could be seen before the question was asked, though the runs that have them here were computed later."""

from collections.abc import Mapping
from datetime import datetime

from django.db.models import F

from webapp.results.models import Evaluation


def computed_before(identities: Mapping[int, str], benchmark: str, asked_at: datetime) -> frozenset[int]:
    """Of these runs (id → identity) those of whose identity a finished evaluation on the benchmark is older than the question.

    Runs of one identity compute the same, so whoever computes one again, without reuse, could know what comes out. One
    query; none where no identity is known.
    """
    known = set(identities.values()) - {""}
    if not known:
        return frozenset()
    older = Evaluation.objects.filter(
        benchmark=benchmark,
        at__lt=asked_at,
        problems__gt=0,
        kept_counts__counted__gte=F("problems"),
        attempt__stage_run__identity__in=known,
    )
    found = set(older.values_list("attempt__stage_run__identity", flat=True).distinct())
    return frozenset(run for run, identity in identities.items() if identity in found)
