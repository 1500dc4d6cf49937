"""What a stage changed on a benchmark, problem by problem."""

from collections.abc import Mapping
from dataclasses import dataclass

from training.recipes.planned_question import PairedTest
from webapp.comparison.cells import why_not_comparable
from webapp.comparison.metrics import METRICS
from webapp.files.number_text import p_is, percent, points, points_interval
from webapp.results.outcome_counts import PairCounts, Tally, pair_counts
from webapp.statistics import proportions
from webapp.statistics.intervals import Interval


@dataclass(frozen=True)
class BenchmarkChange:
    """A benchmark before and after a stage, on the same problems."""

    benchmark: str
    before: Tally
    after: Tally
    counts: PairCounts
    interval: Interval  # 95 %
    adjusted: Interval  # at the level that Bonferroni leaves of alpha over the experiment's planned changes
    p: float  # McNemar's, not adjusted
    test: PairedTest  # which of its forms

    @property
    def delta(self) -> float:
        """After minus before, as a proportion."""
        return (self.counts.gained - self.counts.lost) / self.counts.problems

    @property
    def falls(self) -> bool:
        """True when the fall is more than chance among all changes of the experiment."""
        return self.adjusted.high < 0

    @property
    def described(self) -> str:
        """With counts, interval and p, in words."""
        before, after = self.before, self.after
        return (
            f"{self.benchmark} {percent(before.correct / before.problems)} → "
            f"{percent(after.correct / after.problems)}: {points(self.delta)} points, "
            f"95 % interval {points_interval(self.interval)}, {self.counts.gained} gained and "
            f"{self.counts.lost} lost, {proportions.MCNEMAR_NAMES[self.test]} {p_is(self.p)}"
        )


def paired_changes(
    before: Mapping[str, Tally], after: Mapping[str, Tally], *, alpha: float, planned: int, test: PairedTest
) -> list[BenchmarkChange]:
    """Benchmark by benchmark where both are known problem by problem; alpha is divided by `planned` (Bonferroni)."""
    pairs = {
        name: (before[name], found)
        for name, found in after.items()
        if name in before
        and before[name].published is None
        and found.published is None
        and not why_not_comparable(before[name], found, METRICS["accuracy"])
    }
    counted = pair_counts((a.evaluation, b.evaluation) for a, b in pairs.values())
    changes = []
    for name, (first, second) in pairs.items():
        counts = counted.get((first.evaluation, second.evaluation))
        if counts is None or counts.problems < second.problems:
            continue
        of = counts.gained, counts.lost, counts.problems
        adjusted = proportions.tango(*of, level=1 - alpha / planned)
        p = proportions.MCNEMAR[test](counts.gained, counts.lost)
        changes.append(
            BenchmarkChange(name, first, second, counts, proportions.tango(*of), adjusted, p, test)
        )
    return changes
