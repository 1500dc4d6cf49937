"""Rows of the problem map: one per problem, or one band for all problems that are wrong, or right, everywhere."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from webapp.comparison.problems.problem_map import ProblemMap

UNCHANGED = ["folded", "each"]  # how problems that never change may be drawn: a band, or a row each
_EVERYWHERE = {"0": "wrong everywhere", "1": "right everywhere"}


class MapRow(NamedTuple):
    """A row of the map."""

    place: int  # of its problem among the map's; of a band's first one
    problems: int  # that it stands for
    says: str  # of a band: '39 wrong everywhere'; '' of a problem


class RowLabel(NamedTuple):
    """What stands beside some rows that are alike."""

    row: int
    rows: int
    says: str


@dataclass(frozen=True)
class MapRows:
    """The rows in their order: what is wrong everywhere, what changes, what is right everywhere, where these are folded."""

    found: ProblemMap
    rows: tuple[MapRow, ...]
    folded: bool
    unchanged: int  # problems that are wrong or right everywhere

    @cached_property
    def bands(self) -> int:
        """How many rows stand for several problems."""
        return sum(bool(row.says) for row in self.rows)

    def labels(self, least: int) -> list[RowLabel]:
        """A label a band, and one where at least so many rows below each other have one history."""
        labels, at = [], 0
        for (says, history), same in itertools.groupby(self.rows, self._alike):
            count = len(list(same))
            kind = _kind(history)
            if says or count >= least:
                labels.append(RowLabel(at, count, says or f"{count:,} {kind or 'problems'}"))
            at += count
        return labels

    def _alike(self, row: MapRow) -> tuple[str, tuple[str, ...]]:
        return row.says, self.found.history(self.found.problems[row.place])


def map_rows(found: ProblemMap, unchanged: str = "") -> MapRows:
    """The rows of a map; `unchanged`: one of UNCHANGED, '' folds where more than half of the problems never change."""
    bands: dict[
        tuple[str, tuple[str, ...]], list[int]
    ] = {}  # what was not asked everywhere has a band of its own
    rows = []
    for place, problem in enumerate(found.problems):
        history = found.history(problem)
        rows.append(MapRow(place, 1, ""))
        if kind := _kind(history):
            bands.setdefault((kind, history), []).append(place)
    never = {place for places in bands.values() for place in places}
    folded = bool(never) and (unchanged == "folded" or (not unchanged and 2 * len(never) > len(rows)))
    if folded:
        wrong, right = (
            [
                MapRow(places[0], len(places), f"{len(places):,} {kind}")
                for (kind, _), places in bands.items()
                if kind == one
            ]
            for one in _EVERYWHERE.values()
        )
        rows = [*wrong, *(row for row in rows if row.place not in never), *right]
    return MapRows(found, tuple(rows), folded, len(never))


def _kind(history: Iterable[str]) -> str:
    """'wrong everywhere' or 'right everywhere', wherever it was asked; '' of a problem that changes or was never asked."""
    said = set("".join(history)) - {"-"}
    return _EVERYWHERE[said.pop()] if len(said) == 1 else ""
