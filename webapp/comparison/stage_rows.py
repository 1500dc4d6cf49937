"""The rows of a stage table: a stage with a row a seed, and what the seeds say together."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from training.stages import kind
from webapp.comparison.cells import Cell, SeedsComparison, graded_alike
from webapp.comparison.comparisons import Compared
from webapp.comparison.contrasts import StageContrast
from webapp.results.outcome_counts import NO_PROBLEMS


class StagePosition(NamedTuple):
    """Where a stage stands in the tree: its names, what it starts from, whether nothing follows."""

    stage: str
    kind: str
    label: str
    after: str | None
    last: bool


@dataclass(frozen=True)
class SeedRow:
    """One stage with one seed; cells in the order of the table's conditions, comparisons of its others."""

    seed: int
    cells: tuple[Cell, ...]
    comparisons: tuple[Compared | None, ...]


@dataclass(frozen=True)
class StageRow:
    """One stage: a row a seed, and what the seeds say together."""

    stage: str
    kind: str
    label: str  # what a publication calls it
    after: str | None  # the stage that it starts from
    last: bool  # no stage follows it
    seeds: tuple[SeedRow, ...]
    means: tuple[float | None, ...]  # a condition each, over its difference's seeds; empty with one seed
    over_seeds: tuple[SeedsComparison | None, ...]  # of the other conditions; empty with one seed

    @property
    def differences(self) -> tuple[StageContrast, ...]:
        """Each other condition's difference from the baseline."""
        return tuple(
            StageContrast(
                "difference",
                self.stage,
                self.after,
                cell.condition,
                tuple((seed.cells[0], seed.cells[place]) for seed in self.seeds),
                tuple(seed.comparisons[place - 1] for seed in self.seeds),
                self.over_seeds[place - 1] if self.over_seeds else None,
            )
            for place, cell in enumerate(self.seeds[0].cells)
            if place
        )

    @property
    def missing(self) -> str:
        """Why a condition has no comparison over the seeds."""
        if any(cell.empty for seed in self.seeds for cell in seed.cells):
            return NO_PROBLEMS
        finished = all(cell.complete for seed in self.seeds for cell in seed.cells)
        return "not compared in two seeds" if finished else "not finished"

    @property
    def changes_parent(self) -> bool:
        """Whether it is a last stage that made another checkpoint of the one that it started from."""
        return self.last and self.after is not None and kind(self.kind).leaves_checkpoint


def means(
    rows: Sequence[SeedRow], over_seeds: Sequence[SeedsComparison | None], planned: Sequence[int]
) -> tuple[float | None, ...]:
    """A mean for each condition, of the seeds that its difference is of; of the `planned` ones where there is none.

    The baseline has none where the conditions' differences are of different seeds.
    """
    of = [planned if found is None else found.seeds for found in over_seeds]
    shared = {found.seeds for found in over_seeds if found is not None} or {tuple(planned)}
    baseline = finished_mean(rows, 0, shared.pop()) if len(shared) == 1 else None
    return baseline, *(finished_mean(rows, place, seeds) for place, seeds in enumerate(of, start=1))


def finished_mean(rows: Sequence[SeedRow], place: int, seeds: Sequence[int] | None = None) -> float | None:
    """A condition's mean over those of these seeds (None: all) that are finished; None before one is, or where graders differ."""
    cells = [
        row.cells[place] for row in rows if (seeds is None or row.seed in seeds) and row.cells[place].complete
    ]
    return fmean(cell.rate for cell in cells) if cells and graded_alike(cells) else None
