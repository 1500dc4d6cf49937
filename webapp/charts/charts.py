"""A run's charts: its series and those of the other conditions and seeds, as the choices above the charts want them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from webapp.charts.axes import TOKENS, Axis
from webapp.charts.choices import ChartChoices
from webapp.charts.curves import Band, Floats, band, smoothed, unit
from webapp.charts.kept_series import KEPT
from webapp.charts.kinds import Kind
from webapp.runs.models import StageRun
from webapp.statistics.proportions import wilson
from webapp.telemetry.series import Series, recorded_names

REACH = ("reward", "loss", "kept")  # one of them every kind of stage records at every step: how far a run is


@dataclass(frozen=True, eq=False)
class Curve:
    """One run's metric, every point that counts; arrays of one length."""

    run: StageRun
    points: Series
    x: Floats
    shown: Floats  # smoothed where that is chosen
    interval: Band | None = None  # of a share of so many things: each point's


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


class ChartPart(NamedTuple):
    """One of several metrics of this run."""

    metric: str
    label: str
    curve: Curve


@dataclass(frozen=True)
class Chart:
    """What a chart shows: the conditions, or parts of this run and their total."""

    kind: Kind
    own: StageRun
    axis: Axis
    conditions: Sequence[ConditionCurves]
    parts: Sequence[ChartPart] = ()

    @property
    def own_curve(self) -> Curve | None:
        """This run's curve; of parts, their total where they have one."""
        return next(
            (one for condition in self.conditions for one in condition.curves if one.run.pk == self.own.pk),
            None,
        )

    @property
    def latest(self) -> float | None:
        """This run's newest value that is a number, as it is drawn: smoothed where that is chosen."""
        if self.own_curve is None:
            return None
        values = self.own_curve.shown
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
    recorded = recorded_names(own.pk) if any(kind.parts for kind in kinds) else set()
    parts = {name for kind in kinds for name, _ in kind.parts_in(recorded)}
    own_names = parts | {kind.total for kind in kinds if kind.total}
    names = {name for kind in kinds if not kind.parts for name in (kind.name, kind.trials) if name} | {*REACH}
    if choices.x == "tokens":
        names.add(TOKENS)
    every = list({run.pk: run for run in (*runs, own)}.values())  # it has the axis, though it be hidden
    found = KEPT.of([run.pk for run in every], names) | KEPT.of([own.pk], own_names)
    tokens = {run: one for (run, name), one in found.items() if name == TOKENS}
    axis = Axis(choices.x, own, every, tokens)
    axis.reach((run, points) for (run, name), points in found.items() if name in REACH)
    return [_chart(own, runs, kind, choices, axis, found) for kind in kinds]


def _chart(
    own: StageRun,
    runs: Iterable[StageRun],
    kind: Kind,
    choices: ChartChoices,
    axis: Axis,
    found: dict[tuple[int, str], Series],
) -> Chart:
    if kind.parts:
        labels = dict(kind.parts_in(name for run, name in found if run == own.pk))
        of = [(own, name, found[own.pk, name]) for name in (*labels, kind.total) if (own.pk, name) in found]
        drawn = _curves(of, axis, choices)
        parts = [ChartPart(name, labels[name], one) for name, one in drawn if name in labels]
        total = [ConditionCurves([one]) for name, one in drawn if name == kind.total]
        return Chart(kind, own, axis, total, parts)
    known = [(run, kind.name, found[run.pk, kind.name]) for run in runs if (run.pk, kind.name) in found]
    by_condition: dict[int, list[Curve]] = {}
    for _, curve in _curves(known, axis, choices):
        trials = found.get((curve.run.pk, kind.trials))
        if trials is not None:
            curve = replace(curve, interval=_interval(curve, trials))
        by_condition.setdefault(curve.run.condition_id, []).append(curve)
    return Chart(kind, own, axis, [ConditionCurves(curves) for curves in by_condition.values()])


def _interval(curve: Curve, trials: Series) -> Band | None:
    """Wilson's 95 % interval of each recorded share, where the number of trials was recorded with all of them."""
    if not np.array_equal(curve.points.steps, trials.steps):
        return None
    of = [
        wilson(round(float(share * count)), int(count))
        for share, count in zip(curve.points.values, trials.values, strict=True)
    ]
    low, high = (np.array([getattr(one, end) for one in of]) for end in ("low", "high"))
    return Band(curve.x, curve.points.values, low, high)


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
