"""What is said yes or no of each greedy completion, problem by problem: 1 or 0; and what the problems asked."""

from collections.abc import Collection, Iterable

import numpy as np
from django.db import connection

from webapp.results.models import GREEDY, Outcome
from webapp.results.outcome_counts import YES_OR_NO
from webapp.results.token_counts import Measured


def marked(
    evaluations: Iterable[int], column: str, problems: Collection[str] | None = None
) -> dict[int, Measured]:
    """One of YES_OR_NO for each problem (or of these alone) of the evaluations, by evaluation. One query, no texts."""
    value = YES_OR_NO[column].format(row="o")
    sql = f"""
        SELECT evaluation_id, array_agg(problem ORDER BY problem), array_agg(({value})::int ORDER BY problem)
        FROM results_outcome o WHERE evaluation_id = ANY(%s) AND sample = {GREEDY} AND (%s::text[] IS NULL OR problem = ANY(%s))
        GROUP BY evaluation_id
    """  # noqa: S608  (the value is one of YES_OR_NO)
    with connection.cursor() as cursor:
        only = None if problems is None else list(problems)
        cursor.execute(sql, [list(evaluations), only, only])
        return {row[0]: Measured(tuple(row[1]), np.asarray(row[2], dtype=float)) for row in cursor.fetchall()}


def answers(evaluations: Iterable[int], column: str) -> dict[int, dict[str, bool]]:
    """What each greedy completion says by one of YES_OR_NO, by evaluation and problem. One query, no texts."""
    sql = f"""
        SELECT evaluation_id, array_agg(problem), array_agg({YES_OR_NO[column].format(row="one")})
        FROM results_outcome one WHERE evaluation_id = ANY(%s) AND sample = {GREEDY}
        GROUP BY evaluation_id
    """  # noqa: S608  (the expressions are literals)
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(evaluations)])
        return {row[0]: dict(zip(row[1], row[2], strict=True)) for row in cursor.fetchall()}


def prompts(evaluations: Iterable[int]) -> dict[str, str]:
    """The prompt of each problem of these evaluations, by problem. One query."""
    greedy = Outcome.objects.filter(evaluation__in=list(evaluations), sample=GREEDY)
    return dict(greedy.values_list("problem", "prompt"))
