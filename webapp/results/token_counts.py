"""What each greedy completion has an amount of, problem by problem: tokens, mul-tokens."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from webapp.results.models import GREEDY

COLUMNS = ("tokens", "mul_tokens")  # of Outcome


@dataclass(frozen=True, eq=False)
class Measured:
    """The amounts of one evaluation, a number a problem, in the order of `problems`."""

    problems: tuple[str, ...]
    values: NDArray[np.float64]


def measured(
    evaluations: Iterable[int], column: str, problems: Collection[str] | None = None
) -> dict[int, Measured]:
    """One of COLUMNS for each problem (or of these alone) of the evaluations, by evaluation. One query, no texts."""
    if column not in COLUMNS:
        raise ValueError(f"there is no amount {column!r}; choose {', '.join(COLUMNS)}")
    sql = f"""
        SELECT evaluation_id, array_agg(problem ORDER BY problem), array_agg({column} ORDER BY problem)
        FROM results_outcome WHERE evaluation_id = ANY(%s) AND sample = {GREEDY} AND (%s::text[] IS NULL OR problem = ANY(%s))
        GROUP BY evaluation_id
    """  # noqa: S608  (the column is one of COLUMNS)
    with connection.cursor() as cursor:
        only = None if problems is None else list(problems)
        cursor.execute(sql, [list(evaluations), only, only])
        return {row[0]: Measured(tuple(row[1]), np.asarray(row[2], dtype=float)) for row in cursor.fetchall()}
