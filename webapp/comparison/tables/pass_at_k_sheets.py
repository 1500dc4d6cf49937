"""pass@k curves as sheets, and as figures for static/js/charts.js."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from webapp.charts.traces import COLOURS
from webapp.comparison.columns import exported, of_the_table, temperature
from webapp.comparison.pass_curves import PassCurve, changes, curves
from webapp.comparison.table import StageTable
from webapp.files.number_text import percent, points, points_interval
from webapp.files.table import Column, Sheet, View
from webapp.statistics.intervals import Interval


class PassCurvePoint(NamedTuple):
    """A point of a curve: a row for programs."""

    curve: PassCurve
    k: int
    pass_at_k: float
    interval: Interval


def sheets(table: StageTable, exported_at: datetime | None = None) -> list[Sheet]:
    """The curves, and what the last stages did to them; proportions are 0…1 in full precision."""
    return [curve_sheet(table, exported_at), change_sheet(table, exported_at)]


def curve_sheet(table: StageTable, exported_at: datetime | None = None) -> Sheet:
    """A row a point for programs; for people a line an evaluation, a column a k."""
    found = curves(table)
    columns = [
        *of_the_table(table),
        Column("stage", "text", value="curve.cell.stage"),
        Column("condition", "text", value="curve.cell.condition"),
        Column("seed", "integer", value="curve.cell.seed"),
        Column("k", "integer"),
        Column("pass_at_k", "number"),
        Column("low", "number", value="interval.low"),
        Column("high", "number", value="interval.high"),
        Column("problems", "integer", value="curve.cell.tally.problems"),
        Column("samples", "integer", value="curve.samples"),
        Column("temperature", "number", value=lambda one: temperature(one.curve.cell)),
        exported(exported_at),
    ]  # fmt: skip
    to_read = [
        Column("stage", "text", "Stage", value="cell.stage"),
        Column("condition", "text", "Condition", value="cell.condition"),
        *_seed(table, "cell.seed"),
    ]
    for k in sorted({k for curve in found for k in curve.ks}):
        to_read.append(Column("", "number", f"pass@{k}", percent, partial(PassCurve.rate, k=k)))
    every = [
        PassCurvePoint(curve, *point)
        for curve in found
        for point in zip(curve.ks, curve.rates, curve.intervals, strict=True)
    ]
    return Sheet("pass_at_k", "pass@k", columns, every, View(to_read, found))


def change_sheet(table: StageTable, exported_at: datetime | None = None) -> Sheet:
    """What the last stages did to pass@1 and to pass@(all samples)."""
    condition = Column("condition", "text", "Condition", value="after.condition")
    one = Column("delta_pass_at_1", "number", "Δ pass@1", points, "at_one.mean", unit="points", term="pass-k")
    k = Column("k", "integer", "k", value="samples")
    all_k = Column("delta_pass_at_k", "number", "Δ pass@k", points, "at_all.mean", unit="points")
    did = Column("what_it_did", "text", "What it did", value="word", element="strong")
    columns = [
        *of_the_table(table),
        Column("stage", "text", value="after.stage"),
        Column("after", "text", value="before.stage"),
        condition,
        Column("seed", "integer", value="after.seed"),
        one,
        Column("pass_at_1_low", "number", value="at_one.interval.low"),
        Column("pass_at_1_high", "number", value="at_one.interval.high"),
        k,
        all_k,
        Column("pass_at_k_low", "number", value="at_all.interval.low"),
        Column("pass_at_k_high", "number", value="at_all.interval.high"),
        Column("problems", "integer", value="at_one.problems"),
        did,
        exported(exported_at),
    ]
    step = Column("", "text", "Step", "{0.before.stage} → {0.after.stage}".format, lambda change: change)
    of_one, of_all = (
        Column("", "number", "95 % interval", points_interval, f"{end}.interval")
        for end in ("at_one", "at_all")
    )
    to_read = [step, condition, *_seed(table, "after.seed"), one, of_one, k, all_k, of_all, did]
    found = changes(table)
    return Sheet("pass_changes", "What the last stages did", columns, found, View(to_read, found))


def _seed(table: StageTable, path: str) -> list[Column]:
    return [Column("seed", "integer", "Seed", value=path, left=True)] if table.several_seeds else []


def charts(table: StageTable, found: Sequence[PassCurve]) -> list[dict[str, Any]]:
    """One chart for each condition and seed, a line a stage, all on one scale; as static/js/charts.js reads them."""
    stages = [row.stage for row in table.rows]
    highest = max((interval.high for curve in found for interval in curve.intervals), default=1.0)
    drawn = []
    for seed in table.seeds:
        for name in table.conditions:
            own = [one for one in found if (one.cell.condition, one.cell.seed) == (name, seed)]
            if own:
                colour = f"--condition-{min(table.positions[name], COLOURS - 1)}"
                traces = [_trace(one, colour, len(stages) - 1 - stages.index(one.cell.stage)) for one in own]
                drawn.append(
                    {
                        "key": f"pass-{name}-{seed}",
                        "title": f"{name}, seed {seed}" if table.several_seeds else name,
                        "unit": "pass@k with 95 % interval",
                        "percent": True,
                        "main": True,
                        "latest": None,
                        "figure": {"data": traces, "layout": _layout(own, min(1.0, 1.05 * highest))},
                    }
                )
    return drawn


def _trace(curve: PassCurve, colour: str, stages_left: int) -> dict[str, Any]:
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


def _layout(own: Sequence[PassCurve], highest: float) -> dict[str, Any]:
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
