"""What the last stages changed against the stages that they started from, problem by problem."""

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.comparison.cells import Cell, why_not_comparable
from webapp.comparison.new_problems import of_pairs
from webapp.comparison.table import StageTable
from webapp.results.outcome_counts import PairCounts, pair_counts
from webapp.statistics import proportions
from webapp.statistics.intervals import Interval
from webapp.statistics.new_problems import ForNewProblems
from webapp.statistics.seeds import OverSeeds, over_seeds


@dataclass(frozen=True)
class Gain:
    """What a last stage changed in one condition and seed, on the same problems where these are known."""

    before: Cell
    after: Cell
    delta: float
    interval: Interval
    p: float  # McNemar's, not adjusted; Fisher's where there are no pairs
    counts: PairCounts | None  # None: published counts, which cannot be paired


@dataclass(frozen=True)
class StageChange:
    """What a last stage changed in one condition, over the seeds that are finished; nobody planned to ask."""

    gains: tuple[Gain, ...]  # one a seed
    together: OverSeeds | None  # of several seeds: Student's t on one change a seed
    new_problems: ForNewProblems | None  # what it says of problems that were not asked

    @property
    def p(self) -> float | None:
        """Of one seed McNemar's, of several Student's; None where they show no spread."""
        return self.together.p if self.together is not None else self.gains[0].p

    def is_shown(self, alpha: float) -> bool:
        """Whether the change is more than chance, taken alone."""
        return self.p is not None and self.p < alpha


def over_the_seeds(found: Sequence[Gain], table: StageTable) -> list[StageChange]:
    """The changes of each step and condition together; without published counts, which cannot be paired."""
    level = 1 - table.alpha
    steps: dict[tuple[str, str, str], list[Gain]] = {}
    for one in found:
        if one.counts is not None:
            steps.setdefault((one.before.stage, one.after.stage, one.after.condition), []).append(one)
    return [
        StageChange(
            tuple(gains),
            over_seeds([one.delta for one in gains], level) if len(gains) > 1 else None,
            of_pairs(
                [(one.before.result.evaluation, one.after.result.evaluation) for one in gains],
                table.benchmark,
                table.metric.column,
                level,
                table.subset.ids if table.subset else None,
            ),
        )
        for gains in steps.values()
    ]


def last_gains(table: StageTable) -> list[Gain]:
    """What each last stage changed against the stage that it started from, in pairs where there are any.

    By a metric that counts completions, so none by pass@k or an amount.
    """
    if table.metric.kind != "share":
        return []
    pairs = [
        (before, after)
        for before, after in table.last_changes()
        if before.complete
        and after.complete
        and not why_not_comparable(before.result, after.result, table.metric)
    ]
    if table.imported:
        return [
            _unpaired(before, after) for before, after in pairs if None not in (before.count, after.count)
        ]
    ids = [(a.result.evaluation, b.result.evaluation) for a, b in pairs]
    counted = pair_counts(ids, table.metric.column, table.subset.ids if table.subset else None)
    found = []
    for before, after in pairs:
        counts = counted[before.result.evaluation, after.result.evaluation]
        delta = (counts.gained - counts.lost) / counts.problems
        interval = proportions.tango(counts.gained, counts.lost, counts.problems)
        p = proportions.MCNEMAR[table.test](counts.gained, counts.lost)
        found.append(Gain(before, after, delta, interval, p, counts))
    return found


def _unpaired(before: Cell, after: Cell) -> Gain:
    assert before.count is not None and after.count is not None
    counts = (before.count, before.result.problems, after.count, after.result.problems)
    interval, p = proportions.newcombe_unpaired(*counts), proportions.fisher(*counts)
    return Gain(before, after, after.rate - before.rate, interval, p, None)
