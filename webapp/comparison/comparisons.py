"""Comparing the conditions of a stage table with its baseline: pairs of cells → comparisons and refusals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from training.recipes.planned_question import PairedTest
from webapp.comparison.cells import (
    Cell,
    Comparison,
    MeansComparison,
    Refusal,
    SameRun,
    SeedsComparison,
    UnpairedComparison,
    why_not_comparable,
)
from webapp.comparison.metrics import ComparisonMetric
from webapp.results.outcome_counts import PairCounts, pair_counts
from webapp.statistics import amounts, intervals, proportions, verdicts
from webapp.statistics.amounts import FEWEST
from webapp.statistics.families import Family
from webapp.statistics.intervals import Interval
from webapp.statistics.proportions import PairedMeans
from webapp.statistics.seeds import over_seeds, within_over_seeds

Tested = Comparison | MeansComparison | UnpairedComparison
Compared = Tested | Refusal | SameRun
Key = tuple[str, str, int]  # condition, stage, seed


class Counts(NamedTuple):
    """What is known of two evaluations that only counts were published of."""

    first: int
    first_problems: int
    second: int
    second_problems: int


Evidence = PairCounts | PairedMeans | Counts


@dataclass(frozen=True)
class Comparisons:
    """Everything that a table compares: all pairs are counted in one query, then tested, each at its family's level."""

    metric: ComparisonMetric
    conditions: Sequence[str]  # the baseline first
    seeds: Sequence[int]
    test: PairedTest
    family: Callable[[str, str], Family]  # of a stage and a condition
    cell: Callable[[Key], Cell]
    seen: Callable[[Key], bool] = lambda key: (
        False
    )  # whether its outcomes were there before the question was asked
    largest: float | None = None  # difference that there can be; None: the metric's

    def of_stages(self, stages: Sequence[str]) -> dict[Key, Compared]:
        """Every comparison or refusal of two finished cells, and where both are one."""
        refused: dict[Key, Refusal | SameRun] = {}
        evidence: dict[Key, Evidence] = {}
        pairs: dict[Key, tuple[Cell, Cell]] = {}
        for key, first, second in self._both(stages):
            if first.computed_by is not None and first.computed_by == second.computed_by:
                refused[key] = SameRun(*key)
            elif first.empty or second.empty:
                refused[key] = Refusal(*key, _asked_nothing(first, second))
            elif not (first.complete and second.complete):
                continue
            elif reason := why_not_comparable(first.result, second.result, self.metric):
                refused[key] = Refusal(*key, reason)
            elif first.result.published is not None or second.result.published is not None:
                if first.count is None or second.count is None:
                    refused[key] = Refusal(*key, "only rates were published, no counts to test")
                else:
                    evidence[key] = Counts(
                        first.count, first.result.problems, second.count, second.result.problems
                    )
            else:
                pairs[key] = first, second
        counted = self._of_pairs(pairs)
        for key, (first, second) in pairs.items():
            problems, both = first.result.problems, counted[key].problems
            if both < problems:
                refused[key] = Refusal(*key, f"only {both} of {problems} problems are in both evaluations")
            elif self.metric.kind == "mean" and (differ := int((first.each != second.each).sum())) < FEWEST:
                reason = f"only {differ} of {problems} problems differ: too few for an interval of the mean"
                refused[key] = Refusal(*key, reason)
            else:
                evidence[key] = counted[key]
        return {**refused, **self._tested(evidence)}

    def over_seeds(
        self, stages: Sequence[str], compared: Mapping[Key, Compared]
    ) -> dict[tuple[str, str], SeedsComparison]:
        """What the seeds say together, where two or more are finished; their problems are never pooled."""
        found: dict[tuple[str, str], list[Comparison | MeansComparison]] = {}
        for stage in stages:
            for name in self.conditions[1:]:
                seeds = [compared.get((name, stage, seed)) for seed in self.seeds]
                paired = [one for one in seeds if isinstance(one, Comparison | MeansComparison)]
                if len(paired) > 1 and len({self._grader((name, stage, one.seed)) for one in paired}) == 1:
                    found[name, stage] = paired
        return {key: self._seeds_compared(key, seeds) for key, seeds in found.items()}

    def _seeds_compared(
        self, key: tuple[str, str], seeds: Sequence[Comparison | MeansComparison]
    ) -> SeedsComparison:
        family, deltas = seeds[0].family, tuple(one.delta for one in seeds)
        result = over_seeds(deltas, family.level, self.largest or self.metric.largest)
        if family.margin is not None:
            result = result._replace(p=within_over_seeds(deltas, family.margin))
        seen = any(self.seen((key[0], key[1], one.seed)) for one in seeds)
        verdict = verdicts.conditions_verdict(result, family, len(seeds), seen=seen)
        within = intervals.hull([one.interval for one in seeds])
        return SeedsComparison(*key, deltas, result, family, verdict, within)

    def _grader(self, key: Key) -> object:
        """Who graded a finished cell: seeds of different versions are not taken together."""
        return self.cell(key).result.settings.get("grader")

    def _both(self, stages: Sequence[str]) -> list[tuple[Key, Cell, Cell]]:
        """The baseline's cell and another condition's, finished or not."""
        every = [
            ((name, stage, seed), self.cell((self.conditions[0], stage, seed)))
            for stage in stages
            for seed in self.seeds
            for name in self.conditions[1:]
        ]
        return [(key, first, self.cell(key)) for key, first in every]

    def _of_pairs(self, pairs: Mapping[Key, tuple[Cell, Cell]]) -> dict[Key, PairCounts | PairedMeans]:
        if self.metric.kind != "share":
            return {
                key: _paired_means(first, second, self.family(key[1], key[0]))
                for key, (first, second) in pairs.items()
            }
        ids = {
            key: (first.result.evaluation, second.result.evaluation) for key, (first, second) in pairs.items()
        }
        counted = pair_counts(ids.values(), self.metric.column)
        return {key: counted.get(pair, PairCounts(0, 0, 0, 0)) for key, pair in ids.items()}

    def _tested(self, evidence: Mapping[Key, Evidence]) -> dict[Key, Tested]:
        comparisons: dict[Key, Tested] = {}
        for key, found in evidence.items():
            family = self.family(key[1], key[0])
            interval, p = _interval_and_p(found, family, self.test)
            verdict = verdicts.checkpoints_verdict(p, family, seen=self.seen(key))
            if isinstance(found, PairCounts):
                comparisons[key] = Comparison(*key, found, interval, p, family, verdict)
            elif isinstance(found, PairedMeans):
                size, mean = found.problems, found.mean
                comparisons[key] = MeansComparison(*key, size, mean, interval, p, family, verdict)
            else:
                comparisons[key] = UnpairedComparison(*key, *found, interval, p, family, verdict)
        return comparisons


def _asked_nothing(first: Cell, second: Cell) -> str:
    """Why two cells are not compared, one or both of which asked no problem."""
    if first.empty and second.empty:
        return "both were asked no problems"
    return f"{'the baseline' if first.empty else 'this condition'} was asked no problems"


def _paired_means(first: Cell, second: Cell, family: Family) -> PairedMeans:
    if first.problems != second.problems:
        both = len(set(first.problems) & set(second.problems))
        return PairedMeans(0.0, Interval(-1.0, 1.0), 1.0, both)
    of_shares = first.metric.k is not None
    differences = second.each - first.each
    found = (proportions.mean_difference if of_shares else amounts.amount_difference)(
        differences, family.level
    )
    if family.margin is None:
        return found
    within = proportions.mean_within if of_shares else amounts.amount_within
    return found._replace(p=within(differences, family.margin))


def _interval_and_p(found: Evidence, family: Family, test: PairedTest) -> tuple[Interval, float]:
    if isinstance(found, PairCounts):
        counts = found.gained, found.lost, found.problems
        interval = proportions.tango(*counts, family.level)
        if family.margin is not None:
            return interval, proportions.tango_within(*counts, family.margin)
        return interval, proportions.MCNEMAR[test](found.gained, found.lost)
    if isinstance(found, PairedMeans):
        return found.interval, found.p
    return proportions.newcombe_unpaired(*found, family.level), proportions.fisher(*found)
