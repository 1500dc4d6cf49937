"""A run's charts: its series and those of the other conditions and seeds, as the choices above the charts want them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from webapp.charts.axes import TOKENS, Axis
from webapp.charts.choices import ChartChoices
from webapp.charts.curves import Band, Floats, band, smoothed, unit
from webapp.charts.kept_series import KEPT
from webapp.charts.kinds import COMPONENTS, Kind
from webapp.runs.models import StageRun
from webapp.telemetry.series import Series, recorded_names


@dataclass(frozen=True, eq=False)
class Curve:
    """One run's metric, every point that counts; arrays of one length."""

    run: StageRun
    points: Series
    x: Floats
    shown: Floats  # smoothed where that is chosen


@dataclass(frozen=True, eq=False)
class ConditionCurves:
    """The curves of a condition, one a seed, and what they have in common from two seeds on."""

    curves: Sequence[Curve]

    @property
    def run(self) -> StageRun:
        """Any of its runs, for the condition's name and colour."""
        return self.curves[0].run

    @cached_property
    def band(self) -> Band | None:
        """Mean and range over the seeds, of what is shown."""
        return band([(one.x, one.shown) for one in self.curves]) if len(self.curves) > 1 else None


@dataclass(frozen=True)
class Chart:
    """What a chart shows: the conditions, or the components and their total."""

    kind: Kind
    own: StageRun
    axis: Axis
    conditions: Sequence[ConditionCurves]
    components: Sequence[tuple[str, Curve]] = ()

    @property
    def own_curve(self) -> Curve | None:
        """This run's curve; of stacked components, the reward."""
        return next(
            (one for condition in self.conditions for one in condition.curves if one.run.pk == self.own.pk),
            None,
        )

    @property
    def latest(self) -> float | None:
        """This run's newest value that is a number."""
        if self.own_curve is None:
            return None
        values = self.own_curve.points.values
        finite = values[np.isfinite(values)]
        return float(finite[-1]) if len(finite) else None


def shown_runs(own: StageRun, choices: ChartChoices) -> list[StageRun]:
    """This run alone, or the same stage in every condition and seed that is not hidden."""
    if choices.runs == "own":
        return [own]
    of_stage = StageRun.objects.filter(stage=own.stage_id).select_related("condition", "stage")
    wanted = of_stage.exclude(condition__name__in=choices.hide).exclude(seed__in=choices.hide_seeds)
    return list(wanted.order_by("condition__position", "seed"))


def charts(own: StageRun, kinds: Sequence[Kind], choices: ChartChoices) -> list[Chart]:
    """These charts of the run, in this order. `own` comes with condition and stage."""
    runs = shown_runs(own, choices)
    components = sorted(name for name in _recorded(own, kinds) if name.startswith(COMPONENTS))
    names = {"reward" if kind.stacked else kind.name for kind in kinds}
    if choices.x == "tokens":
        names.add(TOKENS)
    every = list({run.pk: run for run in (*runs, own)}.values())  # it has the axis, though it be hidden
    found = KEPT.of([run.pk for run in every], names) | KEPT.of([own.pk], components)
    tokens = {run: one for (run, name), one in found.items() if name == TOKENS}
    axis = Axis(choices.x, own, every, tokens)
    return [_chart(own, runs, kind, choices, axis, found) for kind in kinds]


def _recorded(own: StageRun, kinds: Sequence[Kind]) -> set[str]:
    return recorded_names(own.pk) if any(kind.stacked for kind in kinds) else set()


def _chart(
    own: StageRun,
    runs: Iterable[StageRun],
    kind: Kind,
    choices: ChartChoices,
    axis: Axis,
    found: dict[tuple[int, str], Series],
) -> Chart:
    if kind.stacked:
        of = {name: one for (run, name), one in found.items() if run == own.pk and _is_of_reward(name)}
        drawn = _curves([(own, name, one) for name, one in sorted(of.items())], axis, choices)
        parts = [(name.removeprefix(COMPONENTS), one) for name, one in drawn if name != "reward"]
        return Chart(
            kind, own, axis, [ConditionCurves([one]) for name, one in drawn if name == "reward"], parts
        )
    known = [(run, kind.name, found[run.pk, kind.name]) for run in runs if (run.pk, kind.name) in found]
    by_condition: dict[int, list[Curve]] = {}
    for _, curve in _curves(known, axis, choices):
        by_condition.setdefault(curve.run.condition_id, []).append(curve)
    return Chart(kind, own, axis, [ConditionCurves(curves) for curves in by_condition.values()])


def _is_of_reward(name: str) -> bool:
    return name == "reward" or name.startswith(COMPONENTS)


def _curves(
    known: Sequence[tuple[StageRun, str, Series]], axis: Axis, choices: ChartChoices
) -> list[tuple[str, Curve]]:
    """All smoothed over the same length of axis, at full resolution: before anything is thinned."""
    placed = [(run, name, points, axis.of(run.pk, points)) for run, name, points in known]
    at = [(run, name, points, x) for run, name, points, x in placed if x is not None]
    span = max((float(x.max() - x.min()) for *_, x in at), default=0.0)
    length = unit(span, max((len(x) for *_, x in at), default=0))
    return [
        (name, Curve(run, points, x, smoothed(x, points.values, choices.smooth, length)))
        for run, name, points, x in at
    ]
