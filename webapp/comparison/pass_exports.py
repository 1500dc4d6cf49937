"""pass@k curves as sheets, and as figures for static/js/charts.js."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from webapp.charts.figures import COLOURS
from webapp.comparison.pass_curves import Change, Curve, changes, curves
from webapp.comparison.table import StageTable
from webapp.files.grid import Grid
from webapp.files.number_text import percent, points, points_interval
from webapp.files.table import Sheet, Value, columns

COLUMNS = {
    "experiment": "text", "benchmark": "text", "stage": "text", "condition": "text", "seed": "integer", "k": "integer",
    "pass_at_k": "number", "low": "number", "high": "number", "problems": "integer", "samples": "integer",
    "temperature": "number", "exported_at": "time",
}  # fmt: skip
OF_CHANGES = {
    "experiment": "text", "benchmark": "text", "stage": "text", "after": "text", "condition": "text", "seed": "integer",
    "delta_pass_at_1": "number", "pass_at_1_low": "number", "pass_at_1_high": "number", "k": "integer",
    "delta_pass_at_k": "number", "pass_at_k_low": "number", "pass_at_k_high": "number", "problems": "integer",
    "what_it_did": "text", "exported_at": "time",
}  # fmt: skip


def sheets(table: StageTable, exported_at: datetime | None = None) -> list[Sheet]:
    """The curves, and what the last stages did to them; proportions are 0…1 in full precision."""
    at = (exported_at or datetime.now(UTC)).replace(microsecond=0)
    found, changed = curves(table), changes(table)
    return [
        Sheet("pass_at_k", "pass@k", columns(COLUMNS), _points(table, found, at), curve_grid(table, found)),
        Sheet(
            "pass_changes",
            "What the last stages did",
            columns(OF_CHANGES),
            [_changed(table, one, at) for one in changed],
            change_grid(table, changed),
        ),
    ]


def _points(table: StageTable, found: Sequence[Curve], at: datetime) -> list[tuple[Value, ...]]:
    """One row for each point of each curve."""
    return [
        (
            table.experiment.name,
            table.benchmark,
            curve.cell.stage,
            curve.cell.condition,
            curve.cell.seed,
            k,
            rate,
            interval.low,
            interval.high,
            curve.cell.tally.problems if curve.cell.tally else None,
            curve.samples,
            temperature(curve),
            at,
        )
        for curve in found
        for k, rate, interval in zip(curve.ks, curve.rates, curve.intervals, strict=True)
    ]


def _changed(table: StageTable, one: Change, at: datetime) -> tuple[Value, ...]:
    first, every = one.at_one, one.at_all
    return (
        table.experiment.name,
        table.benchmark,
        one.after.stage,
        one.before.stage,
        one.after.condition,
        one.after.seed,
        first.mean,
        *first.interval,
        one.samples,
        every.mean,
        *every.interval,
        first.problems,
        one.word,
        at,
    )


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
    return Grid(header, lines, labels=3 if table.several_seeds else 2, words=(len(header) - 1,))


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
