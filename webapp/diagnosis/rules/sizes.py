"""Whether the evaluations are large enough for what is read from them: of an experiment's table."""

from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean
from typing import Any

from training.benchmarks import BENCHMARKS
from webapp.comparison.cells import Comparison, UnpairedComparison
from webapp.comparison.sentences.wording import mixed_sizes
from webapp.comparison.stage_rows import StageRow
from webapp.comparison.table import StageTable
from webapp.diagnosis.finding import Advice, Finding, Link, Severity
from webapp.files.number_text import points
from webapp.statistics import power

CLAIMED = 0.01  # the report read differences of 1.4 and 1.8 points as benefits; smaller ones nobody claims
ASKED = 1_000
ADVICE = (Advice("Ask 1,000 problems on which the accuracy is not near 0."),)


def evaluation_too_small(table: StageTable) -> Iterator[Finding]:
    """A difference that would be claimed, is not shown, and could not have been at this number of problems.

    Of several seeds nothing is said before the planned ones are in.
    """
    for row in table.rows:
        for position in range(len(table.others)):
            if row.last:
                yield from _too_small(table, row, position)


def _too_small(table: StageTable, row: StageRow, position: int) -> Iterator[Finding]:
    together = row.over_seeds[position] if row.over_seeds else None
    found = [seed.comparisons[position] for seed in row.seeds]
    counted = [one for one in found if isinstance(one, Comparison | UnpairedComparison)]
    if row.over_seeds and together is None and any(isinstance(one, Comparison) for one in counted):
        return  # one seed of several is in
    verdicts = [together.verdict] if together else [one.verdict for one in counted]
    if not counted or any(not verdict.word.startswith("not ") for verdict in verdicts):
        return
    delta = fmean(one.delta for one in counted)
    if abs(delta) < CLAIMED:
        return
    first = counted[0]
    if isinstance(first, UnpairedComparison):
        limit = _needed_unpaired(first, first.family.alone)
    else:
        limit = _detectable(
            [one for one in counted if isinstance(one, Comparison)], delta, first.family.alone
        )
    if limit is None:
        return
    size = first.sizes if isinstance(first, UnpairedComparison) else f"{first.counts.problems:,}"
    name = table.others[position]
    yield Finding(
        kind="evaluation_too_small",
        severity=Severity.WARNING,
        headline=(
            f"{size} problems are too few for a difference of "
            f"{points(abs(delta), table.digits).lstrip('+')} points"
        ),
        evidence=f"After {row.stage}, {name} minus {table.baseline} is {points(delta, table.digits)} points; {limit}.",
        reading="Consistent with chance, and with a real difference of that size.",
        not_shown="Not shown: a difference, nor its absence.",
        links=(Link("comparison", "comparison", table.experiment.name),),
        advice=tuple(replace(one, changes=_more(table, first)) for one in ADVICE),
        stage=row.stage,
        condition=name,
    )


def _more(table: StageTable, compared: Comparison | UnpairedComparison) -> tuple[tuple[str, Any], ...]:
    """As many problems as the advice says, where the experiment asked fewer and there are so many."""
    if isinstance(compared, UnpairedComparison):
        return ()
    listed = [one["benchmark"] for one in table.experiment.recipe.get("benchmarks", [])]
    asked = min(ASKED, BENCHMARKS[table.benchmark].size)
    if table.benchmark not in listed or compared.counts.problems >= asked:
        return ()
    return ((f"benchmarks.{table.benchmark}.problems", asked),)


def _detectable(pairs: list[Comparison], delta: float, alpha: float) -> str | None:
    """What this many problems show; None where the difference is larger.

    All seeds' problems together are the most that could help: a bound, not a test.
    """
    total = sum(one.counts.problems for one in pairs)
    smallest = power.detectable(total, fmean(one.discordant for one in pairs), alpha)
    if abs(delta) >= smallest:
        return None
    seeds = f", all {len(pairs)} seeds together," if len(pairs) > 1 else ""
    return f"so many problems{seeds} show about {points(smallest).lstrip('+')} points or more (80 % power)"


def _needed_unpaired(one: UnpairedComparison, alpha: float) -> str | None:
    """How many problems the difference takes; None where there were as many."""
    rates = one.first / one.first_problems, one.second / one.second_problems
    needed = power.needed_problems_unpaired(*rates, alpha)
    if needed <= min(one.first_problems, one.second_problems):
        return None
    return f"unpaired, about {50 * round(needed / 50):,} a condition would be needed to show it (80 % power)"


def sizes_differ(table: StageTable) -> Iterator[Finding]:
    """Stages were evaluated on different numbers of problems."""
    if not table.sizes:
        return
    yield Finding(
        kind="sizes_differ",
        severity=Severity.INFO,
        headline=f"Stages were evaluated on different numbers of problems of {table.benchmark}",
        evidence=mixed_sizes(table),
        reading="Consistent with an evaluation that was cut short to save time.",
        not_shown="Not shown: any change from one such stage to another.",
        links=(Link("comparison", "comparison", table.experiment.name),),
        advice=ADVICE,
    )
