"""Counts over an evaluation's greedy outcomes, made by PostgreSQL: no text is loaded for a number.

Samples are counted in samples.py alone.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from django.db import connection
from django.db.models import Count, Exists, F, FilteredRelation, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from webapp.results.models import GREEDY, Evaluation, Outcome

PRIMARY = F(
    "attempt__stage_run__experiment__primary_metric"
)  # the benchmark that decides an evaluation's experiment
NO_PROBLEMS = "no problems"  # stands where an accuracy would, of an evaluation that asked none


@dataclass(frozen=True)
class Accuracy:
    """How many of an evaluation's problems were answered right, so far or in the end."""

    evaluation: int
    correct: int | None  # None: only a rate was published
    problems: int  # asked in all
    counted: int  # recorded so far: what `correct` is out of
    published_rate: float | None = None

    @property
    def digits(self) -> int:
        """Decimals of its percentage: published ones keep theirs."""
        return 1 if self.published_rate is None else 2

    @property
    def empty(self) -> bool:
        """True when it asked no problem, so that there is no accuracy."""
        return self.problems == 0 and self.correct is not None

    @property
    def complete(self) -> bool:
        """True when every problem has its outcome, and there is one."""
        return not self.empty and self.counted == self.problems

    @property
    def rate(self) -> float | None:
        """Share answered right of those recorded; None before the first."""
        if self.correct is None:
            return self.published_rate
        return self.correct / self.counted if self.counted else None


RATES = {
    "correct": "rate",
    "repeats": "repetition_rate",
    "hit_limit": "hit_limit_rate",
    "tokens": "tokens_per_response",
    "mul_tokens": "mul_tokens_per_response",
    "all_steps_right": "steps_right_rate",
}  # what a tally counts → the name of its mean over the completions, where only that was published


@dataclass(frozen=True)
class Tally:
    """An evaluation's outcomes added up, or the counts and rates that were published of one."""

    evaluation: int
    stage_run: int
    settings: dict[str, object]
    problems: int
    counted: int
    correct: int
    repeats: int
    hit_limit: int
    tokens: int
    mul_tokens: int
    steps_written: (
        int | None
    )  # equations in the completions; None: none was looked for, as among given endings
    steps_right: int | None  # of them, those that hold
    all_steps_right: int | None  # completions with an equation or more, all of which hold
    at: datetime  # when the evaluation began
    published: Mapping[str, float] | None = None
    subset: tuple[str, ...] | None = (
        None  # ids of the problems that it is restricted to; None: all that were asked
    )

    @property
    def empty(self) -> bool:
        """True when it asked no problem: it counts nothing, and is never complete."""
        return self.published is None and self.problems == 0

    @property
    def complete(self) -> bool:
        """True when every problem has its outcome, and for published numbers."""
        return self.published is not None or (not self.empty and self.counted == self.problems)

    def count(self, what: str) -> int | None:
        """How many there are in all completions of one of RATES; None where that was not published."""
        if self.published is None:
            counted: int | None = getattr(self, what)
            return counted
        return int(self.published[what]) if what in self.published else None

    def mean(self, what: str) -> float | None:
        """The same for each completion; None where neither count nor rate was published, or no problem was asked."""
        if self.published is not None:
            return _published_mean(self.published, what, self.problems)
        count = self.count(what)
        return count / self.problems if count is not None and self.problems else None


Result = TypeVar("Result", Accuracy, Tally)


@dataclass(frozen=True)
class PairCounts:
    """Two evaluations problem by problem: in how many both, only one, or neither says yes."""

    both: int
    gained: int  # only the second
    lost: int  # only the first
    neither: int

    @property
    def problems(self) -> int:
        """Problems that both evaluations asked."""
        return self.both + self.gained + self.lost + self.neither


def latest_tallies(stage_run_ids: Iterable[int], benchmark: str) -> dict[int, Tally]:
    """Return the tally that counts for each stage run that has an evaluation on the benchmark. One query.

    That is the newest complete one (by attempt, then by place in the journal, then by grading), else the newest one.
    """
    evaluations = Evaluation.objects.filter(
        attempt__stage_run_id__in=list(stage_run_ids), benchmark=benchmark
    )
    return _latest((one.stage_run, one) for one in counted_tallies(evaluations))


def counted_tallies(
    evaluations: QuerySet[Evaluation], problems: Collection[str] | None = None
) -> list[Tally]:
    """The tallies of these evaluations, in the order in which they were made; of some problems alone, where asked. One query."""
    counted = Q(outcomes__sample=GREEDY)
    if problems is not None:
        counted &= Q(outcomes__problem__in=problems)
    rows = (
        evaluations.alias(greedy=FilteredRelation("outcomes", condition=counted))
        .annotate(
            counted=Count("greedy"),
            right=Count("greedy", filter=Q(greedy__correct=True)),
            repeating=Count("greedy", filter=Q(greedy__repeats=True)),
            limited=Count("greedy", filter=Q(greedy__hit_limit=True)),
            token_sum=Coalesce(Sum("greedy__tokens"), 0),
            mul_token_sum=Coalesce(Sum("greedy__mul_tokens"), 0),
            equations=Sum("greedy__steps_written"),
            equations_right=Sum("greedy__steps_right"),
            all_right=Count(
                "greedy",
                filter=Q(greedy__steps_written__gt=0, greedy__steps_right=F("greedy__steps_written")),
            ),
        )
        .order_by("attempt__number", "seq", "grading")
        .values_list(
            "id",
            "attempt__stage_run_id",
            "settings",
            "problems",
            "counted",
            "right",
            "repeating",
            "limited",
            "token_sum",
            "mul_token_sum",
            "equations",
            "equations_right",
            "all_right",
            "at",
            "published",
        )
    )
    tallies = [Tally(*row) for row in rows]
    return [one if one.steps_written is not None else replace(one, all_steps_right=None) for one in tallies]


def latest_accuracies(stage_run_ids: Iterable[int], benchmark: str | F) -> dict[int, Accuracy]:
    """Return the accuracy that counts for each stage run that has one (see latest_tallies). One query.

    It reads the kept counts and no outcome, so it takes as long for few problems as for many. The benchmark may be a
    field of the evaluation's experiment: PRIMARY.
    """
    evaluations = (
        Evaluation.objects.filter(attempt__stage_run_id__in=list(stage_run_ids), benchmark=benchmark)
        .order_by("attempt__number", "seq", "grading")
        .values_list(
            "attempt__stage_run_id",
            "id",
            "problems",
            "published",
            Coalesce("kept_counts__counted", 0),
            Coalesce("kept_counts__correct", 0),
        )
    )
    return _latest((run, _accuracy(*row)) for run, *row in evaluations)


def _accuracy(
    evaluation: int, problems: int, published: Mapping[str, float] | None, counted: int, correct: int
) -> Accuracy:
    if published is None:
        return Accuracy(evaluation, correct, problems, counted)
    known = int(published["correct"]) if "correct" in published else None
    rate = _published_mean(published, "correct", problems)
    return Accuracy(evaluation, known, problems, problems, rate)


def _published_mean(published: Mapping[str, float], what: str, problems: int) -> float | None:
    if what in published:
        return int(published[what]) / problems if problems else None
    return published.get(RATES[what])


def _latest(found: Iterable[tuple[int, Result]]) -> dict[int, Result]:
    """The newest complete result of each stage run, else the newest; they come in the order in which they were made."""
    latest: dict[int, Result] = {}
    for run, result in found:
        if run not in latest or result.complete or not latest[run].complete:
            latest[run] = result
    return latest


YES_OR_NO = {
    "correct": "{row}.correct",
    "repeats": "{row}.repeats",
    "hit_limit": "{row}.hit_limit",
    "all_steps_right": "coalesce({row}.steps_written > 0 AND {row}.steps_right = {row}.steps_written, false)",
}  # what pairs are counted by → its SQL


def pair_counts(
    pairs: Iterable[tuple[int, int]], column: str = "correct", problems: Collection[str] | None = None
) -> dict[tuple[int, int], PairCounts]:
    """Count each pair of evaluation ids problem by problem by one of YES_OR_NO; `problems`: these alone. One query.

    Problems that only one of the two asked are left out: `problems` then is smaller than the evaluation's.
    """
    return {(first, second): counts for first, second, _, counts in _pairs(pairs, column, WHOLE, problems)}


def pair_counts_by_label(
    pairs: Iterable[tuple[int, int]], column: str = "correct", problems: Collection[str] | None = None
) -> dict[tuple[int, int], dict[str, PairCounts]]:
    """The same for each group of problems apart; a problem counts in every group that it belongs to. One query."""
    found: dict[tuple[int, int], dict[str, PairCounts]] = {}
    for first, second, label, counts in _pairs(pairs, column, EACH_LABEL, problems):
        found.setdefault((first, second), {})[label] = counts
    return found


# a problem's label, and what must be joined for it: none, or each of its own
WHOLE = "''", ""
EACH_LABEL = (
    "label.value",
    "CROSS JOIN LATERAL jsonb_array_elements_text("
    "CASE jsonb_typeof(o.labels) WHEN 'array' THEN o.labels ELSE '[]' END) AS label",
)


def _pairs(
    pairs: Iterable[tuple[int, int]], column: str, by: tuple[str, str], problems: Collection[str] | None
) -> list[tuple[int, int, str, PairCounts]]:
    """Outcomes are grouped, not joined with each other: where PostgreSQL thinks them few, it joins each with all others."""
    value = YES_OR_NO[column].format(row="o")
    label, joined = by
    pairs = list(pairs)
    if not pairs:
        return []
    # Every outcome is looked up once and grouped by its problem. Joining outcomes to outcomes would be quadratic for a
    # planner that has no statistics yet, as of an experiment that has just ended.
    sql = f"""
        SELECT first, second, label, count(*) FILTER (WHERE a AND b), count(*) FILTER (WHERE b AND NOT a),
               count(*) FILTER (WHERE a AND NOT b), count(*) FILTER (WHERE NOT a AND NOT b)
        FROM (
            SELECT pair.first, pair.second, {label} AS label, count(*) AS asked,
                   bool_or({value}) FILTER (WHERE o.evaluation_id = pair.first) AS a,
                   bool_or({value}) FILTER (WHERE o.evaluation_id = pair.second) AS b
            FROM unnest(%s::bigint[], %s::bigint[]) AS pair(first, second)
            JOIN results_outcome o
              ON o.evaluation_id = ANY(ARRAY[pair.first, pair.second]) AND o.sample = {GREEDY}
            {joined}
            WHERE %s::text[] IS NULL OR o.problem = ANY(%s)
            GROUP BY pair.first, pair.second, 3, o.problem
        ) AS problem
        WHERE asked = 2 OR first = second
        GROUP BY first, second, label
        ORDER BY first, second, label
    """  # noqa: S608  (the conditions are literals)
    with connection.cursor() as cursor:
        only = None if problems is None else list(problems)
        cursor.execute(sql, [[first for first, _ in pairs], [second for _, second in pairs], only, only])
        return [(*row[:3], PairCounts(*row[3:])) for row in cursor.fetchall()]


def outcome_counts(evaluation: int, choices: Mapping[str, Q]) -> dict[str, int]:
    """How many greedy outcomes of an evaluation each choice holds. One query."""
    names = {f"choice_{place}": key for place, key in enumerate(choices)}
    counted = Outcome.objects.filter(evaluation=evaluation, sample=GREEDY).aggregate(
        **{name: Count("pk", filter=choices[key] or None) for name, key in names.items()}
    )
    return {key: counted[name] for name, key in names.items()}


_SOLVED_BY_A_SAMPLE = Exists(
    Outcome.objects.filter(
        evaluation=OuterRef("evaluation"), problem=OuterRef("problem"), sample__gt=GREEDY, correct=True
    )
)
STEP_CHOICES = {  # ?only= of a list of problems, beside those that rollouts have too
    "wrong_step": ("with a wrong step", Q(steps_right__lt=F("steps_written"))),
    "right_with_wrong_step": (
        "right in spite of a wrong step",
        Q(correct=True, steps_right__lt=F("steps_written")),
    ),
}
SAMPLE_CHOICES = {
    "only_sampled": ("right in a sample only", Q(_SOLVED_BY_A_SAMPLE, correct=False)),
}


def with_samples(greedy: QuerySet[Outcome]) -> QuerySet[Outcome]:
    """Greedy outcomes with `samples_drawn` and `samples_right`: how many samples their problem has, and how many are right."""
    drawn = Outcome.objects.filter(
        evaluation=OuterRef("evaluation"), problem=OuterRef("problem"), sample__gt=GREEDY
    )
    counted = drawn.order_by().values("problem").annotate(count=Count("pk")).values("count")
    return greedy.annotate(
        samples_drawn=Coalesce(Subquery(counted), 0),
        samples_right=Coalesce(Subquery(counted.filter(correct=True)), 0),
    )
