"""Sampled completions added up problem by problem: what pass@k is estimated from."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from webapp.results.models import GREEDY
from webapp.results.outcome_counts import Tally
from webapp.statistics.proportions import pass_at_k


@dataclass(frozen=True, eq=False)
class Sampled:
    """The samples of one evaluation; arrays hold a number a problem, in the order of `problems`."""

    problems: tuple[str, ...]
    sample_counts: NDArray[np.int64]
    correct: NDArray[np.int64]

    @cached_property
    def least(self) -> int:
        """The largest k that every problem has samples for."""
        return int(self.sample_counts.min())

    def pass_at(self, k: int) -> NDArray[np.float64]:
        """The estimated chance, problem by problem, that one of k samples is right."""
        return pass_at_k(self.sample_counts, self.correct, k)


def sampled(tallies: Iterable[Tally]) -> dict[int, Sampled]:
    """Add up the samples of each evaluation that has drawn all of its planned ones, by its id. One query."""
    planned = {tally.evaluation: tally for tally in tallies if planned_samples(tally)}
    if not planned:
        return {}
    subset = next(iter(planned.values())).subset  # one table's tallies are all restricted alike
    only = None if subset is None else list(subset)
    sql = f"""
        SELECT evaluation_id, array_agg(problem ORDER BY problem),
               array_agg(drawn ORDER BY problem), array_agg(right_ones ORDER BY problem)
        FROM (
            SELECT evaluation_id, problem, count(*) AS drawn, count(*) FILTER (WHERE correct) AS right_ones
            FROM results_outcome WHERE evaluation_id = ANY(%s) AND sample > {GREEDY} AND (%s::text[] IS NULL OR problem = ANY(%s))
            GROUP BY evaluation_id, problem
        ) AS counted
        GROUP BY evaluation_id
    """  # noqa: S608  (the number is a literal)
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(planned), only, only])
        rows = cursor.fetchall()
    found = {}
    for evaluation, problems, drawn, correct in rows:
        one, tally = Sampled(tuple(problems), np.asarray(drawn), np.asarray(correct)), planned[evaluation]
        if len(problems) == tally.problems and one.least == planned_samples(tally):
            found[evaluation] = one
    return found


def planned_samples(tally: Tally) -> int:
    """How many completions are drawn for each problem; 0: none but the greedy one."""
    samples = tally.settings.get("samples", 0)
    assert isinstance(samples, int)
    return samples
