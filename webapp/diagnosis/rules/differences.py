"""What the rules about seeds and problems read: the differences after last stages, and the planned gains and interactions."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from webapp.comparison.cells import Cell, Comparison, MeansComparison, SeedsComparison, UnpairedComparison
from webapp.comparison.comparisons import Compared
from webapp.comparison.contrasts import PlannedContrast
from webapp.comparison.stage_rows import StageRow
from webapp.comparison.table import StageTable

CLAIMED = 0.01  # the report read differences of 1.4 and 1.8 points as benefits; smaller ones nobody claims
CLAIMED_PART = 0.05  # of an amount, such as tokens: one in twenty


@dataclass(frozen=True)
class Difference:
    """One difference, seed by seed and over the seeds."""

    stage: str
    condition: str
    what: str  # mul_tokens minus baseline
    between: str  # the conditions mul_tokens and baseline
    one_side: str  # what scatters from seed to seed: two seeds of one condition
    cells: tuple[tuple[Cell, ...], ...]  # a seed each: two that are compared, or four whose gains are
    seeds: tuple[Compared | None, ...]
    over_seeds: SeedsComparison | None

    @property
    def compared(self) -> list[tuple[Comparison | MeansComparison | UnpairedComparison, tuple[Cell, ...]]]:
        """The seeds that it rests on, with their cells: those that decide, or all until there are two."""
        tested = Comparison | MeansComparison | UnpairedComparison
        return [
            (one, cells)
            for one, cells in zip(self.seeds, self.cells, strict=True)
            if isinstance(one, tested) and (self.over_seeds is None or one.seed in self.over_seeds.seeds)
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
        for position, name in enumerate(table.others):
            if row.last and (row.stage, name) not in same:
                yield _of_row(table, row, position)
    for contrast in table.contrasts:
        yield _of_contrast(table, contrast)


def _of_row(table: StageTable, row: StageRow, position: int) -> Difference:
    name = table.others[position]
    return Difference(
        row.stage,
        name,
        f"{name} minus {table.baseline}",
        f"the conditions {name} and {table.baseline}",
        "two seeds of one condition",
        tuple((seed.cells[0], seed.cells[position + 1]) for seed in row.seeds),
        tuple(seed.comparisons[position] for seed in row.seeds),
        row.over_seeds[position] if row.over_seeds else None,
    )


def _of_contrast(table: StageTable, one: PlannedContrast) -> Difference:
    name, cells = one.condition, one.cells
    if one.kind == "gain":
        what, between = f"the change in {name} since {one.start}", f"{name} before and after {one.stage}"
        one_side = "two seeds after one stage"
    else:
        what = f"the change in {name} since {one.start} minus that in {table.baseline}"
        between = f"the changes in {name} and {table.baseline}"
        one_side = "the changes in two seeds of one condition"
        if one.equals_difference:  # there may be no numbers of the start
            cells = tuple((four[1], four[3]) for four in cells)
            one_side = "two seeds of one condition"
    return Difference(one.stage, name, what, between, one_side, cells, one.seeds, one.over_seeds)
