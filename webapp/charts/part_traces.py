"""Several metrics of one run on a chart: areas that add up, on both sides of zero, or a line each; their total in front."""

from typing import Any

import numpy as np

from webapp.charts import bars, curves
from webapp.charts.charts import Chart, ChartPart, Curve
from webapp.charts.choices import ChartChoices
from webapp.charts.curves import Floats
from webapp.charts.traces import of_run, trace

COMPONENT_COLOURS = tuple(f"--part-{place}" for place in range(8))  # no condition's
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")  # for parts, and for nothing else
MOST_AREAS = 3  # thinner ones cannot be told apart
SOLVED = {  # line and area of the groups' kinds, as the prompt map has them (static/css/maps.css)
    "none": ("--muted", "--muted/0.32"),
    "some": ("--succeeded", "--succeeded/0.5"),
    "all": ("--succeeded", "--succeeded"),
}


def part_traces(chart: Chart, choices: ChartChoices) -> list[dict[str, Any]]:
    """A line for each part; stacked ones on the same steps, none of them where it is 0 throughout, with their total."""
    if not chart.parts:
        return []
    if not chart.kind.stacked:
        return [_line(one, place, choices) for place, one in enumerate(chart.parts)]
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
    acting = {name: values for name, values in rows.items() if values.any()} or rows
    of_reward = chart.kind.key == "components"
    shades = {name: _shade(bars.colour(name) if of_reward else place) for place, name in enumerate(rows)}
    draw = _lines if of_reward and len(acting) > MOST_AREAS else _areas
    traces = draw(x[places], {name: values[places] for name, values in acting.items()}, shades)
    if not chart.kind.total:
        return traces
    xs, ys = curves.written(x[places], whole[places])
    at = None if choices.x == "step" else [int(step) for step in steps[part][places]]
    name = chart.kind.total.rpartition("/")[2]
    in_front = trace(xs, ys, name, "--ink", width=2.25, opacity=1.0, role="own", rank=-1)
    return [*traces, of_run(in_front, total or first, at)]


def _shade(place: int) -> str:
    return COMPONENT_COLOURS[place % len(COMPONENT_COLOURS)]


def _line(one: ChartPart, place: int, choices: ChartChoices) -> dict[str, Any]:
    """One part on its own steps; told apart from the others by colour and dash."""
    part = curves.within(one.curve.x, choices.between)
    x, values, steps = one.curve.x[part], one.curve.shown[part], one.curve.points.steps[part]
    places = curves.kept(x, values, choices.points // 2)
    xs, ys = curves.written(x[places], values[places])
    line = trace(xs, ys, one.label, _shade(place), width=1.75, opacity=1.0, role="part", rank=place)
    line["line"]["dash"] = DASHES[place % len(DASHES)]
    return of_run(line, one.curve, None if choices.x == "step" else [int(step) for step in steps[places]])


def _lines(x: Floats, rows: dict[str, Floats], shades: dict[str, str]) -> list[dict[str, Any]]:
    """A line each, told apart by its dash, whose colour is the component's everywhere."""
    traces = []
    for place, (name, values) in enumerate(rows.items()):
        line = trace(
            *curves.written(x, values),
            name,
            shades[name],
            width=1.75,
            opacity=1.0,
            role="component",
            rank=place,
        )
        line["line"]["dash"] = DASHES[place % len(DASHES)]
        traces.append(line)
    return traces


def _areas(x: Floats, rows: dict[str, Floats], shades: dict[str, str]) -> list[dict[str, Any]]:
    """What adds is stacked above zero, what takes below it; one that does both has an area on either side."""
    traces = []
    looks = {name: (shade, f"{shade}/0.35") for name, shade in shades.items()}
    looks |= SOLVED if rows.keys() <= SOLVED.keys() else {}
    for place, (name, at) in enumerate(rows.items()):
        sides = [side for side in ("above", "below") if ((at > 0) if side == "above" else (at < 0)).any()]
        for number, side in enumerate(sides or ["above"]):
            half = np.maximum(at, 0) if side == "above" else np.minimum(at, 0)
            traces.append(_area(x, half, name, looks[name], place, side, number))
        traces[-len(sides or [1])]["customdata"] = curves.written(x, at)[1]
    return traces


def _area(
    x: Floats, values: Floats, name: str, looks: tuple[str, str], place: int, side: str, number: int
) -> dict[str, Any]:
    xs, ys = curves.written(x, values)
    shade, fill = looks
    role = "component" if not number else "rest"
    found = trace(xs, ys, name, shade, width=1.0, opacity=1.0, role=role, rank=place)
    found["line"]["dash"] = DASHES[place % len(DASHES)]
    return found | {
        "mode": "lines",
        "stackgroup": side,
        "fillcolor": fill,
        "legendgroup": name,
        "showlegend": not number,
    }
