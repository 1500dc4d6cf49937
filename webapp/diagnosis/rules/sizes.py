"""Whether the evaluations are large enough for what is read from them: of an experiment's table."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean
from typing import Any

from training.benchmarks import BENCHMARKS
from webapp.comparison.cells import Comparison, MeansComparison, UnpairedComparison
from webapp.comparison.comparisons import Tested
from webapp.comparison.metrics import ComparisonMetric
from webapp.comparison.sentences.wording import difference, mixed_sizes
from webapp.comparison.table import StageTable
from webapp.diagnosis.finding import Advice, Finding, Link, Severity
from webapp.diagnosis.rules.differences import Difference, differences
from webapp.statistics import power
from webapp.statistics.intervals import z_quantile

ASKED = 1_000
ADVICE = (Advice("Ask 1,000 problems on which the accuracy is not near 0."),)


def evaluation_too_small(table: StageTable) -> Iterator[Finding]:
    """A difference that would be claimed, is not shown, and could not have been at this number of problems.

    Of several seeds nothing is said before the planned ones are in.
    """
    for found in differences(table):
        yield from _too_small(table, found)


def _too_small(table: StageTable, found: Difference) -> Iterator[Finding]:
    together, compared = found.contrast.over_seeds, [one for one, _ in found.compared]
    paired = [one for one in compared if not isinstance(one, UnpairedComparison)]
    if table.several_seeds and together is None and paired:
        return  # one seed of several is in
    verdicts = [together.verdict] if together else [one.verdict for one in compared]
    if not compared or any(verdict.word != "not distinguishable" for verdict in verdicts):
        return
    delta = fmean(one.delta for one in compared)
    if not found.is_claimed(delta):
        return
    first, write = compared[0], partial(difference, metric=table.metric, digits=table.digits)
    if isinstance(first, UnpairedComparison):
        limit, size = _needed_unpaired(first, first.family.alone), first.sizes
    else:
        limit, size = _detectable(paired, delta, table.metric), f"{first.problems:,}"
    if limit is None:
        return
    yield Finding(
        kind="evaluation_too_small",
        severity=Severity.WARNING,
        headline=(
            f"{size} problems are too few for a difference of "
            f"{write(abs(delta)).lstrip('+')} {table.metric.unit}"
        ),
        evidence=f"After {found.contrast.stage}, {found.what} is {write(delta)} {table.metric.unit}; {limit}.",
        reading="Consistent with chance, and with a real difference of that size.",
        not_shown="Not shown: a difference, nor its absence.",
        links=(Link("comparison", "comparison", table.experiment.name),),
        advice=tuple(replace(one, changes=_more(table, first)) for one in ADVICE),
        stage=found.contrast.stage,
        condition=found.contrast.condition,
    )


def _more(table: StageTable, compared: Tested) -> tuple[tuple[str, Any], ...]:
    """As many problems as the advice says, where the experiment asked fewer and there are so many."""
    if isinstance(compared, UnpairedComparison):
        return ()
    listed = [one["benchmark"] for one in table.experiment.recipe.get("benchmarks", [])]
    asked = min(ASKED, BENCHMARKS[table.benchmark].size)
    if table.benchmark not in listed or compared.problems >= asked:
        return ()
    return ((f"benchmarks.{table.benchmark}.problems", asked),)


def _detectable(
    pairs: Sequence[Comparison | MeansComparison], delta: float, metric: ComparisonMetric
) -> str | None:
    """What this many problems show; None where the difference is larger.

    All seeds' problems together are the most that could help: a bound, not a test.
    """
    total, alpha = sum(one.problems for one in pairs), pairs[0].family.alone
    counted = [one for one in pairs if isinstance(one, Comparison)]
    if counted:
        smallest = power.detectable(total, fmean(one.discordant for one in counted), alpha)
    else:
        scatter = fmean(_variance(one) for one in pairs) ** 0.5
        smallest = power.detectable_mean(total, scatter, alpha)
    if abs(delta) >= smallest:
        return None
    seeds = f", all {len(pairs)} seeds together," if len(pairs) > 1 else ""
    shown = difference(smallest, metric).lstrip("+")
    return f"so many problems{seeds} show about {shown} {metric.unit} or more (80 % power)"


def _variance(one: Comparison | MeansComparison) -> float:
    """Of a problem's difference, as the interval of their mean has it."""
    error = (one.interval.high - one.interval.low) / 2 / z_quantile(one.family.level)
    return error**2 * one.problems


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
