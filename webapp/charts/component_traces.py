"""The reward by its components: areas on both sides of zero where they are few, else a line each; the reward in front."""

from typing import Any

import numpy as np

from webapp.charts import bars, curves
from webapp.charts.charts import Chart, Curve
from webapp.charts.choices import ChartChoices
from webapp.charts.curves import Floats
from webapp.charts.traces import COLOURS, of_run, trace

COMPONENT_COLOURS = (*(f"--condition-{place}" for place in range(COLOURS)), "--line-strong", "--muted")
DASHES = ("solid", "dash", "dot", "dashdot")  # for components, and for nothing else
MOST_AREAS = 3  # thinner ones cannot be told apart


def component_traces(chart: Chart, choices: ChartChoices) -> list[dict[str, Any]]:
    """Components on the same steps, none of them where it is 0 throughout; the reward as a line."""
    if not chart.components:
        return []
    total = chart.own_curve
    first = chart.components[0][1]
    steps = total.points.steps if total else first.points.steps
    for _, one in chart.components:
        steps = np.intersect1d(steps, one.points.steps, assume_unique=True)

    def common(curve: Curve, values: Floats) -> Floats:
        return values[np.searchsorted(curve.points.steps, steps)]

    x = common(first, first.x)
    part = curves.within(x, choices.between)
    rows = {name: common(one, one.shown)[part] for name, one in chart.components}
    whole = common(total, total.shown)[part] if total else np.sum(list(rows.values()), axis=0)
    x = x[part]
    places = curves.kept(x, whole, choices.points // 2)
    acting = {name: values for name, values in rows.items() if values.any()} or rows
    draw = _areas if len(acting) <= MOST_AREAS else _lines
    traces = draw(x[places], {name: values[places] for name, values in acting.items()})
    xs, ys = curves.written(x[places], whole[places])
    at = None if choices.x == "step" else [int(step) for step in steps[part][places]]
    reward = trace(xs, ys, "reward", "--ink", width=2.25, opacity=1.0, role="own", rank=-1)
    return [*traces, of_run(reward, total or first, at)]


def _lines(x: Floats, rows: dict[str, Floats]) -> list[dict[str, Any]]:
    """A line each; those of one colour are dashed differently."""
    traces, seen = [], dict[str, int]()
    for place, (name, values) in enumerate(rows.items()):
        shade = COMPONENT_COLOURS[bars.colour(name)]
        again = seen[shade] = seen.get(shade, -1) + 1
        line = trace(
            *curves.written(x, values), name, shade, width=1.75, opacity=1.0, role="component", rank=place
        )
        line["line"]["dash"] = DASHES[again % len(DASHES)]
        traces.append(line)
    return traces


def _areas(x: Floats, rows: dict[str, Floats]) -> list[dict[str, Any]]:
    """What adds is stacked above zero, what takes below it; one that does both has an area on either side."""
    traces = []
    for place, (name, at) in enumerate(rows.items()):
        sides = [side for side in ("above", "below") if ((at > 0) if side == "above" else (at < 0)).any()]
        for number, side in enumerate(sides or ["above"]):
            half = np.maximum(at, 0) if side == "above" else np.minimum(at, 0)
            traces.append(_area(x, half, name, place, side, number))
        traces[-len(sides or [1])]["customdata"] = curves.written(x, at)[1]
    return traces


def _area(x: Floats, values: Floats, name: str, place: int, side: str, number: int) -> dict[str, Any]:
    shade = COMPONENT_COLOURS[bars.colour(name)]
    xs, ys = curves.written(x, values)
    role = "component" if not number else "rest"
    found = trace(xs, ys, name, shade, width=1.0, opacity=1.0, role=role, rank=place)
    found["line"]["dash"] = DASHES[place % len(DASHES)]
    return found | {
        "mode": "lines",
        "stackgroup": side,
        "fillcolor": f"{shade}/0.35",
        "legendgroup": name,
        "showlegend": not number,
    }
