"""pass@k curves: the chance that one of k samples is right, after every stage; what a last stage did to them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from training.recipes.metric_names import sizes
from webapp.comparison.cells import Cell, why_not_comparable
from webapp.comparison.stage_changes import is_lost
from webapp.comparison.table import StageTable
from webapp.results.samples import Sampled, sampled
from webapp.statistics import proportions
from webapp.statistics.intervals import Interval
from webapp.statistics.proportions import PairedMeans

MEANINGS = {
    "reaches more": "with all its samples it solves problems that it did not before",
    "sharpened": "right more often with one sample, and no gain is shown with all of them",
    "sharpened and narrowed": "right more often with one sample, and fewer problems are solved with all of them",
    "narrowed": "fewer problems are solved with all samples",
    "no change shown": "the intervals of both differences hold 0",
    "interim": "planned seeds of this step are still to come",
}  # what a stage did, by its differences at one sample and at all


@dataclass(frozen=True)
class PassCurve:
    """pass@k of one evaluation, for growing k."""

    cell: Cell
    ks: tuple[int, ...]
    rates: tuple[float, ...]
    intervals: tuple[Interval, ...]  # 95 %, each of its own k

    @property
    def samples(self) -> int:
        """How many were drawn for each problem."""
        return self.ks[-1]

    def rate(self, k: int) -> float | None:
        """pass@k; None where it has no such point."""
        return dict(zip(self.ks, self.rates, strict=True)).get(k)


@dataclass(frozen=True)
class PassChange:
    """What a last stage did to the checkpoint that it started from: same problems, same seed."""

    before: Cell
    after: Cell
    samples: int
    at_one: PairedMeans
    at_all: PairedMeans
    interim: bool = False  # whether it is one of several seeds, of which planned ones are still to come

    @property
    def word(self) -> str:
        """One of MEANINGS."""
        if self.interim:
            return "interim"
        if self.at_all.interval.low > 0:
            return "reaches more"
        narrowed, sharpened = self.at_all.interval.high < 0, self.at_one.interval.low > 0
        if sharpened:
            return "sharpened and narrowed" if narrowed else "sharpened"
        return "narrowed" if narrowed else "no change shown"


def curves(table: StageTable) -> list[PassCurve]:
    """The curve of every evaluation that has drawn all its samples, in the order of the table. One query."""
    cells = list(table.cells())
    drawn = _samples(cells)
    return [_curve(cell, found) for cell in cells if (found := _of(cell, drawn))]


def changes(table: StageTable) -> list[PassChange]:
    """What each last stage changed, where it and the stage before it drew samples alike. One query."""
    pairs = table.last_changes()
    drawn = _samples([cell for pair in pairs for cell in pair])
    by_name = {metric.name: metric for metric in table.metrics}
    found = []
    for before, after in pairs:
        one, other = _of(before, drawn), _of(after, drawn)
        if one is None or other is None or one.problems != other.problems:
            continue
        samples = min(one.least, other.least)
        assert before.tally is not None and after.tally is not None
        if samples < 2 or why_not_comparable(before.tally, after.tally, by_name["pass_at_1"]):
            continue
        at_one, at_all = (_difference(one, other, k) for k in (1, samples))
        found.append(PassChange(before, after, samples, at_one, at_all))
    waits = _waiting(table, pairs, found)
    return [replace(one, interim=(one.after.stage, one.after.condition) in waits) for one in found]


def _waiting(
    table: StageTable, pairs: Iterable[tuple[Cell, Cell]], found: Iterable[PassChange]
) -> set[tuple[str, str]]:
    """The steps (stage, condition) of which a planned seed is still to come, of several."""
    there = {(one.after.stage, one.after.condition, one.after.seed) for one in found}
    planned = table.seeds[: table.plan.seeds] if table.several_seeds else ()
    return {
        (after.stage, after.condition)
        for before, after in pairs
        if after.seed in planned
        and (after.stage, after.condition, after.seed) not in there
        and not is_lost(before, after, table)
    }


def _samples(cells: Iterable[Cell]) -> dict[int, Sampled]:
    return sampled(cell.tally for cell in cells if cell.tally is not None)


def _of(cell: Cell, drawn: Mapping[int, Sampled]) -> Sampled | None:
    return drawn.get(cell.tally.evaluation) if cell.tally is not None else None


def _curve(cell: Cell, drawn: Sampled) -> PassCurve:
    ks = sizes(drawn.least)
    passed = [drawn.pass_at(k) for k in ks]
    return PassCurve(
        cell,
        ks,
        tuple(float(values.mean()) for values in passed),
        tuple(proportions.mean_share(values, drawn.least) for values in passed),
    )


def _difference(before: Sampled, after: Sampled, k: int) -> PairedMeans:
    return proportions.paired_means(before.pass_at(k), after.pass_at(k))
