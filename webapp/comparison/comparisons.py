"""Comparing the conditions of a stage table with its baseline: pairs of cells → comparisons and refusals."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from training.recipes.planned_question import PairedTest
from webapp.comparison.cells import (
    Cell,
    Comparison,
    MeansComparison,
    Refusal,
    SameRun,
    SeedsComparison,
    UnpairedComparison,
    graded_alike,
    why_not_comparable,
)
from webapp.comparison.metrics import ComparisonMetric
from webapp.results.outcome_counts import PairCounts, pair_counts
from webapp.runs.models import State
from webapp.statistics import amounts, intervals, proportions, verdicts
from webapp.statistics.amounts import FEWEST
from webapp.statistics.families import Family
from webapp.statistics.intervals import Interval
from webapp.statistics.planned_seeds import SeedPlan, read_seeds
from webapp.statistics.proportions import PairedMeans

Tested = Comparison | MeansComparison | UnpairedComparison
Compared = Tested | Refusal | SameRun
Key = tuple[str, str, int]  # condition, stage, seed
Fate = Literal["", "failed", "given up"]


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
    plan: SeedPlan | None = None  # None: all seeds decide
    fate: Callable[[Key], Fate] = lambda key: ""  # of a condition's run that has no result
    not_alike: Callable[[Key, Key], str] = lambda first, second: (
        ""
    )  # why the baseline's run and a condition's, which learnt from other examples, are not compared
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
            elif reason := self._why_not(first, second):
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
        found = {}
        for stage in stages:
            for name in self.conditions[1:]:
                together = self._seeds_compared(name, stage, compared)
                if together is not None:
                    found[name, stage] = together
        return found

    def held_back(
        self, compared: Mapping[Key, Compared], together: Mapping[tuple[str, str], SeedsComparison]
    ) -> dict[Key, Compared]:
        """The same, where single seeds keep their intervals alone until the planned ones are in, whatever is compared."""
        return {
            key: interim(one) if self._waits(key, compared, together) else one
            for key, one in compared.items()
        }

    def _waits(
        self, key: Key, compared: Mapping[Key, Compared], together: Mapping[tuple[str, str], SeedsComparison]
    ) -> bool:
        name, stage, _ = key
        if len(self.seeds) < 2 or isinstance(compared[key], UnpairedComparison):  # published: none is to come
            return False
        if (over := together.get((name, stage))) is not None:
            return over.interim
        planned = self.seeds[: (self.plan or SeedPlan(len(self.seeds))).seeds]
        return any(
            (name, stage, seed) not in compared and self._fate(name, stage, seed) != "given up"
            for seed in planned
        )

    def _seeds_compared(
        self, name: str, stage: str, compared: Mapping[Key, Compared]
    ) -> SeedsComparison | None:
        every = [compared.get((name, stage, seed)) for seed in self.seeds]
        paired = [one if isinstance(one, Comparison | MeansComparison) else None for one in every]
        if not graded_alike(self.cell((name, stage, one.seed)) for one in paired if one is not None):
            return None
        family, plan = self.family(stage, name), self.plan or SeedPlan(len(self.seeds))
        if family.role != "primary":  # the look was planned for the question alone
            plan = replace(plan, look=None)
        lost = {i for i, one in enumerate(every) if isinstance(one, Refusal)}
        fates = [self._fate(name, stage, seed) for seed in self.seeds]
        seen = any(
            self.seen((name, stage, seed))
            for seed, one in list(zip(self.seeds, paired, strict=True))[: plan.seeds]
            if one is not None
        )
        read = read_seeds(
            [None if one is None else one.delta for one in paired],
            family,
            plan,
            given_up=lost | {i for i, fate in enumerate(fates) if fate == "given up"},
            seen=seen,
            largest=self.largest or self.metric.largest,
        )
        if read is None:
            return None
        used = [one for i in read.used if (one := paired[i]) is not None]
        missing = [i for i in range(plan.seeds) if paired[i] is None and not read.stopped]
        return SeedsComparison(
            name,
            stage,
            tuple(one.delta for one in used),
            read.result,
            read.family,
            read.verdict,
            intervals.hull([one.interval for one in used]),
            seeds=tuple(one.seed for one in used),
            planned=plan.seeds,
            problems=used[0].problems,
            given_up=tuple(self.seeds[i] for i in missing if i in lost or fates[i] == "given up"),
            failed=tuple(self.seeds[i] for i in missing if fates[i] == "failed"),
            stopped=read.stopped,
            later=read.later,
        )

    def _why_not(self, first: Cell, second: Cell) -> str:
        """Why two finished cells are not compared; empty when they are."""
        places = [(cell.condition, cell.stage, cell.seed) for cell in (first, second)]
        alike = self.not_alike(places[0], places[1])
        return "; ".join(filter(None, (why_not_comparable(first.result, second.result, self.metric), alike)))

    def _fate(self, name: str, stage: str, seed: int) -> Fate:
        """Why a seed's comparison does not come, if it does not."""
        return joint_fate(self.fate((condition, stage, seed)) for condition in (self.conditions[0], name))

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
        subset = next((first.result.subset for first, _ in pairs.values()), None)
        counted = pair_counts(ids.values(), self.metric.column, subset)
        return {key: counted.get(pair, PairCounts(0, 0, 0, 0)) for key, pair in ids.items()}

    def of_one_seed(self, family: Family) -> Family:
        """The family of one seed's comparison: one of several answers no planned question."""
        return replace(family, role="exploratory") if len(self.seeds) > 1 else family

    def _tested(self, evidence: Mapping[Key, Evidence]) -> dict[Key, Tested]:
        comparisons: dict[Key, Tested] = {}
        for key, found in evidence.items():
            family = self.family(key[1], key[0])
            family = self.of_one_seed(family)
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


def interim(one: Compared) -> Compared:
    """One seed's comparison while planned seeds are still to come: an interval, and neither a p nor a verdict."""
    if isinstance(one, Refusal | SameRun):
        return one
    verdict = replace(one.verdict, word="interim")
    if isinstance(one, UnpairedComparison):
        return replace(one, p=None, verdict=verdict)
    return replace(one, p=None, verdict=verdict, new_problems=None)


def fate_of(states: Sequence[str]) -> Fate:
    """Of a run without a result, by its state and those of the runs that it starts from.

    Failed where one of them did, which may be retried; else given up where a person cancelled it.
    """
    if State.FAILED in states:
        return "failed"
    return "given up" if states[:1] == [State.CANCELLED] else ""


def joint_fate(fates: Iterable[Fate]) -> Fate:
    """Of a comparison, by those of its runs: failed while one may be retried, else given up where one of them is."""
    every = set(fates)
    return "failed" if "failed" in every else "given up" if "given up" in every else ""


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
