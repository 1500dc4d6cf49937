"""One line of a chart for Plotly, and what charts.js reads of it: whose it is, and the steps of its points."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from webapp.charts.charts import Curve
from webapp.runs.models import StageRun

COLOURS = 6  # --condition-0 … --condition-5


def colour(run: StageRun) -> str:
    """The colour of the run's condition."""
    return f"--condition-{min(run.condition.position, COLOURS - 1)}"


def trace(
    x: Sequence[float],
    y: Sequence[float | None],
    name: str,
    shade: str,
    *,
    width: float,
    opacity: float,
    role: str,
    rank: int = 0,
) -> dict[str, Any]:
    """A line of a figure; `rank`: its place in legends and tables, whatever lies in front. x and y have one length."""
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
        "legendrank": 1000 + rank,
        "meta": {"own": role == "own", "role": role},
    }


def quiet(found: dict[str, Any]) -> dict[str, Any]:
    """The same line without a word in legends."""
    return found | {"showlegend": False}


def of_run(found: dict[str, Any], curve: Curve, steps: Sequence[float | None] | None) -> dict[str, Any]:
    """The same line with its run, and the steps of its points (None: x says them), so that a point opens its rollouts."""
    said = {"run": curve.run.pk, "every": _interval(curve)}
    return found | {"meta": found["meta"] | said | ({} if steps is None else {"steps": steps})}


def newest(found: dict[str, Any]) -> dict[str, Any]:
    """A dot at a line's end: a run that goes on is seen to its last point."""
    shade = found["line"]["color"]
    dot = trace(found["x"][-1:], found["y"][-1:], "", shade, width=0, opacity=1.0, role="newest")
    return dot | {"marker": {"color": shade, "size": 6}, "hoverinfo": "skip", "showlegend": False}


def _interval(curve: Curve) -> int:
    """How many steps a point speaks for: the usual distance of two, and no less than what one batch of rollouts is for."""
    steps = curve.points.steps
    settings = (curve.run.spec or {}).get("settings") or {}
    usual = int(np.median(np.diff(steps))) if len(steps) > 1 else 1
    return max(1, usual, int(settings.get("iterations", 1)))
