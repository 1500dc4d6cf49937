"""Whether there are seeds enough for the spread that they show: of an experiment with several, after its last stages."""

from collections.abc import Iterator
from statistics import stdev

from webapp.comparison.stage_rows import StageRow
from webapp.comparison.table import StageTable
from webapp.diagnosis.finding import Advice, Finding, Link, Severity
from webapp.diagnosis.rules.sizes import CLAIMED
from webapp.files.number_text import points
from webapp.statistics import power

MOST = 50  # seeds that anybody would add


def too_few_seeds(table: StageTable) -> Iterator[Finding]:
    """A mean difference that would be claimed, is not shown, and that so few seeds of this spread show with less than 80 % power."""
    for row in table.rows:
        for position in range(len(table.others)):
            if row.last and row.over_seeds:
                yield from _too_few(table, row, position)


def _too_few(table: StageTable, row: StageRow, position: int) -> Iterator[Finding]:
    together = row.over_seeds[position]
    if together is None or together.interim or not together.verdict.word.startswith("not "):
        return
    mean, count, alpha = abs(together.result.mean), len(together.differences), together.family.alone
    spread = stdev(together.differences)
    if table.metric.kind != "share" or mean < CLAIMED or spread == 0:
        return
    seen = power.detectable_by_spread(spread, count, alpha)
    if seen <= mean:
        return
    needed = power.needed_seeds_by_spread(mean, spread, alpha, most=MOST)
    name = table.others[position]
    first = max(table.experiment.seeds) + 1
    more = list(range(first, first + max(needed - count, 1))) if needed else []
    yield Finding(
        kind="too_few_seeds",
        severity=Severity.WARNING,
        headline=f"{count} seeds are too few for how far they differ",
        evidence=(
            f"After {row.stage}, {name} minus {table.baseline} is {points(together.result.mean)} points on average and differs from "
            f"seed to seed by {_size(spread)} (standard deviation): {count} seeds show {_size(seen)} points or more (80 % power, "
            f"α = {alpha:.3g}); {_size(mean)} take {f'{needed} seeds' if needed else f'more than {MOST} seeds'}."
        ),
        reading="Consistent with chance, and with a real difference of that size.",
        not_shown="Not shown: a difference, nor its absence; the spread itself is known from few seeds.",
        links=(Link("comparison, seed by seed", "comparison", table.experiment.name),),
        advice=(
            Advice(
                f"Plan {needed} seeds before another launch."
                if needed
                else "Seeds alone do not show it: look for a larger effect, or for less spread.",
                changes=(("seeds", [*table.experiment.seeds, *more]),) if more else (),
            ),
        ),
        stage=row.stage,
        condition=name,
    )


def _size(difference: float) -> str:
    return points(difference).lstrip("+")
