"""The answer as Plotly figures: what each condition reaches after every stage, how far it is from the baseline, planned contrasts.

All are `plotly.graph_objects.Figure`s in the colours of the light style sheet, for notebooks and files. Pages draw
`for_page()`, which names the style sheet's tokens instead, so that light and dark have their own colours.
"""

from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from webapp.comparison.figures import points
from webapp.comparison.figures.points import NONE, AnswerPoint, ConditionPoints, ContrastPoint
from webapp.comparison.table import StageTable

COLOURS = ("#0072b2", "#d55e00", "#00805d", "#b0558b", "#946a00", "#3b3b3b")  # --condition-0 … --condition-5
ZERO = "#8d8491"  # --line-strong
TOKENS = {colour: f"--condition-{place}" for place, colour in enumerate(COLOURS)} | {ZERO: "--line-strong"}
APART = 0.5  # of the distance of two stages is what the conditions' points take beside each other
FURTHEST = 0.12  # between two conditions' points, in stages
DASHES = ("solid", "dash", "dot", "dashdot")  # of the first six conditions, of the next six …
SYMBOLS = ("circle", "square", "diamond", "x")
FROM_ZERO = {
    "rangemode": "tozero",
    "zeroline": True,
    "zerolinecolor": ZERO,
    "zerolinewidth": 1.5,
    "tickformat": "+,.6~g",
    "labelalias": {"+0": "0"},
}
HALVES = (*range(20), *range(20, 201, 2))  # of a percent: below 10 % each, then whole ones
PERCENT = {f"{n / 2:g}%": f"{n / 2:g} %" for n in HALVES}  # with a space, as in texts
HEIGHT, LEGEND_ROW, LEGEND_COLUMNS = 300, 18, 4  # pixels, pixels, about so many


Link = Callable[[str, str, int], str]  # stage, condition, seed → what a click on the point opens; '' nothing


def reached(table: StageTable, link: Link | None = None) -> go.Figure:
    """The metric after every stage, a line a condition with the intervals of `points.reached`; each seed is a thin point."""
    share = table.metric.kind != "mean"
    y_axis: dict[str, Any] = {"tickformat": ",.6~g", "rangemode": "nonnegative"}
    if share:
        y_axis |= {"tickformat": ".1~%", "labelalias": PERCENT}
    return _by_stage(table, points.reached(table), y_axis, link)


def differences(table: StageTable, link: Link | None = None) -> go.Figure:
    """How far each other condition is from the baseline after every stage; of an equivalence with its margin as dashed lines."""
    figure = _by_stage(table, points.differences(table), FROM_ZERO, link)
    if (margin := table.roles.question.margin) is not None and table.roles.planned:
        for end, above in ((margin * table.metric.factor, True), (-margin * table.metric.factor, False)):
            figure.add_hline(
                y=end,
                line={"color": ZERO, "width": 1.5, "dash": "dash"},
                annotation={
                    "text": f"margin {'+' if above else '−'}{abs(end):g}",
                    "font": {"size": 11},
                    "yanchor": "bottom" if above else "top",
                },
                annotation_position="top left" if above else "bottom left",
            )
    return figure


def contrasts(table: StageTable, link: Link | None = None) -> go.Figure:
    """The planned gains or interactions, a point each with its interval; each seed is a thin point.

    What `link` opens is the condition after the contrast's stage.
    """
    found = points.contrasts(table)
    stages = {one.contrast.stage for one in found}
    names = [one.contrast.condition + (f", {one.contrast.stage}" if len(stages) > 1 else "") for one in found]
    traces: list[go.Scatter] = []
    for place, (name, one) in enumerate(zip(names, found, strict=True)):
        traces += _of_contrast(table, one, place, name, link)
    about = f"planned {found[0].contrast.kind}{f' of {stages.pop()}' if len(stages) == 1 else ''}"
    figure = _figure(about, names, traces, FROM_ZERO)
    figure.update_layout(showlegend=False)  # the axis names each
    return figure


def _by_stage(
    table: StageTable, found: Sequence[ConditionPoints], y_axis: dict[str, Any], link: Link | None
) -> go.Figure:
    traces, stages, order = [], [row.stage for row in table.rows], points.order(table)
    for place, one in enumerate(found):
        offset = _offset(place, len(found))
        traces.append(_line(table, one, offset, order, link))
        if one.seeds:
            traces.append(
                _seeds(
                    table,
                    one.name,
                    one.condition,
                    [point.place + offset for point in one.seeds],
                    [(stages[point.place], point.seed, point.y, point.said) for point in one.seeds],
                    link,
                )
            )
    rows = max(len(table.conditions) - 1, 0) // LEGEND_COLUMNS
    return _figure("stage", stages, traces, y_axis, legend_rows=rows)


def for_page(figure: go.Figure) -> dict[str, Any]:
    """The figure as JSON with the style sheet's tokens for its colours, as static/js/charts.js reads it."""
    found: dict[str, Any] = _with_tokens(figure.to_plotly_json())
    found["layout"].pop("template", None)
    return found


def _with_tokens(of: Any) -> Any:
    if isinstance(of, dict):
        return {key: _with_tokens(below) for key, below in of.items()}
    if isinstance(of, list | tuple):
        return [_with_tokens(below) for below in of]
    return TOKENS.get(of, of) if isinstance(of, str) else of


def _offset(place: int, of: int) -> float:
    """Where a condition's points stand beside their stage, so that intervals do not cover each other."""
    return (place - (of - 1) / 2) * min(FURTHEST, APART / max(of, 1))


def _line(
    table: StageTable,
    one: ConditionPoints,
    offset: float,
    order: Sequence[int | None],
    link: Link | None,
) -> go.Scatter:
    """A condition's line through the stages."""
    stages = [row.stage for row in table.rows]
    return _trace(
        table,
        one.name,
        one.condition,
        [None if place is None else round(place + offset, 4) for place in order],
        [NONE if place is None else one.points[place] for place in order],
        ["" if place is None else stages[place] for place in order],
        link,
    )


def _of_contrast(
    table: StageTable, one: ContrastPoint, place: int, name: str, link: Link | None
) -> list[go.Scatter]:
    """One planned contrast, and its seeds."""
    contrast = one.contrast
    opened = (lambda _, condition, seed: link(contrast.stage, condition, seed)) if link else None
    traces = [_trace(table, name, contrast.condition, [place], [one.point], [name], opened)]
    if one.seeds:
        single = [(contrast.stage, *of_seed) for of_seed in one.seeds]
        traces.append(_seeds(table, name, contrast.condition, [place] * len(single), single, link))
    return traces


def _trace(
    table: StageTable,
    name: str,
    condition: str,
    x: Sequence[float | None],
    at: Sequence[AnswerPoint],
    labels: Sequence[str],
    link: Link | None,
) -> go.Scatter:
    """Points of one condition with their intervals, in its colour; `labels` say after what each is."""
    colour, dash, symbol = _looks(table, condition)
    ends = [point.interval or (point.y or 0.0, point.y or 0.0) for point in at]
    return go.Scatter(
        name=name,
        x=list(x),
        y=[point.y for point in at],
        mode="lines+markers",
        connectgaps=False,
        line={"color": colour, "width": 2, "dash": dash},
        marker={"color": colour, "size": 7, "symbol": symbol},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, high - (point.y or 0.0)) for point, (_, high) in zip(at, ends, strict=True)],
            "arrayminus": [
                max(0.0, (point.y or 0.0) - low) for point, (low, _) in zip(at, ends, strict=True)
            ],
            "color": colour,
            "thickness": 1.25,
            "width": 4,
        },
        text=[
            f"<b>{name}</b>{'' if label == name else f' after {label}'}<br>{point.said}"
            for label, point in zip(labels, at, strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
        meta={
            "role": "condition",
            "labels": list(labels),
            "said": [point.said.replace("<br>", "; ") for point in at],
            "links": [
                link(label, condition, point.seed) if link and point.seed is not None else ""
                for label, point in zip(labels, at, strict=True)
            ],
        },
    )


def _seeds(
    table: StageTable,
    name: str,
    condition: str,
    x: Sequence[float],
    single: Sequence[tuple[str, int, float, str]],
    link: Link | None,
) -> go.Scatter:
    """Thin points: stage, seed, value and what is said of each."""
    colour, *_ = _looks(table, condition)
    return go.Scatter(
        name=f"{name}, single seeds",
        x=[round(at, 4) for at in x],
        y=[y for _, _, y, _ in single],
        mode="markers",
        opacity=0.55,
        showlegend=False,
        marker={
            "color": colour,
            "size": 8,
            "symbol": "line-ew-open",
            "line": {"width": 1.5, "color": colour},
        },
        text=[f"<b>{name}</b> after {stage}<br>{said}" for stage, _, _, said in single],
        hovertemplate="%{text}<extra></extra>",
        meta={
            "role": "single",
            "links": [link(stage, condition, seed) if link else "" for stage, seed, *_ in single],
        },
    )


def _looks(table: StageTable, condition: str) -> tuple[str, str, str]:
    """Colour, dash and symbol: no two conditions of a sweep look the same."""
    again, colour = divmod(table.positions[condition], len(COLOURS))
    return COLOURS[colour], DASHES[again % len(DASHES)], SYMBOLS[again % len(SYMBOLS)]


def _figure(
    across: str,
    names: Sequence[str],
    traces: Sequence[go.Scatter],
    y_axis: dict[str, Any],
    *,
    legend_rows: int = 0,
) -> go.Figure:
    """A figure over `names`, at 0, 1, … on the x axis, which is called `across`."""
    return go.Figure(
        list(traces),
        {
            "template": None,
            "height": HEIGHT + LEGEND_ROW * legend_rows,
            "margin": {"l": 52, "r": 12, "t": 8, "b": 40},
            "showlegend": True,
            "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": 12}},
            "hovermode": "closest",
            "xaxis": {
                "title": {"text": across, "standoff": 4},
                "tickmode": "array",
                "tickvals": list(range(len(names))),
                "ticktext": list(names),
                "range": [-0.4, max(len(names) - 1, 0) + 0.4],
                "autotickangles": [0, -30, -90],  # turned names end at their tick, so that the last one fits
                "zeroline": False,
            },
            "yaxis": {"nticks": 6, "zeroline": False} | y_axis,
        },
    )
