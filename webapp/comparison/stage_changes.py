"""What the last stages changed against the stages that they started from, problem by problem."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from webapp.comparison.cells import Cell, graded_alike, why_not_comparable
from webapp.comparison.comparisons import Key, joint_fate
from webapp.comparison.new_problems import of_pairs
from webapp.comparison.table import StageTable
from webapp.results.outcome_counts import PairCounts, pair_counts
from webapp.statistics import proportions
from webapp.statistics.families import Family
from webapp.statistics.intervals import Interval
from webapp.statistics.new_problems import ForNewProblems
from webapp.statistics.planned_seeds import SeedPlan, SeedsReading, read_seeds
from webapp.statistics.verdicts import FEWEST


@dataclass(frozen=True)
class Gain:
    """What a last stage changed in one condition and seed, on the same problems where these are known."""

    before: Cell
    after: Cell
    delta: float
    interval: Interval  # at 1 − α
    p: float  # McNemar's, not adjusted; Fisher's where there are no pairs
    counts: PairCounts | None  # None: published counts, which cannot be paired


@dataclass(frozen=True)
class StageChange:
    """What a last stage changed in one condition; nobody planned to ask, and the planned seeds alone tell it."""

    gains: tuple[Gain, ...]  # one a seed that it rests on
    planned: int  # seeds that are read; 1: the experiment has no more
    reading: SeedsReading | None  # one change a seed; None: of one, before two are in, or not taken together
    given_up: tuple[int, ...]  # planned seeds that will not come, or that cannot be compared
    alpha: float
    new_problems: ForNewProblems | None  # what it says of problems that were not asked

    @property
    def together(self) -> bool:
        """Whether its seeds may be taken together: those of different graders are not."""
        return graded_alike(one.after for one in self.gains)

    @property
    def interim(self) -> bool:
        """Whether planned seeds are still to come."""
        return len(self.gains) + len(self.given_up) < self.planned

    @property
    def p(self) -> float | None:
        """Of one seed McNemar's, of several Student's; None where they show no spread, and while it is no test."""
        if self.reading is not None:
            return None if self.interim else self.reading.result.p
        return self.gains[0].p if self.planned == 1 else None

    @property
    def word(self) -> Literal["shown", "suggestive", "not shown", "interim", "not together"]:
        """What it allows to say, taken alone: of several seeds as much as of a planned comparison of as many."""
        if not self.together:
            return "not together"
        if self.interim:
            return "interim"
        if self.p is None or self.p >= self.alpha:
            return "not shown"
        few = self.reading is not None and len(self.gains) < FEWEST
        return "suggestive" if few or self.given_up else "shown"


def over_the_seeds(found: Sequence[Gain], table: StageTable) -> list[StageChange]:
    """The changes of each step and condition together; without published counts, which cannot be paired."""
    paired = {_key(one.after): one for one in found if one.counts is not None}
    steps: dict[tuple[str, str], list[tuple[Cell, Cell]]] = {}
    for before, after in table.last_changes():
        steps.setdefault((after.stage, after.condition), []).append((before, after))
    every = (
        _change([(*pair, paired.get(_key(pair[1]))) for pair in pairs], table) for pairs in steps.values()
    )
    return [one for one in every if one is not None]


def _change(seeds: Sequence[tuple[Cell, Cell, Gain | None]], table: StageTable) -> StageChange | None:
    """Of one step in one condition, a place a seed; None before one of the planned seeds is in."""
    planned = seeds[: table.plan.seeds]
    gains = tuple(gain for *_, gain in planned if gain is not None)
    if not gains:
        return None
    lost = [
        place
        for place, (before, after, gain) in enumerate(planned)
        if gain is None and is_lost(before, after, table)
    ]
    family = Family("exploratory", 1, table.alpha)
    differences = [None if gain is None else gain.delta for *_, gain in planned]
    change = StageChange(
        gains, len(planned), None, tuple(planned[place][1].seed for place in lost), table.alpha, None
    )
    if not change.together:
        return change
    reading = read_seeds(differences, family, SeedPlan(len(planned)), given_up=lost)
    change = replace(change, reading=reading)
    if change.interim:
        return change
    new = of_pairs(
        [(one.before.result.evaluation, one.after.result.evaluation) for one in gains],
        table.benchmark,
        table.metric.column,
        family.level,
        table.subset.ids if table.subset else None,
    )
    return replace(change, new_problems=new)


def is_lost(before: Cell, after: Cell, table: StageTable) -> bool:
    """Whether a seed without a change will not have one: it was given up, or its two evaluations are not alike."""
    if before.complete and after.complete:
        return True
    return joint_fate(table.fate(_key(cell)) for cell in (before, after)) == "given up"


def _key(cell: Cell) -> Key:
    return cell.condition, cell.stage, cell.seed


def last_gains(table: StageTable) -> list[Gain]:
    """What each last stage changed against the stage that it started from, in pairs where there are any.

    Without the gains that the planned question is about, which have their own sentence and test. By a metric that counts
    completions, so none by pass@k or an amount.
    """
    if table.metric.kind != "share":
        return []
    pairs = [
        (before, after)
        for before, after in table.last_changes()
        if before.complete
        and after.complete
        and not _is_planned(table, after)
        and not why_not_comparable(before.result, after.result, table.metric)
    ]
    level = 1 - table.alpha
    if table.imported:
        return [
            _unpaired(before, after, level)
            for before, after in pairs
            if None not in (before.count, after.count)
        ]
    ids = [(a.result.evaluation, b.result.evaluation) for a, b in pairs]
    counted = pair_counts(ids, table.metric.column, table.subset.ids if table.subset else None)
    found = []
    for before, after in pairs:
        counts = counted[before.result.evaluation, after.result.evaluation]
        delta = (counts.gained - counts.lost) / counts.problems
        interval = proportions.tango(counts.gained, counts.lost, counts.problems, level)
        p = proportions.MCNEMAR[table.test](counts.gained, counts.lost)
        found.append(Gain(before, after, delta, interval, p, counts))
    return found


def _is_planned(table: StageTable, after: Cell) -> bool:
    asked = table.roles
    return asked.question.contrast == "gain" and (after.stage, after.condition) in asked.contrasts


def _unpaired(before: Cell, after: Cell, level: float) -> Gain:
    assert before.count is not None and after.count is not None
    counts = (before.count, before.result.problems, after.count, after.result.problems)
    interval, p = proportions.newcombe_unpaired(*counts, level), proportions.fisher(*counts)
    return Gain(before, after, after.rate - before.rate, interval, p, None)
