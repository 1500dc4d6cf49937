"""Charts as figures for Plotly: plain dicts, small enough to send.

Colours are names of the style sheet's tokens ("--condition-0"); static/js/charts.js puts in the value for light or dark.
"""

from typing import Any

import numpy as np

from webapp.charts import bars, curves
from webapp.charts.charts import Chart, ConditionCurves, Curve
from webapp.charts.choices import ChartChoices
from webapp.charts.curves import Band, Floats
from webapp.runs.models import StageRun

COLOURS = 6  # --condition-0 … --condition-5
BEHIND = 250  # points of what lies behind
COMPONENT_COLOURS = (*(f"--condition-{place}" for place in range(COLOURS)), "--line-strong", "--muted")
DASHES = ("solid", "dash", "dot", "dashdot")  # for parts, and for nothing else
TITLE = {"standoff": 4}


def as_json(chart: Chart, choices: ChartChoices) -> dict[str, Any]:
    """What charts.js reads of a chart that it draws."""
    return chart.kind.as_json() | {"latest": chart.latest, "figure": figure(chart, choices)}


def figure(chart: Chart, choices: ChartChoices) -> dict[str, Any]:
    """The figure for Plotly.react."""
    draw = _stack if chart.kind.stacked else _part_lines if chart.kind.parts else _condition_traces
    traces = draw(chart, choices)
    return {"data": traces, "layout": _layout(chart, choices, traces)}


def colour(run: StageRun) -> str:
    """The colour of the run's condition."""
    return f"--condition-{min(run.condition.position, COLOURS - 1)}"


def _condition_traces(chart: Chart, choices: ChartChoices) -> list[dict[str, Any]]:
    """What lies behind first: single runs, bands, means, then this run."""
    single: list[dict[str, Any]] = []
    bands: list[dict[str, Any]] = []
    front: list[dict[str, Any]] = []
    for condition in chart.conditions:
        name = condition.run.condition.name
        if condition.band is not None:
            single += [
                _line(one, name, choices, role="single") for one in condition.curves if one.run != chart.own
            ]
            bands += _band(condition, condition.band, choices)
        for one in condition.curves:
            if one.interval is not None and (one.run == chart.own or condition.band is None):
                bands += _edges(one.interval, colour(one.run), choices)
        if condition.band is None and condition.run != chart.own:
            front.append(_line(condition.curves[0], name, choices, role="other"))
    own = chart.own_curve
    if own is not None:
        alone = sum(len(condition.curves) for condition in chart.conditions if own in condition.curves) == 1
        name = own.run.condition.name
        if choices.smooth:
            single.append(_line(own, f"{name}, raw", choices, role="raw"))
        front.append(_line(own, name if alone else f"this run (seed {own.run.seed})", choices, role="own"))
    return [*single, *bands, *front]


def _line(curve: Curve, name: str, choices: ChartChoices, *, role: str) -> dict[str, Any]:
    looks = {
        "own": (2.25, 1.0, choices.points),
        "other": (1.5, 0.7, choices.points),
        "single": (1.0, 0.3, BEHIND),
        "raw": (1.0, 0.3, choices.points),
    }
    width, opacity, most = looks[role]
    values = curve.points.values if role == "raw" else curve.shown
    part = curves.within(curve.x, choices.between)
    x, values = curve.x[part], values[part]
    places = curves.kept(x, values, most)
    breaks: list[int] = []
    if choices.x == "time":
        ends = curves.gaps(x)
        breaks = [int(place) for place in np.unique(np.searchsorted(places, ends)) if 0 < place < len(places)]
    xs, ys = curves.written(x[places], values[places], breaks)
    quiet = role in ("single", "raw")
    return _trace(xs, ys, name, colour(curve.run), width=width, opacity=opacity, role=role) | (
        {"hoverinfo": "skip", "showlegend": False} if quiet else {}
    )


def _band(condition: ConditionCurves, found: Band, choices: ChartChoices) -> list[dict[str, Any]]:
    """Least, largest with the area between them, and mean."""
    part = curves.within(found.x, choices.between)
    shade = colour(condition.run)
    x, values = found.x[part], found.mean[part]
    places = curves.kept(x, values, choices.points)
    name = f"{condition.run.condition.name}: mean of {len(condition.curves)}"  # the section's head says what the band is
    mean = _trace(
        *curves.written(x[places], values[places]), name, shade, width=1.5, opacity=0.9, role="mean"
    )
    return [*_edges(found, shade, choices), mean]


def _edges(found: Band, shade: str, choices: ChartChoices) -> list[dict[str, Any]]:
    """Least and largest, with the area between them."""
    part = curves.within(found.x, choices.between)
    edges = []
    for values in (found.low, found.high):
        x, values = found.x[part], values[part]
        places = curves.kept(x, values, choices.points // 2)
        xs, ys = curves.written(x[places], values[places])
        edge = _trace(xs, ys, "", shade, width=0, opacity=1, role="band")
        edges.append(edge | {"mode": "lines", "hoverinfo": "skip", "showlegend": False})
    edges[1] |= {"fill": "tonexty", "fillcolor": f"{shade}/0.16"}
    return edges


def _part_lines(chart: Chart, choices: ChartChoices) -> list[dict[str, Any]]:
    """A line for each part, told apart by colour and dash."""
    traces = []
    for place, one in enumerate(chart.parts):
        part = curves.within(one.curve.x, choices.between)
        x, values = one.curve.x[part], one.curve.shown[part]
        places = curves.kept(x, values, choices.points // 2)
        shade = COMPONENT_COLOURS[place % len(COMPONENT_COLOURS)]
        trace = _trace(
            *curves.written(x[places], values[places]), one.label, shade, width=1.5, opacity=1.0, role="part"
        )
        trace["line"]["dash"] = DASHES[place % len(DASHES)]
        traces.append(trace)
    return traces


def _stack(chart: Chart, choices: ChartChoices) -> list[dict[str, Any]]:
    """Parts as areas on the same steps: what adds above zero, what takes below it; their total as a line."""
    if not chart.parts:
        return []
    total = chart.own_curve
    first = chart.parts[0].curve
    steps = total.points.steps if total else first.points.steps
    for one in chart.parts:
        steps = np.intersect1d(steps, one.curve.points.steps, assume_unique=True)

    def common(curve: Curve, values: Floats) -> Floats:
        return values[np.searchsorted(curve.points.steps, steps)]

    x = common(first, first.x)
    part = curves.within(x, choices.between)
    rows = {one.label: common(one.curve, one.curve.shown)[part] for one in chart.parts}
    whole = common(total, total.shown)[part] if total else np.sum(list(rows.values()), axis=0)
    x = x[part]
    places = curves.kept(x, whole, choices.points // 2)
    traces = []
    for place, (name, values) in enumerate(rows.items()):
        at = values[places]
        of_reward = chart.kind.key == "components"  # whose colours are the same on every page
        shade = COMPONENT_COLOURS[bars.colour(name) if of_reward else place % len(COMPONENT_COLOURS)]
        sides = [side for side in ("above", "below") if ((at > 0) if side == "above" else (at < 0)).any()]
        for number, side in enumerate(sides or ["above"]):
            half = np.maximum(at, 0) if side == "above" else np.minimum(at, 0)
            traces.append(_area(x[places], half, name, place, shade, side, number))
        traces[-len(sides or [1])]["customdata"] = curves.written(x[places], at)[1]
    if not chart.kind.total:
        return traces
    xs, ys = curves.written(x[places], whole[places])
    name = chart.kind.total.rpartition("/")[2]
    return [*traces, _trace(xs, ys, name, "--ink", width=2.0, opacity=1.0, role="own")]


def _area(
    x: Floats, values: Floats, name: str, dash: int, shade: str, side: str, number: int
) -> dict[str, Any]:
    xs, ys = curves.written(x, values)
    trace = _trace(xs, ys, name, shade, width=1.0, opacity=1.0, role="component" if not number else "rest")
    trace["line"]["dash"] = DASHES[dash % len(DASHES)]
    return trace | {
        "mode": "lines",
        "stackgroup": side,
        "fillcolor": f"{shade}/0.35",
        "legendgroup": name,
        "showlegend": not number,
    }


def _trace(
    x: list[float],
    y: list[float | None],
    name: str,
    shade: str,
    *,
    width: float,
    opacity: float,
    role: str,
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines" if len(x) > 1 else "markers",
        "name": name,
        "x": x,
        "y": y,
        "opacity": opacity,
        "line": {"color": shade, "width": width},
        "marker": {"color": shade},
        "hoverinfo": "none",
        "meta": {"own": role == "own", "role": role},
    }


def _layout(chart: Chart, choices: ChartChoices, traces: list[dict[str, Any]]) -> dict[str, Any]:
    kind, legend = chart.kind, sum(trace.get("showlegend", True) for trace in traces) > 1
    log_y = choices.logy and not kind.stacked
    x_axis: dict[str, Any] = {"title": TITLE | {"text": chart.axis.title}, "zeroline": False}
    x_axis |= {"type": "log"} if choices.logx else {"rangemode": "tozero"}
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
        "margin": {"l": 52, "r": 12, "t": 8, "b": 36},
        "height": 248 if legend else 216,
        "showlegend": legend,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.0,
            "yanchor": "bottom",
            "traceorder": "normal",
            "font": {"size": 11},
        },
        "hovermode": "x",  # static/js/chart_cursor.js says the values, on all charts
        "xaxis": x_axis,
        "yaxis": y_axis,
    } | _marks(chart, choices)


def _marks(chart: Chart, choices: ChartChoices) -> dict[str, Any]:
    """A thin line where an attempt resumed, and its words at the top of it."""
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
                "yanchor": "top",
                "xanchor": "left",
                "text": f"↻{one.number}",
                "showarrow": False,
                "font": {"size": 11},
                "hovertext": one.text,
                "captureevents": True,
            }
            for one in marks
        ],
    }
