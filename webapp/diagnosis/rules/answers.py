"""Whether conditions end their completions alike: by which rule their final answers were found, of an experiment's table."""

from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import fmean

from training.text.answers import RULES
from webapp.comparison.cells import Cell, graders_of
from webapp.comparison.stage_rows import StageRow
from webapp.comparison.table import StageTable
from webapp.diagnosis.finding import Finding, Link, Severity, share
from webapp.files.number_text import points
from webapp.results import answer_rules
from webapp.statistics import proportions

NOTABLE = 0.1  # of the problems: a smaller share is seldom what a difference in accuracy comes from


def answer_rules_differ(table: StageTable) -> Iterator[Finding]:
    """A rule answers a share of one condition's problems that is 10 points or more from the baseline's, beyond chance."""
    if table.imported:
        return
    cells = [cell for row in table.rows for seed in row.seeds for cell in seed.cells if cell.complete]
    counted = answer_rules.counted(cell.result.evaluation for cell in cells)
    for row in table.rows:
        for place, name in enumerate(table.others, 1):
            yield from _differs(table, row, place, name, counted)


def _differs(
    table: StageTable, row: StageRow, place: int, name: str, counted: Mapping[int, Counter[str]]
) -> Iterator[Finding]:
    pairs = [
        (counted[first.result.evaluation], counted[second.result.evaluation])
        for seed in row.seeds
        if _both_counted(first := seed.cells[0], second := seed.cells[place], counted)
    ]
    if not pairs:
        return
    shares = {rule: [_shares(rule, *pair) for pair in pairs] for rule in RULES}
    means = {rule: fmean(b - a for a, b in found) for rule, found in shares.items()}
    rule = max(means, key=lambda one: abs(means[one]))
    beyond = sum(_beyond_chance(rule, *pair) for pair in pairs)
    if abs(means[rule]) < NOTABLE or 2 * beyond <= len(pairs):
        return
    evidence = "; ".join(
        f"{RULES[one]} {share(fmean(a for a, _ in found))} → {share(fmean(b for _, b in found))}"
        for one, found in shares.items()
        if any(a or b for a, b in found)
    )
    seeds = f", means over {len(pairs)} seeds, beyond chance in {beyond}" if len(pairs) > 1 else ""
    yield Finding(
        kind="answer_rules_differ",
        severity=Severity.WARNING,
        headline=f"{name} ends its completions in another way than {table.baseline}",
        evidence=(
            f"How final answers on {table.benchmark} were found after {row.stage}, {table.baseline} → {name}{seeds}: "
            f"{evidence}. The largest difference is {points(means[rule])} points, {RULES[rule]}."
        ),
        reading=(
            "Consistent with a condition that learnt the answer’s form better or worse: part of a difference in "
            "accuracy may be one of form."
        ),
        not_shown="Not shown: that the conditions compute differently.",
        links=(Link("comparison", "comparison", table.experiment.name),),
        stage=row.stage,
        condition=name,
    )


def _both_counted(first: Cell, second: Cell, counted: Mapping[int, Counter[str]]) -> bool:
    """Whether both recorded rules, of one version of the grader."""
    if not (first.complete and second.complete):
        return False
    both = first.result.evaluation in counted and second.result.evaluation in counted
    return both and len(graders_of((first, second))) == 1


def _shares(rule: str, first: Counter[str], second: Counter[str]) -> tuple[float, float]:
    return first[rule] / first.total(), second[rule] / second.total()


def _beyond_chance(rule: str, first: Counter[str], second: Counter[str]) -> bool:
    """Whether Newcombe's 95 % interval leaves 0 out; of the same problems it is wider than it need be."""
    found = proportions.newcombe_unpaired(first[rule], first.total(), second[rule], second.total())
    return not found.low <= 0 <= found.high
