"""Whether there are seeds enough for the spread that they show: of an experiment with several, after its last stages."""

from collections.abc import Iterator
from statistics import stdev

from webapp.comparison.cells import SeedsComparison
from webapp.comparison.metrics import ComparisonMetric
from webapp.comparison.sentences.wording import difference
from webapp.comparison.table import StageTable
from webapp.diagnosis.finding import Advice, Finding, Link, Severity
from webapp.diagnosis.rules.differences import Difference, differences
from webapp.statistics import power

MOST = 50  # seeds that anybody would add


def too_few_seeds(table: StageTable) -> Iterator[Finding]:
    """A mean difference that would be claimed, is not shown, and that so few seeds of this spread show with less than 80 % power."""
    for found in differences(table):
        together = found.contrast.over_seeds
        if together is not None and together.verdict.word == "not distinguishable":
            yield from _too_few(table, found, together)


def _too_few(table: StageTable, found: Difference, together: SeedsComparison) -> Iterator[Finding]:
    mean, count, alpha = abs(together.result.mean), len(together.differences), together.family.alone
    spread = stdev(together.differences)
    if not found.is_claimed(mean) or spread == 0:
        return
    seen = power.detectable_by_spread(spread, count, alpha)
    if seen <= mean:
        return
    needed = power.needed_seeds_by_spread(mean, spread, alpha, most=MOST)
    metric = table.metric
    first = max(table.experiment.seeds) + 1
    more = list(range(first, first + max(needed - count, 1))) if needed else []
    yield Finding(
        kind="too_few_seeds",
        severity=Severity.WARNING,
        headline=f"{count} seeds are too few for how far they differ",
        evidence=(
            f"After {found.contrast.stage}, {found.what} is {difference(together.result.mean, metric)} {metric.unit} on average "
            f"and differs from seed to seed by {_size(spread, metric)} (standard deviation): {count} seeds show {_size(seen, metric)} "
            f"{metric.unit} or more (80 % power, α = {alpha:.3g}); {_size(mean, metric)} take "
            f"{f'{needed} seeds' if needed else f'more than {MOST} seeds'}."
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
        stage=found.contrast.stage,
        condition=found.contrast.condition,
    )


def _size(of: float, metric: ComparisonMetric) -> str:
    return difference(of, metric).lstrip("+")
