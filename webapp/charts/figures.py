"""Charts as figures for Plotly: plain dicts, small enough to send.

Colours are names of the style sheet's tokens ("--condition-0"); static/js/charts.js puts in the value for light or dark.
"""

from typing import Any

import numpy as np

from webapp.charts import curves
from webapp.charts.charts import Chart, ConditionCurves, Curve
from webapp.charts.choices import ChartChoices
from webapp.charts.curves import Band
from webapp.charts.part_traces import part_traces
from webapp.charts.sizes import in_fitting_unit
from webapp.charts.traces import colour, newest, of_run, quiet, trace

BEHIND = 250  # points of what lies behind
TITLE = {"standoff": 4}
END = 1.02  # of the x axis, so that a dot at its last point is whole
HEIGHT = 232  # pixels; static/css/charts.css keeps this much free before a chart is drawn
LOOKS = {  # width and opacity of a line
    "own": (2.5, 1.0),
    "other": (2.0, 1.0),
    "mean": (2.0, 1.0),
    "single": (1.0, 0.35),
    "raw": (1.0, 0.3),
}


def as_json(chart: Chart, choices: ChartChoices) -> dict[str, Any]:
    """What charts.js reads of a chart that it draws."""
    chart = in_fitting_unit(chart)
    return chart.kind.as_json() | {"latest": chart.latest, "figure": figure(chart, choices)}


def figure(chart: Chart, choices: ChartChoices) -> dict[str, Any]:
    """The figure for Plotly.react."""
    traces = part_traces(chart, choices) if chart.kind.parts else _condition_traces(chart, choices)
    return {"data": traces, "layout": _layout(chart, choices)}


def _condition_traces(chart: Chart, choices: ChartChoices) -> list[dict[str, Any]]:
    """What lies behind first: raw points, single runs, bands, means, then this run."""
    raw: list[dict[str, Any]] = []
    single: list[dict[str, Any]] = []
    bands: list[dict[str, Any]] = []
    front: list[dict[str, Any]] = []
    for place, condition in enumerate(chart.conditions):
        name = condition.run.condition.name
        if condition.band is not None:
            single += [
                _line(one, f"{name}, seed {one.run.seed}", choices, role="single", rank=place)
                for one in condition.curves
                if one.run != chart.own
            ]
            bands += _band(condition, condition.band, choices, place)
        for one in condition.curves:
            if one.interval is not None and (one.run == chart.own or condition.band is None):
                bands += _edges(one.interval, colour(one.run), choices)
        if condition.band is None and condition.run != chart.own:
            front.append(_line(condition.curves[0], name, choices, role="other", rank=place))
            raw += _raw(condition.curves[0], choices)
    own = chart.own_curve
    if own is not None:
        place = next(at for at, one in enumerate(chart.conditions) if own in one.curves)
        alone = len(chart.conditions[place].curves) == 1
        name = own.run.condition.name if alone else f"this run (seed {own.run.seed})"
        raw += _raw(own, choices)
        line = _line(own, name, choices, role="own", rank=place if alone else len(chart.conditions))
        front += [line, newest(line)] if line["x"] and choices.between is None else [line]
    return [*raw, *single, *bands, *front]


def _raw(curve: Curve, choices: ChartChoices) -> list[dict[str, Any]]:
    """What was recorded, behind what is smoothed."""
    return [_line(curve, f"{curve.run.condition.name}, raw", choices, role="raw")] if choices.smooth else []


def _line(curve: Curve, name: str, choices: ChartChoices, *, role: str, rank: int = 0) -> dict[str, Any]:
    width, opacity = LOOKS[role]
    values = curve.points.values if role == "raw" else curve.shown
    part = curves.within(curve.x, choices.between)
    x, values, steps = curve.x[part], values[part], curve.points.steps[part]
    places = curves.kept(x, values, BEHIND if role == "single" else choices.points)
    breaks: list[int] = []
    if choices.x == "time":
        ends = curves.gaps(x)
        breaks = [int(place) for place in np.unique(np.searchsorted(places, ends)) if 0 < place < len(places)]
    xs, ys = curves.written(x[places], values[places], breaks)
    line = trace(xs, ys, name, colour(curve.run), width=width, opacity=opacity, role=role, rank=rank)
    if role == "raw":
        return quiet(line) | {"hoverinfo": "skip"}
    at = None
    if choices.x != "step":
        at = curves.written(steps[places].astype(float), values[places], breaks)[0]
    line = of_run(line, curve, at)
    return quiet(line) if role == "single" else line


def _band(condition: ConditionCurves, found: Band, choices: ChartChoices, rank: int) -> list[dict[str, Any]]:
    """Least, largest with the area between them, and mean."""
    part = curves.within(found.x, choices.between)
    shade = colour(condition.run)
    x, values = found.x[part], found.mean[part]
    places = curves.kept(x, values, choices.points)
    name = f"{condition.run.condition.name}: mean of {len(condition.curves)}"  # the section's head says what the band is
    width, opacity = LOOKS["mean"]
    xs, ys = curves.written(x[places], values[places])
    mean = trace(xs, ys, name, shade, width=width, opacity=opacity, role="mean", rank=rank)
    return [*_edges(found, shade, choices), mean]


def _edges(found: Band, shade: str, choices: ChartChoices) -> list[dict[str, Any]]:
    """Least and largest, with the area between them."""
    part = curves.within(found.x, choices.between)
    edges = []
    for values in (found.low, found.high):
        x, values = found.x[part], values[part]
        places = curves.kept(x, values, choices.points // 2)
        xs, ys = curves.written(x[places], values[places])
        edge = quiet(trace(xs, ys, "", shade, width=0, opacity=1, role="band"))
        edges.append(edge | {"mode": "lines", "hoverinfo": "skip"})
    edges[1] |= {"fill": "tonexty", "fillcolor": f"{shade}/0.16"}
    return edges


def _layout(chart: Chart, choices: ChartChoices) -> dict[str, Any]:
    kind = chart.kind
    log_y = choices.logy and not kind.stacked
    x_axis: dict[str, Any] = {"title": TITLE | {"text": chart.axis.title}, "zeroline": False}
    x_axis |= {"type": "log"} if choices.logx else {"rangemode": "tozero"}
    if (last := _last_x(chart)) and not choices.logx:
        end = END * last
        x_axis["autorangeoptions"] = {"include": end, "clipmax": end}
    y_axis: dict[str, Any] = {
        "tickformat": ".1~%" if kind.percent else ",.6~g",  # 10,000 and 0.001 are written out
        "rangemode": "nonnegative" if kind.percent else "normal",  # a flat 0 is not around 0
        "zeroline": kind.stacked,
        "nticks": 5,
    }
    if log_y:
        y_axis |= {"type": "log", "rangemode": "normal"}
    if choices.clip and not kind.stacked:
        values = [one.shown for condition in chart.conditions for one in condition.curves]
        values += [one.curve.shown for one in chart.parts]
        if (ends := curves.clipped_range(values, log=log_y)) is not None:
            y_axis |= {"range": list(ends), "autorange": False}
    return {
        "margin": {"l": 52, "r": 12, "t": 16, "b": 36},
        "height": HEIGHT,
        "showlegend": bool(kind.parts),  # one legend above all charts says the conditions
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.12,  # above the marks
            "yanchor": "bottom",
            "traceorder": "normal",
            "font": {"size": 11},
        },
        "hovermode": "x",  # static/js/chart_cursor.js says the values, on all charts
        "xaxis": x_axis,
        "yaxis": y_axis,
    } | _marks(chart, choices)


def _last_x(chart: Chart) -> float:
    """Where the axis of every chart of the page ends, whatever reaches how far; later only where this one goes on."""
    curves_ = [one for condition in chart.conditions for one in condition.curves]
    curves_ += [one.curve for one in chart.parts]
    return max(chart.axis.end or 0.0, *(float(one.x[-1]) for one in curves_ if len(one.x)), 0.0)


def _marks(chart: Chart, choices: ChartChoices) -> dict[str, Any]:
    """A thin line where an attempt resumed, and its words above it."""
    curve = chart.own_curve or next((one.curve for one in chart.parts), None)
    marks = chart.axis.marks(chart.own.pk, curve.points) if curve else []
    marks = [mark for mark in marks if mark.x > 0 or not choices.logx]
    line = {"color": "--line-strong", "width": 1, "dash": "dot"}
    return {
        "shapes": [
            {"type": "line", "x0": one.x, "x1": one.x, "y0": 0, "y1": 1, "yref": "paper", "line": line}
            for one in marks
        ],
        "annotations": [
            {
                "x": float(np.log10(one.x)) if choices.logx else one.x,
                "y": 1,
                "yref": "paper",
                "yanchor": "bottom",  # above the curves
                "xanchor": "center",
                "text": f"↻{one.number}",
                "showarrow": False,
                "font": {"size": 11},
                "hovertext": one.text,
                "captureevents": True,
            }
            for one in marks
        ],
    }
