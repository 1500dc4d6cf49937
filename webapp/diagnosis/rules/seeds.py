"""Whether the seeds rank the conditions: of an experiment with several seeds, after its last stages."""

from collections.abc import Iterator
from statistics import stdev
from typing import Any

from webapp.comparison.cells import SeedsComparison
from webapp.comparison.sentences.wording import difference
from webapp.comparison.table import StageTable
from webapp.diagnosis.finding import Advice, Finding, Link, Severity
from webapp.diagnosis.rules.differences import Difference, differences

BETTER = 5  # seeds, as the advice says
NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}


def seeds_do_not_rank(table: StageTable) -> Iterator[Finding]:
    """The seeds disagree about the sign, or two conditions differ by less than two seeds of one do.

    Nothing is said before the planned seeds are in, of an equivalence, which ranks nothing, and of seeds that all differ by the same.
    """
    for found in differences(table):
        together = found.contrast.over_seeds
        if together is None or together.family.margin is not None:
            continue
        if together.verdict.word not in ("interim", "not tested"):
            yield from _ranked(table, found, together)


def _ranked(table: StageTable, found: Difference, together: SeedsComparison) -> Iterator[Finding]:
    apart = sum(stdev(one) ** 2 for one in found.sides) ** 0.5  # √2 × the pooled standard deviation
    each = together.differences
    disagree = min(each) < 0 < max(each)
    if not disagree and (abs(together.result.mean) >= apart or together.verdict.positive):
        return
    count = len(each)
    number = NUMBERS.get(count, str(count))
    metric = table.metric
    yield Finding(
        kind="seeds_do_not_rank",
        severity=Severity.WARNING,
        headline=(
            f"{number.capitalize()} seeds do not rank {found.between}"
            if disagree
            else f"The difference between {found.between} is smaller than the spread between seeds"
        ),
        evidence=(
            f"After {found.contrast.stage}, {found.what} is {', '.join(difference(d, metric) for d in each)} "
            f"{metric.unit} in the seeds, {difference(together.result.mean, metric)} on average; {found.one_side} are "
            f"{difference(apart, metric).lstrip('+')} {metric.unit} apart (root mean square)."
        ),
        reading="Consistent with no difference, and with one that this many seeds cannot show.",
        not_shown="Not shown: that there is no difference.",
        links=(Link("comparison, seed by seed", "comparison", table.experiment.name),),
        advice=(Advice("Add seeds: three or more, better five.", changes=_more(table)),),
        stage=found.contrast.stage,
        condition=found.contrast.condition,
    )


def _more(table: StageTable) -> tuple[tuple[str, Any], ...]:
    """The experiment's seeds and so many new ones that there are five."""
    seeds = list(table.experiment.seeds)
    first = max(seeds) + 1
    more = list(range(first, first + max(BETTER - len(seeds), 1)))
    return (("seeds", [*seeds, *more]),)
