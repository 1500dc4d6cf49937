"""A named subset of a benchmark's problems, to which results are restricted: the first so many, or those of a group."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from django.conf import settings
from django.db import connection

from training.benchmarks import BENCHMARKS
from training.did_you_mean import nearest
from webapp.results.models import GREEDY, Evaluation, Outcome
from webapp.results.outcome_counts import Tally, counted_tallies

PLACE = re.compile(r"\d+")  # the first number of an id that begins with its problem's place, test-0042
HOW = "write first:500, or label:NAME for a group of problems"


@dataclass(frozen=True)
class ProblemSubset:
    """Problems by their ids, and what they were chosen by."""

    written: str  # first:500
    title: str  # the first 500 problems
    ids: tuple[str, ...]


def problem_subset(written: str, benchmark: str, tallies: Collection[Tally]) -> ProblemSubset:
    """The problems of a benchmark that `written` names, all of which each finished evaluation was asked.

    Raises ValueError for another way to write it, a label that there is not, and where an evaluation has fewer.
    """
    kind, value = _read(written)
    finished = [one.evaluation for one in tallies if one.complete and one.published is None]
    if kind == "first":
        ids, title = _first(int(value), benchmark, finished), f"the first {int(value):,} problems"
    else:
        ids, title = _labelled(value, benchmark, finished), f"the problems of the group {value}"
    wanted = int(value) if kind == "first" else len(ids)
    fewest = min((dict.fromkeys(finished, 0) | _asked(finished, ids)).values(), default=len(ids))
    if fewest < wanted:
        raise ValueError(
            f"problems: a finished evaluation on {benchmark} has only {fewest:,} of the {wanted:,} problems of {written}; "
            "choose fewer"
        )
    return ProblemSubset(written, title, ids)


def restricted(tallies: Mapping[int, Tally], subset: ProblemSubset) -> dict[int, Tally]:
    """The tallies with the subset's problems alone, by stage run; unfinished and published ones as they are. Two queries.

    Their hash becomes that of these problems, so that an evaluation of more problems may meet one of fewer.
    """
    finished = {run: one for run, one in tallies.items() if one.complete and one.published is None}
    evaluations = [one.evaluation for one in finished.values()]
    counted = counted_tallies(Evaluation.objects.filter(pk__in=evaluations), subset.ids)
    anew = {one.evaluation: one for one in counted}
    hashes = _hashes(evaluations, subset.ids)
    found = {
        run: replace(
            anew[one.evaluation],
            problems=len(subset.ids),
            subset=subset.ids,
            settings=one.settings | {"problems_sha256": hashes[one.evaluation]},
        )
        for run, one in finished.items()
    }
    return {**tallies, **found}


def _read(written: str) -> tuple[Literal["first", "label"], str]:
    kind, _, value = written.partition(":")
    if kind == "first" and value.isdecimal() and len(value) < 10 and int(value) > 0:
        return "first", value
    if kind == "label" and value:
        return "label", value
    raise ValueError(f"problems: there is no subset {written!r}; {HOW}")


def _first(count: int, benchmark: str, evaluations: Collection[int]) -> tuple[str, ...]:
    """As the benchmark asks them where a recipe says `problems: count`: by the places in their ids, else by its data."""
    ids = set(
        Outcome.objects.filter(evaluation__in=evaluations, sample=GREEDY).values_list("problem", flat=True)
    )
    places = {int(found[0]): one for one in ids if (found := PLACE.findall(one))}
    if ids and set(places) == set(range(len(ids))):
        return tuple(places[place] for place in range(min(count, len(ids))))
    if benchmark not in BENCHMARKS:
        raise ValueError(f"problems: the order of {benchmark} is not known here; choose a label")
    return tuple(one.id for one in BENCHMARKS[benchmark].asked(count, data_dir=settings.MULBERRY_DATA))


def _labelled(label: str, benchmark: str, evaluations: Collection[int]) -> tuple[str, ...]:
    """The problems of a group, as their outcomes have it."""
    every = Outcome.objects.filter(evaluation__in=evaluations, sample=GREEDY)
    ids = (
        every.filter(labels__contains=[label])
        .order_by("problem")
        .values_list("problem", flat=True)
        .distinct()
    )
    if found := tuple(ids):
        return found
    labelled = every.exclude(labels=None).values_list("labels", flat=True).distinct()
    known = {one for labels in labelled for one in labels or []}
    groups = (
        f"{nearest(label, known)}; it has {', '.join(sorted(known))}"
        if known
        else "; its problems are in none"
    )
    raise ValueError(f"problems: {benchmark} has no group {label!r}{groups}")


def _asked(evaluations: Collection[int], ids: Collection[str]) -> dict[int, int]:
    """How many of these problems each evaluation was asked; one that was asked none is not there."""
    sql = f"""
        SELECT evaluation_id, count(*) FROM results_outcome
        WHERE evaluation_id = ANY(%s) AND sample = {GREEDY} AND problem = ANY(%s) GROUP BY evaluation_id
    """  # noqa: S608  (the number is a literal)
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(evaluations), list(ids)])
        return dict(cursor.fetchall())


def _hashes(evaluations: Iterable[int], ids: Collection[str]) -> dict[int, str]:
    """SHA-256 of what the problems of each evaluation ask and expect."""
    sql = f"""
        SELECT evaluation_id, encode(sha256(convert_to(
                   string_agg(problem || E'\\n' || prompt || E'\\n' || reference, E'\\n' ORDER BY problem), 'UTF8')), 'hex')
        FROM results_outcome
        WHERE evaluation_id = ANY(%s) AND sample = {GREEDY} AND problem = ANY(%s) GROUP BY evaluation_id
    """  # noqa: S608  (the number is a literal)
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(evaluations), list(ids)])
        return dict(cursor.fetchall())
