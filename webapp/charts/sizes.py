"""Memory in the unit that fits it: what is less than 1 GiB throughout is drawn in MiB."""

from dataclasses import replace

import numpy as np

from webapp.charts.charts import Chart, ConditionCurves, Curve

LARGE, SMALL, RATIO = "GiB", "MiB", 1024.0


def in_fitting_unit(chart: Chart) -> Chart:
    """The same chart, its values in the smaller unit where all of them are below 1 of the larger; files keep the larger."""
    curves = [one for condition in chart.conditions for one in condition.curves]
    if not chart.kind.unit.startswith(LARGE) or not curves or max(map(_largest, curves)) >= 1:
        return chart
    return replace(
        chart,
        kind=replace(chart.kind, unit=chart.kind.unit.replace(LARGE, SMALL)),
        conditions=[
            ConditionCurves([_scaled(one) for one in condition.curves]) for condition in chart.conditions
        ],
    )


def _largest(curve: Curve) -> float:
    finite = curve.points.values[np.isfinite(curve.points.values)]
    return float(finite.max()) if len(finite) else 0.0


def _scaled(curve: Curve) -> Curve:
    points = replace(curve.points, values=RATIO * curve.points.values)
    return replace(curve, points=points, shown=RATIO * curve.shown)
