"""The last stages' comparisons by group of problems: those that a benchmark sets apart, such as operands never trained on.

What is read here was not planned: the intervals are each group's own and not adjusted for how many are looked at.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import groupby
from statistics import fmean

from webapp.comparison.cells import Comparison
from webapp.comparison.columns import exported, of_the_table
from webapp.comparison.table import StageTable
from webapp.files.number_text import percent, points, points_interval
from webapp.files.table import Column, Sheet, View
from webapp.results.outcome_counts import PairCounts, pair_counts_by_label
from webapp.statistics import proportions
from webapp.statistics.intervals import Interval
from webapp.statistics.seeds import over_seeds

CAPTION = "each group’s own 95 % interval over its problems, a mean’s over the seeds, not adjusted for how many groups are looked at"


@dataclass(frozen=True)
class ProblemGroup:
    """One group of problems in one comparison; counts are of completions that the metric counts."""

    name: str
    stage: str
    condition: str
    position: int  # of the condition, which decides its colour
    seed: int
    counts: PairCounts

    @property
    def problems(self) -> int:
        """In the group."""
        return self.counts.problems

    @property
    def baseline(self) -> int:
        """How many the baseline has."""
        return self.counts.both + self.counts.lost

    @property
    def other(self) -> int:
        """How many the condition has."""
        return self.counts.both + self.counts.gained

    @property
    def baseline_rate(self) -> float:
        """As a share of the group."""
        return self.baseline / self.problems

    @property
    def rate(self) -> float:
        """The condition's."""
        return self.other / self.problems

    @property
    def delta(self) -> float:
        """Difference of the two shares."""
        return (self.counts.gained - self.counts.lost) / self.problems

    @property
    def interval(self) -> Interval:
        """Tango's 95 % interval of it."""
        return proportions.tango(self.counts.gained, self.counts.lost, self.problems)


@dataclass(frozen=True)
class GroupMean:
    """A group over the seeds of a comparison, as the table's means are: a paired difference a seed, and Student's t on them."""

    seeds: Sequence[ProblemGroup]  # two or more
    seed = None
    counts = None

    name = property(lambda self: self.seeds[0].name)
    stage = property(lambda self: self.seeds[0].stage)
    condition = property(lambda self: self.seeds[0].condition)
    position = property(lambda self: self.seeds[0].position)
    problems = property(lambda self: self.seeds[0].problems)

    @property
    def baseline_rate(self) -> float:
        """Mean of the baseline's shares."""
        return fmean(one.baseline_rate for one in self.seeds)

    @property
    def rate(self) -> float:
        """Mean of the condition's."""
        return fmean(one.rate for one in self.seeds)

    @property
    def delta(self) -> float:
        """Mean of the differences."""
        return fmean(one.delta for one in self.seeds)

    @property
    def interval(self) -> Interval | None:
        """The 95 % t interval of that mean; None where the seeds show no spread."""
        return over_seeds([one.delta for one in self.seeds]).interval


def with_means(found: Sequence[ProblemGroup]) -> list[ProblemGroup | GroupMean]:
    """Those of a group below each other, condition by condition, and of several seeds their mean behind them."""
    rows: list[ProblemGroup | GroupMean] = []
    ordered = sorted(found, key=lambda one: one.name)
    for _, group in groupby(ordered, lambda one: (one.name, one.stage, one.condition)):
        seeds = list(group)
        rows += seeds
        if len(seeds) > 1:
            rows.append(GroupMean(seeds))
    return rows


def _fraction(count: str) -> Callable[[ProblemGroup | GroupMean], str]:
    """'330/450' of one seed; nothing of a mean."""
    return lambda one: "" if isinstance(one, GroupMean) else f"{getattr(one, count):,}/{one.problems:,}"


def groups(table: StageTable) -> list[ProblemGroup]:
    """Every group after each last stage, seed by seed; none for a mean or where problems belong to no group."""
    if table.metric.kind != "share":
        return []
    found = [
        (seed.cells[0].result.evaluation, seed.cells[position + 1].result.evaluation, one)
        for row in table.rows
        if row.last
        for position in range(len(table.others))
        for seed in row.seeds
        if isinstance(one := seed.comparisons[position], Comparison)
    ]
    ids = [(first, second) for first, second, _ in found]
    counted = pair_counts_by_label(ids, table.metric.column, table.subset.ids if table.subset else None)
    every = [
        ProblemGroup(name, one.stage, one.condition, table.positions[one.condition], one.seed, counts)
        for first, second, one in found
        for name, counts in counted.get((first, second), {}).items()
    ]
    order = list(dict.fromkeys((one.stage, one.condition) for one in every))
    return sorted(every, key=lambda one: (order.index((one.stage, one.condition)), one.name, one.seed))


def sheet(table: StageTable, exported_at: datetime | None = None) -> Sheet:
    """The groups as a sheet; proportions are 0…1 in full precision."""
    several = len(table.others) > 1
    group = Column("group", "text", "Group", value="name")
    stage = Column("stage", "text", "Stage")
    condition = Column("condition", "text", "Condition" if several else "")
    seed = Column("seed", "integer", "Seed" if table.several_seeds else "")
    problems = Column("problems", "integer", "Problems")
    baseline = Column("baseline_rate", "number", table.baseline, percent)
    rate = Column("rate", "number", table.others[0] if len(table.others) == 1 else "Its share", percent)
    delta = Column("delta", "number", "Δ points", points)
    columns = [
        *of_the_table(table),
        Column("metric", "text", value=lambda one: table.metric.name),
        stage,
        group,
        condition,
        Column("baseline", "text", value=lambda one: table.baseline),
        seed,
        problems,
        Column("baseline_count", "integer", value="baseline"),
        baseline,
        Column("count", "integer", value="other"),
        rate,
        delta,
        Column("low", "number", "95 %: from", points, "interval.low"),
        Column("high", "number", "to", points, "interval.high"),
        Column("gained", "integer", "gained", value="counts.gained"),
        Column("lost", "integer", "lost", value="counts.lost"),
        exported(exported_at),
    ]
    share = partial(replace, unit="%", css="condition")
    on_page = [
        group,
        stage,
        *([replace(condition, template="results/_condition_name.html")] if several else []),
        *(
            [replace(seed, left=True, value=lambda one: "mean" if one.seed is None else one.seed)]
            if table.several_seeds
            else []
        ),
        replace(problems, write="{:,}".format),
        share(baseline, note=_fraction("baseline")),
        share(
            rate,
            title=table.metric.title if several else rate.title,
            note=_fraction("other"),
        ),
        replace(delta, element="strong", css="condition", term="points"),
        Column("interval", "number", "95 % interval", points_interval),
        Column("counts", "number", "gained / lost", "{0.gained} / {0.lost}".format),
    ]
    found = groups(table)
    on_a_page = View(on_page, with_means(found), lambda one: "mean" if isinstance(one, GroupMean) else "")
    return Sheet("groups", "By group of problems", columns, found, page=on_a_page)
