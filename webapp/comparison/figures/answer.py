"""The answer as two Plotly figures: what each condition reaches after every stage, and how far it is from the baseline.

Both are `plotly.graph_objects.Figure`s in the colours of the light style sheet, for notebooks and files. Pages draw
`for_page()`, which names the style sheet's tokens instead, so that light and dark have their own colours.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from webapp.comparison.cells import Cell, Refusal, SameRun, SeedsComparison
from webapp.comparison.comparisons import Compared, Tested
from webapp.comparison.sentences.wording import difference, difference_interval, value
from webapp.comparison.stage_rows import StageRow
from webapp.comparison.table import StageTable
from webapp.statistics.intervals import Interval
from webapp.statistics.seeds import over_seeds
from webapp.statistics.verdicts import FEWEST

COLOURS = ("#0072b2", "#d55e00", "#00805d", "#b0558b", "#946a00", "#3b3b3b")  # --condition-0 … --condition-5
ZERO = "#8d8491"  # --line-strong
TOKENS = {colour: f"--condition-{place}" for place, colour in enumerate(COLOURS)} | {ZERO: "--line-strong"}
APART = 0.5  # of the distance of two stages is what the conditions' points take beside each other
FURTHEST = 0.12  # between two conditions' points, in stages
DASHES = ("solid", "dash", "dot", "dashdot")  # of the first six conditions, of the next six …
SYMBOLS = ("circle", "square", "diamond", "x")
HEIGHT, LEGEND_ROW, LEGEND_COLUMNS = 300, 18, 4  # pixels, pixels, about so many


class _Point(NamedTuple):
    """One condition after one stage."""

    y: float | None
    interval: Interval | None
    said: str
    seed: int | None  # that a click opens


NONE = _Point(None, None, "", None)
Link = Callable[[str, str, int], str]  # stage, condition, seed → what a click on the point opens; '' nothing


def reached(table: StageTable, link: Link | None = None) -> go.Figure:
    """The metric after every stage, a line a condition.

    Of one seed each point has the 95 % interval of the table; of several the line is their mean with Student's 95 %
    interval from three seeds on, and each seed is a thin point. A share is 0 … 1.
    """
    traces, order = [], _order(table)
    for place, name in enumerate(table.conditions):
        cells = [[seed.cells[place] for seed in row.seeds] for row in table.rows]
        points = [_reached(table, row, place, of) for row, of in zip(table.rows, cells, strict=True)]
        offset = _offset(place, len(table.conditions))
        traces.append(_line(table, name, name, offset, points, order, link))
        if table.several_seeds:
            single = [
                (stage, cell.seed, cell.rate, _said(table, cell))
                for stage, of in enumerate(cells)
                for cell in of
                if cell.complete
            ]
            traces.append(_seeds(table, name, offset, single, link))
    share = table.metric.kind != "mean"
    return _figure(table, traces, {"tickformat": ".1~%" if share else ",.6~g", "rangemode": "nonnegative"})


def differences(table: StageTable, link: Link | None = None) -> go.Figure:
    """How far each other condition is from the baseline after every stage, in the metric's unit of a difference.

    The interval is the one that the comparison's verdict goes by, of several seeds from three on; each seed's difference
    is a thin point.
    """
    traces, factor, order = [], table.metric.factor, _order(table)
    for place, name in enumerate(table.others):
        compared = [[seed.comparisons[place] for seed in row.seeds] for row in table.rows]
        points = [_compared(table, row, place, of) for row, of in zip(table.rows, compared, strict=True)]
        offset = _offset(place, len(table.others))
        traces.append(_line(table, f"{name} − {table.baseline}", name, offset, points, order, link))
        if table.several_seeds:
            single = [
                (stage, one.seed, one.delta * factor, f"seed {one.seed}: {_difference(table, one)}")
                for stage, of in enumerate(compared)
                for one in of
                if one is not None and not isinstance(one, Refusal | SameRun)
            ]
            traces.append(_seeds(table, name, offset, single, link))
    zero = {"zeroline": True, "zerolinecolor": ZERO, "zerolinewidth": 1.5, "tickformat": "+,.6~g"}
    return _figure(table, traces, zero)


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


def _reached(table: StageTable, row: StageRow, place: int, cells: Sequence[Cell]) -> _Point:
    """One condition after one stage."""
    complete = [cell for cell in cells if cell.complete]
    if not table.several_seeds:
        if not complete:
            return NONE
        one = complete[0]
        return _Point(one.rate, one.interval, _said(table, one), one.seed)
    mean = row.means[place]
    if mean is None:
        return NONE
    of = _seeds_of_mean(table, row, place)
    rates = [cell.rate for cell in complete if cell.seed in of]
    found = over_seeds(rates, largest=table.metric.largest).interval if len(rates) >= FEWEST else None
    interval = Interval(max(0.0, found.low), found.high) if found else None  # no share or amount is below 0
    said = f"mean of {_count(len(rates))}: {value(mean, table.metric, table.digits)}"
    return _Point(mean, interval, said, next(cell.seed for cell in complete if cell.seed in of))


def _seeds_of_mean(table: StageTable, row: StageRow, place: int) -> Sequence[int]:
    """The seeds that a condition's mean is of, as in stage_rows.means."""
    compared = row.over_seeds[place - 1] if place else next(filter(None, row.over_seeds), None)
    return compared.seeds if compared else table.seeds[: table.plan.seeds]


def _said(table: StageTable, cell: Cell) -> str:
    """A checkpoint's number with what it is out of."""
    seed = f"seed {cell.seed}: " if table.several_seeds else ""
    ends = ""
    if cell.interval is not None and not table.several_seeds:
        ends = f", {' to '.join(value(end, table.metric, table.digits) for end in cell.interval)}"
    return f"{seed}{value(cell.rate, table.metric, table.digits)} ({cell.fraction}){ends}"


def _compared(table: StageTable, row: StageRow, place: int, seeds: Sequence[Compared | None]) -> _Point:
    """One condition against the baseline after one stage."""
    one: Tested | SeedsComparison | None
    if table.several_seeds:
        one = row.over_seeds[place]
    else:
        (found,) = seeds
        one = None if found is None or isinstance(found, Refusal | SameRun) else found
    if one is None:
        return NONE
    of = f"mean of {_count(len(one.differences))}: " if isinstance(one, SeedsComparison) else ""
    factor = table.metric.factor
    few = isinstance(one, SeedsComparison) and len(one.differences) < FEWEST  # theirs would dwarf all others
    interval = (
        Interval(one.interval.low * factor, one.interval.high * factor) if one.interval and not few else None
    )
    said = f"{of}{_difference(table, one)}<br>{one.family.role}: {one.verdict.word}"
    opened = one.seeds[0] if isinstance(one, SeedsComparison) else one.seed
    return _Point(one.delta * factor, interval, said, opened)


def _difference(table: StageTable, one: Tested | SeedsComparison) -> str:
    ends = f", {difference_interval(one.interval, table.metric, table.digits)}" if one.interval else ""
    counts = getattr(one, "counts", None)
    flips = (
        f"<br>{counts.gained} gained, {counts.lost} lost of {counts.problems:,}"
        if counts and table.counts_pairs
        else ""
    )
    return f"{difference(one.delta, table.metric, table.digits)} {table.metric.unit}{ends}{flips}"


def _count(seeds: int) -> str:
    return f"{seeds} seed{'' if seeds == 1 else 's'}"


def _offset(place: int, of: int) -> float:
    """Where a condition's points stand beside their stage, so that intervals do not cover each other."""
    return (place - (of - 1) / 2) * min(FURTHEST, APART / max(of, 1))


def _line(
    table: StageTable,
    name: str,
    condition: str,
    offset: float,
    points: Sequence[_Point],
    order: Sequence[int | None],
    link: Link | None,
) -> go.Scatter:
    stages, (colour, dash, symbol) = [row.stage for row in table.rows], _looks(table, condition)
    at = [NONE if place is None else points[place] for place in order]
    labels = ["" if place is None else stages[place] for place in order]
    ends = [point.interval or (point.y or 0.0, point.y or 0.0) for point in at]
    return go.Scatter(
        name=name,
        x=[None if place is None else round(place + offset, 4) for place in order],
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
            f"<b>{name}</b> after {stage}<br>{point.said}" for stage, point in zip(labels, at, strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
        meta={
            "role": "condition",
            "labels": labels,
            "said": [point.said.replace("<br>", "; ") for point in at],
            "links": [
                link(stage, condition, point.seed) if link and point.seed is not None else ""
                for stage, point in zip(labels, at, strict=True)
            ],
        },
    )


def _order(table: StageTable) -> list[int | None]:
    """The rows in the order in which a line goes through them: from each to what starts from it, broken (None) between branches."""
    after = {stage.name: stage.after for stage in table.experiment.stages.select_related("after")}
    places = {row.stage: place for place, row in enumerate(table.rows)}
    order: list[int | None] = []
    for place, row in enumerate(table.rows):
        start = after[row.stage]
        while start is not None and start.name not in places:  # nothing is evaluated after it
            start = after[start.name]
        parent = places[start.name] if start is not None else None
        if order and parent != order[-1]:
            order += [None] if parent is None else [None, parent]
        order.append(place)
    return order


def _seeds(
    table: StageTable,
    name: str,
    offset: float,
    single: Sequence[tuple[int, int, float, str]],
    link: Link | None,
) -> go.Scatter:
    stages, (colour, *_) = [row.stage for row in table.rows], _looks(table, name)
    return go.Scatter(
        name=f"{name}, single seeds",
        x=[round(stage + offset, 4) for stage, *_ in single],
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
        text=[f"<b>{name}</b> after {stages[stage]}<br>{said}" for stage, _, _, said in single],
        hovertemplate="%{text}<extra></extra>",
        meta={
            "role": "single",
            "links": [link(stages[stage], name, seed) if link else "" for stage, seed, *_ in single],
        },
    )


def _looks(table: StageTable, condition: str) -> tuple[str, str, str]:
    """Colour, dash and symbol: no two conditions of a sweep look the same."""
    again, colour = divmod(table.positions[condition], len(COLOURS))
    return COLOURS[colour], DASHES[again % len(DASHES)], SYMBOLS[again % len(SYMBOLS)]


def _figure(table: StageTable, traces: Sequence[go.Scatter], y_axis: dict[str, Any]) -> go.Figure:
    stages = [row.stage for row in table.rows]
    return go.Figure(
        list(traces),
        {
            "template": None,
            "height": HEIGHT + LEGEND_ROW * (max(len(table.conditions) - 1, 0) // LEGEND_COLUMNS),
            "margin": {"l": 52, "r": 12, "t": 8, "b": 40},
            "showlegend": True,
            "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": 12}},
            "hovermode": "closest",
            "xaxis": {
                "title": {"text": "stage", "standoff": 4},
                "tickmode": "array",
                "tickvals": list(range(len(stages))),
                "ticktext": stages,
                "range": [-0.4, max(len(stages) - 1, 0) + 0.4],
                "zeroline": False,
            },
            "yaxis": {"nticks": 6, "zeroline": False} | y_axis,
        },
    )
