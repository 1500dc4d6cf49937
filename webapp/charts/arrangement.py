"""Where each chart of a run stands: in the order that a person chose, pinned ones first, what is 0 throughout apart.

A browser keeps the order in a cookie (static/js/chart_places.js), so that the page comes as it stays.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from webapp.charts.charts import shown_runs
from webapp.charts.choices import ChartChoices
from webapp.charts.kinds import ANY, Kind
from webapp.runs.models import StageRun
from webapp.telemetry.series import names_beside_zero

COOKIE = "chart_order"  # keys, separated by commas; * before those that are pinned
PIN = "*"


@dataclass(frozen=True)
class PlacedKind:
    """A chart and where it stands."""

    kind: Kind
    pinned: bool = False
    zero: bool = False  # no run that is shown has recorded anything else

    def as_json(self) -> dict[str, Any]:
        """What charts.js makes the chart's frame of."""
        return self.kind.as_json() | {"pinned": self.pinned, "zero": self.zero}


def placed(own: StageRun, kinds: Sequence[Kind], choices: ChartChoices, cookie: str) -> list[PlacedKind]:
    """Curated charts in the person's order, then the others in theirs. Two queries."""
    chosen = [key for key in unquote(cookie).split(",") if key]
    pinned = {key.removeprefix(PIN) for key in chosen if key.startswith(PIN)}
    main = {kind.key: kind for kind in kinds if kind.main}
    order = merged([key.removeprefix(PIN) for key in chosen], list(main))
    groups = list(dict.fromkeys(kind.group for kind in main.values()))
    found = sorted(
        (main[key] for key in order), key=lambda kind: (kind.key not in pinned, groups.index(kind.group))
    )
    runs = [run.pk for run in shown_runs(own, choices)]
    names = {part for kind in found for part in _names(kind, kinds)}
    beside_zero = names_beside_zero({own.pk, *runs}, names)
    placed_ = [
        PlacedKind(kind, kind.key in pinned, beside_zero.isdisjoint(_names(kind, kinds))) for kind in found
    ]
    return [*placed_, *(PlacedKind(kind) for kind in kinds if not kind.main)]


def merged(chosen: Iterable[str], known: Sequence[str]) -> list[str]:
    """The known keys in the chosen order; one that was not chosen stands behind the one that it follows in `known`."""
    order = [key for key in dict.fromkeys(chosen) if key in known]
    for place, key in enumerate(known):
        if key not in order:
            order.insert(order.index(known[place - 1]) + 1 if place else 0, key)
    return order


def _names(kind: Kind, kinds: Iterable[Kind]) -> set[str]:
    """The metrics that a chart draws."""
    if not kind.parts:
        return {kind.name}
    parts = kind.parts_in(one.name for one in kinds if one.key.startswith(ANY))
    return {kind.total, *(name for name, _ in parts)} - {""}
