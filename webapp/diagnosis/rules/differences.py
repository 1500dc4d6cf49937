"""What the rules about seeds and problems read: the differences after last stages, and the planned gains and interactions."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import fmean

from webapp.comparison.cells import Cell, Comparison, MeansComparison, UnpairedComparison
from webapp.comparison.contrasts import StageContrast
from webapp.comparison.table import StageTable

CLAIMED = 0.01  # the report read differences of 1.4 and 1.8 points as benefits; smaller ones nobody claims
CLAIMED_PART = 0.05  # of an amount, such as tokens: one in twenty


@dataclass(frozen=True)
class Difference:
    """A contrast that findings are about, and how they call it."""

    contrast: StageContrast
    what: str  # mul_tokens minus baseline
    between: str  # the conditions mul_tokens and baseline
    one_side: str  # what scatters from seed to seed: two seeds of one condition

    @property
    def compared(self) -> list[tuple[Comparison | MeansComparison | UnpairedComparison, tuple[Cell, ...]]]:
        """The seeds that it rests on, with their cells: those that decide, or all until there are two."""
        tested = Comparison | MeansComparison | UnpairedComparison
        over_seeds = self.contrast.over_seeds
        return [
            (one, cells)
            for one, cells in zip(self.contrast.seeds, self.contrast.cells, strict=True)
            if isinstance(one, tested) and (over_seeds is None or one.seed in over_seeds.seeds)
        ]

    @property
    def sides(self) -> tuple[list[float], list[float]]:
        """The rates of either side, a seed each; of an interaction the gains."""
        every = [cells for _, cells in self.compared]
        if all(len(cells) == 2 for cells in every):
            return [first.rate for first, _ in every], [second.rate for _, second in every]
        return [four[1].rate - four[0].rate for four in every], [
            four[3].rate - four[2].rate for four in every
        ]

    def is_claimed(self, difference: float) -> bool:
        """Whether somebody would claim a difference of this size."""
        first = [cells[0] for _, cells in self.compared]
        amount = first[0].metric.kind == "mean"
        least = CLAIMED_PART * fmean(cell.rate for cell in first) if amount else CLAIMED
        return difference != 0 and abs(difference) >= least


def differences(table: StageTable) -> Iterator[Difference]:
    """Of each condition after each last stage, then what the planned question asks beside differences."""
    same = {(one.stage, one.condition) for one in table.contrasts if one.equals_difference}
    for row in table.rows:
        for one in row.differences:
            if row.last and (one.stage, one.condition) not in same:
                yield _named(table, one)
    for one in table.contrasts:
        yield _named(table, one)


def _named(table: StageTable, one: StageContrast) -> Difference:
    name = one.condition
    if one.kind == "difference":
        what, between = f"{name} minus {table.baseline}", f"the conditions {name} and {table.baseline}"
        return Difference(one, what, between, "two seeds of one condition")
    if one.kind == "gain":
        what, between = f"the change in {name} since {one.start}", f"{name} before and after {one.stage}"
        return Difference(one, what, between, "two seeds after one stage")
    what = f"the change in {name} since {one.start} minus that in {table.baseline}"
    between = f"the changes in {name} and {table.baseline}"
    if one.equals_difference:  # there may be no numbers of the start
        after = replace(one, cells=tuple((four[1], four[3]) for four in one.cells))
        return Difference(after, what, between, "two seeds of one condition")
    return Difference(one, what, between, "the changes in two seeds of one condition")
