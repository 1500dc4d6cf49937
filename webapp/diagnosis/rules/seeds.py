"""Whether the seeds rank the conditions: of an experiment with several seeds, after its last stages."""

from collections.abc import Iterator
from statistics import stdev
from typing import Any

from webapp.comparison.sentences.wording import difference
from webapp.comparison.stage_rows import StageRow
from webapp.comparison.table import StageTable
from webapp.diagnosis.finding import Advice, Finding, Link, Severity

BETTER = 5  # seeds, as the advice says
NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}


def seeds_do_not_rank(table: StageTable) -> Iterator[Finding]:
    """The seeds disagree about the sign, or two conditions differ by less than two seeds of one condition do.

    Nothing is said before the planned seeds are in.
    """
    for row in table.rows:
        for position in range(len(table.others)):
            if row.last and row.over_seeds:
                yield from _ranked(table, row, position)


def _ranked(table: StageTable, row: StageRow, position: int) -> Iterator[Finding]:
    together = row.over_seeds[position]
    if together is None or together.interim:
        return
    compared = [seed for seed in row.seeds if seed.seed in together.seeds]
    rates = [[seed.cells[place].rate for seed in compared] for place in (0, position + 1)]
    apart = sum(stdev(one) ** 2 for one in rates) ** 0.5  # √2 × the pooled standard deviation
    differences = together.differences
    disagree = min(differences) < 0 < max(differences)
    if not disagree and (abs(together.result.mean) >= apart or together.verdict.positive):
        return
    count = len(differences)
    number = NUMBERS.get(count, str(count))
    name, metric = table.others[position], table.metric
    yield Finding(
        kind="seeds_do_not_rank",
        severity=Severity.WARNING,
        headline=f"{number.capitalize()} seeds do not rank the conditions {name} and {table.baseline}",
        evidence=(
            f"After {row.stage}, {name} minus {table.baseline} is {', '.join(difference(d, metric) for d in differences)} "
            f"{metric.unit} in the seeds, {difference(together.result.mean, metric)} on average; two seeds of one condition are "
            f"{difference(apart, metric).lstrip('+')} {metric.unit} apart (root mean square)."
        ),
        reading="Consistent with no difference between the conditions, and with one that this many seeds cannot show.",
        not_shown="Not shown: that the conditions are equal.",
        links=(Link("comparison, seed by seed", "comparison", table.experiment.name),),
        advice=(Advice("Add seeds: three or more, better five.", changes=_more(table)),),
        stage=row.stage,
        condition=name,
    )


def _more(table: StageTable) -> tuple[tuple[str, Any], ...]:
    """The experiment's seeds and so many new ones that there are five."""
    seeds = list(table.experiment.seeds)
    first = max(seeds) + 1
    more = list(range(first, first + max(BETTER - len(seeds), 1)))
    return (("seeds", [*seeds, *more]),)
