"""pass@k curves as rows, CSV, a table to read, and figures for static/js/charts.js."""

import csv as csv_format
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from webapp.results.grids import Grid, Value
from webapp.results.pass_curves import Change, Curve
from webapp.results.tables import StageTable
from webapp.results.wording import percent, points, points_interval
from webapp.rows import not_a_formula
from webapp.telemetry.charts import COLOURS

COLUMNS = (
    "experiment", "benchmark", "stage", "condition", "seed", "k", "pass_at_k", "low", "high", "problems", "samples",
    "temperature", "exported_at",
)  # fmt: skip


def rows(
    table: StageTable, found: Sequence[Curve], exported_at: datetime | None = None
) -> list[dict[str, Value]]:
    """One row for each point of each curve; proportions are 0…1 in full precision."""
    at = (exported_at or datetime.now(UTC)).isoformat(timespec="seconds")
    return [
        {
            "experiment": table.experiment.name,
            "benchmark": table.benchmark,
            "stage": curve.cell.stage,
            "condition": curve.cell.condition,
            "seed": curve.cell.seed,
            "k": k,
            "pass_at_k": rate,
            "low": interval.low,
            "high": interval.high,
            "problems": curve.cell.tally.problems if curve.cell.tally else None,
            "samples": curve.samples,
            "temperature": temperature(curve),
            "exported_at": at,
        }
        for curve in found
        for k, rate, interval in zip(curve.ks, curve.rates, curve.intervals, strict=True)
    ]


def csv(table: StageTable, found: Sequence[Curve], exported_at: datetime | None = None) -> str:
    """RFC 4180 with a header."""
    buffer = io.StringIO()
    writer = csv_format.writer(buffer)
    writer.writerow(COLUMNS)
    for row in rows(table, found, exported_at):
        writer.writerow(["" if row[name] is None else not_a_formula(row[name]) for name in COLUMNS])
    return buffer.getvalue()


def curve_grid(table: StageTable, found: Sequence[Curve]) -> Grid:
    """A line an evaluation, a column a k."""
    ks = sorted({k for curve in found for k in curve.ks})
    header = ["Stage", "Condition", *(["Seed"] if table.several_seeds else []), *(f"pass@{k}" for k in ks)]
    lines = []
    for curve in found:
        rates = dict(zip(curve.ks, curve.rates, strict=True))
        seed = [str(curve.cell.seed)] if table.several_seeds else []
        numbers = [percent(rates[k]) if k in rates else "–" for k in ks]
        lines.append([curve.cell.stage, curve.cell.condition, *seed, *numbers])
    return Grid(header, lines, labels=3 if table.several_seeds else 2)


def change_grid(table: StageTable, found: Sequence[Change]) -> Grid:
    """What the last stages did to pass@1 and to pass@(all samples)."""
    header = [
        "Step", "Condition", *(["Seed"] if table.several_seeds else []), "Δ pass@1", "95 % interval", "k", "Δ pass@k",
        "95 % interval", "What it did",
    ]  # fmt: skip
    lines = [
        [
            f"{one.before.stage} → {one.after.stage}",
            one.after.condition,
            *([str(one.after.seed)] if table.several_seeds else []),
            points(one.at_one.mean),
            points_interval(one.at_one.interval),
            str(one.samples),
            points(one.at_all.mean),
            points_interval(one.at_all.interval),
            one.word,
        ]
        for one in found
    ]
    return Grid(header, lines, labels=3 if table.several_seeds else 2)


def temperature(curve: Curve) -> float | None:
    """What its samples were drawn at."""
    value = curve.cell.tally.settings.get("temperature") if curve.cell.tally else None
    return value if isinstance(value, float) else None


def charts(table: StageTable, found: Sequence[Curve]) -> list[dict[str, Any]]:
    """One chart for each condition and seed, a line a stage, all on one scale; as static/js/charts.js reads them."""
    positions = {one.name: one.position for one in table.experiment.conditions.all()}
    stages = [row.stage for row in table.rows]
    highest = max((interval.high for curve in found for interval in curve.intervals), default=1.0)
    drawn = []
    for seed in table.seeds:
        for name in table.conditions:
            own = [one for one in found if (one.cell.condition, one.cell.seed) == (name, seed)]
            if own:
                colour = f"--condition-{min(positions[name], COLOURS - 1)}"
                traces = [_trace(one, colour, len(stages) - 1 - stages.index(one.cell.stage)) for one in own]
                drawn.append(
                    {
                        "key": f"{name}-{seed}",
                        "title": f"{name}, seed {seed}" if table.several_seeds else name,
                        "unit": "pass@k with 95 % interval",
                        "percent": True,
                        "main": True,
                        "latest": None,
                        "figure": {"data": traces, "layout": _layout(own, min(1.0, 1.05 * highest))},
                    }
                )
    return drawn


def _trace(curve: Curve, colour: str, stages_left: int) -> dict[str, Any]:
    """The last stage is a full line, the one before it dashed, earlier ones fainter."""
    opacity = max(0.35, 1 - 0.2 * stages_left)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": curve.cell.stage,
        "x": list(curve.ks),
        "y": [float(f"{rate:.6g}") for rate in curve.rates],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [high - rate for rate, (_, high) in zip(curve.rates, curve.intervals, strict=True)],
            "arrayminus": [rate - low for rate, (low, _) in zip(curve.rates, curve.intervals, strict=True)],
            "color": colour,
            "thickness": 1,
            "width": 3,
        },
        "opacity": opacity,
        "line": {
            "color": colour,
            "width": 2,
            "dash": ("solid", "dash", "dot", "dashdot")[min(stages_left, 3)],
        },
        "marker": {"color": colour, "size": 5},
        "meta": {"own": True},
    }


def _layout(own: Sequence[Curve], highest: float) -> dict[str, Any]:
    ks = sorted({k for curve in own for k in curve.ks})
    return {
        "margin": {"l": 52, "r": 12, "t": 8, "b": 36},
        "height": 300,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": 11}},
        "hovermode": "x unified",
        "xaxis": {
            "title": {"text": "k", "standoff": 4},
            "type": "log",
            "tickmode": "array",
            "tickvals": ks,
            "ticktext": [str(k) for k in ks],
            "zeroline": False,
        },
        "yaxis": {"tickformat": ".1~%", "range": [0, highest], "zeroline": False, "nticks": 6},
    }
