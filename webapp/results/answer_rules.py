"""By which rule the final answers of evaluations were found, counted by PostgreSQL."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from django.db.models import Count

from webapp.results.models import GREEDY, Outcome


def counted(evaluations: Iterable[int]) -> dict[int, Counter[str]]:
    """How many greedy outcomes of each evaluation each rule answers; those that recorded no rule are not there. One query."""
    rows = (
        Outcome.objects.filter(evaluation__in=list(evaluations), sample=GREEDY, answer_rule__isnull=False)
        .order_by()
        .values_list("evaluation", "answer_rule")
        .annotate(Count("pk"))
    )
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for evaluation, rule, count in rows:
        found[evaluation][str(rule)] = count
    return dict(found)
