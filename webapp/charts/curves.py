"""What is done to a series before it is drawn: smoothing, mean and range over seeds, clipping, thinning. Arrays only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tsdownsample import MinMaxLTTBDownsampler

Floats = NDArray[np.float64]

SCALE = 1000.0  # an x axis is at most so many units long for smoothing, whatever it counts (as in W&B)
BLOCK = 500.0  # exponents within a block; e^500 is far from the largest float
LONG = 10.0  # times the usual interval: a gap
LOW, HIGH = 0.01, 0.99  # quantiles that a clipped axis ends at


@dataclass(frozen=True)
class Band:
    """Mean, least and largest of several curves, on the x that all of them reach; arrays of one length."""

    x: Floats
    mean: Floats
    low: Floats
    high: Floats


def unit(span: float, points: int) -> float:
    """How long a unit of smoothing is on an axis: a thousandth of it, and no less than a usual interval of its points."""
    return span / max(1.0, min(SCALE, points - 1.0))


def smoothed(x: Floats, values: Floats, smoothing: float, unit: float) -> Floats:
    """The time-weighted exponential moving average, debiased.

    s_i = Σ_j≤i y_j w^(d_ij) / Σ_j≤i w^(d_ij), w = √smoothing, d_ij the distance of the points in `unit`s of the axis (the
    formula of W&B's time-weighted EMA). Smoothing 0 and a unit of 0 change nothing; values that are no numbers stay, and
    weigh nothing.
    """
    finite = np.isfinite(values)
    if smoothing <= 0 or unit <= 0 or not finite.any():
        return values
    decay = -np.log(min(np.sqrt(smoothing), 0.999)) / unit
    z = np.maximum.accumulate(x[finite] - x[finite][0]) * decay
    found = np.full(len(values), np.nan)
    found[finite] = _averages(z, values[finite])
    return found


def _averages(z: Floats, values: Floats) -> Floats:
    """Σ y e^z / Σ e^z over all points up to each, in blocks short enough for e^z."""
    found = np.empty(len(z))
    top = bottom = last = 0.0
    start = 0
    while start < len(z):
        end = max(start + 1, int(np.searchsorted(z, z[start] + BLOCK, side="right")))
        grown, carried = np.exp(z[start:end] - z[start]), np.exp(last - z[start])
        tops = np.cumsum(values[start:end] * grown) + top * carried
        bottoms = np.cumsum(grown) + bottom * carried
        found[start:end] = tops / bottoms
        top, bottom, last = tops[-1] / grown[-1], bottoms[-1] / grown[-1], z[end - 1]
        start = end
    return found


def band(curves: Sequence[tuple[Floats, Floats]]) -> Band | None:
    """Mean, least and largest of (x, values) over the x that every curve reaches; None where they have none in common.

    Where a curve has no point at an x that another one has, it is read off between its neighbours.
    """
    known = [(x[np.isfinite(y)], y[np.isfinite(y)]) for x, y in curves]
    known = [one for one in known if len(one[0])]
    if not known:
        return None
    start, end = max(x[0] for x, _ in known), min(x[-1] for x, _ in known)
    grid = known[0][0] if _same([x for x, _ in known]) else np.unique(np.concatenate([x for x, _ in known]))
    grid = grid[(grid >= start) & (grid <= end)]
    if not len(grid):
        return None
    rows = np.stack([np.interp(grid, x, y) for x, y in known])
    return Band(grid, rows.mean(axis=0), rows.min(axis=0), rows.max(axis=0))


def _same(all_x: Sequence[Floats]) -> bool:
    return all(np.array_equal(all_x[0], x) for x in all_x[1:])


def clipped_range(values: Sequence[Floats], *, log: bool = False) -> tuple[float, float] | None:
    """Where an axis ends that shows the 1st to the 99th percentile with a margin; log10 for a log axis."""
    every = np.concatenate([one[np.isfinite(one)] for one in values]) if values else np.empty(0)
    if log:
        every = np.log10(every[every > 0])
    if not len(every):
        return None
    low, high = np.quantile(every, (LOW, HIGH))
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return float(low - margin), float(high + margin)


def within(x: Floats, between: tuple[float, float] | None) -> slice:
    """The points of a part of the axis, and one more at either end so that lines reach the edges."""
    if between is None:
        return slice(None)
    first, last = np.searchsorted(x, between[0], "left"), np.searchsorted(x, between[1], "right")
    return slice(max(0, int(first) - 1), int(last) + 1)


def kept(x: Floats, values: Floats, most: int) -> NDArray[np.intp]:
    """Places of at most `most` points that keep extremes and shape (MinMaxLTTB); all of them where they are few."""
    finite = np.flatnonzero(np.isfinite(values))
    if len(values) <= most:
        return np.arange(len(values))
    if len(finite) <= most:
        return finite
    arrays = np.ascontiguousarray(np.maximum.accumulate(x[finite])), np.ascontiguousarray(values[finite])
    places: NDArray[np.intp] = MinMaxLTTBDownsampler().downsample(*arrays, n_out=most).astype(np.intp)
    return finite[places]


def gaps(x: Floats) -> NDArray[np.intp]:
    """Places before which a line ends: the interval is more than ten times the usual one."""
    intervals = np.diff(x)
    ahead = intervals[intervals > 0]
    if len(ahead) < 3:
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(intervals > LONG * np.median(ahead)) + 1


def written(x: Floats, values: Floats, breaks: Sequence[int] = ()) -> tuple[list[float], list[float | None]]:
    """Both arrays for JSON, with six digits; None where there is no number, and one more at each break."""
    xs: list[float] = [_short(one) for one in x.tolist()]
    ys = [float(f"{y:.6g}") if ok else None for y, ok in zip(values, np.isfinite(values), strict=True)]
    for place in sorted(breaks, reverse=True):
        xs.insert(place, (xs[place - 1] + xs[place]) / 2)
        ys.insert(place, None)
    return xs, ys


def _short(value: float) -> float:
    """A whole number as one: less to send, and a step is not 3.0."""
    return int(value) if value.is_integer() else float(f"{value:.9g}")
