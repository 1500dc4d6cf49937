"""Where a metric went over a run: start, end, slope with an interval that holds for correlated noise, a word.

Consecutive points of a training metric are not independent, so the slope is not fitted to them but to the means of six
to ten consecutive blocks (batch means: Schmeiser 1982, Operations Research 30:556). A block is three times as long as
the noise remembers, (1 + ρ) / (1 − ρ) points for first-order autocorrelation ρ, where six such blocks fit. The error of
a block's mean is taken from the differences of neighbours (von Neumann 1941, Ann. Math. Statist. 12:367), so that a
curve, which no line follows, does not pass for noise; t has the degrees of freedom that fit this estimate (Satterthwaite).

A metric that jumps and then stays moves hardly any line. So end − start has an interval of its own: Welch's, between
the batch means of the first and of the last tenth. It takes these for independent, as GRPO's points are given the
policy, each being the mean over a batch of new prompts.

A metric that rises and then falls has neither a line nor a shift that says so. So the tenth with the highest mean (and the
one with the lowest) is set against the first and the last one by Welch's intervals, whose level allows for its having
been chosen among the INNER tenths between them (Bonferroni), and which are widened by √((1 + ρ) / (1 − ρ)) for noise that
remembers.
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from webapp.statistics.distributions import t_quantile
from webapp.statistics.intervals import Interval

Word = Literal["rising", "falling", "flat", "not decided"]
Turn = Literal["", "rose, then fell", "fell, then rose"]
Values = NDArray[np.float64]

FEWEST_BLOCKS, MOST_BLOCKS = 6, 10  # fewer leave t too wide to decide; more hardly narrow it
MEMORIES = 3  # a block, in lengths of the noise's memory
FEWEST_POINTS = (
    60  # with fewer no interval of a slope holds what it says where noise remembers (docs/findings.md)
)
UPPER = 1.25  # standard errors above the estimated autocorrelation, at which an interval is widened
MOST_RHO = 0.98
TENTHS, INNER = 10, 8
TENTH_BLOCKS = 5  # batch means in a tenth, where it has the points
PIECE, MOST_PIECES = 10, 4  # points in a piece that autocorrelation is estimated in, at least; pieces


class FittedLine(NamedTuple):
    """A fitted slope and its interval, in the metric's unit per step."""

    slope: float
    interval: Interval


@dataclass(frozen=True)
class Trend:
    """A metric over a run."""

    points: int
    start: float  # mean over the first tenth of the points
    end: float  # mean over the last tenth
    first_step: int
    last_step: int
    line: FittedLine | None  # None: fewer than FEWEST_POINTS
    shift: Interval | None  # of end − start; None as above
    word: Word
    peak: float  # the highest mean over a tenth of the points
    peak_step: int  # in the middle of that tenth
    turn: Turn  # a peak or a low between the ends that noise does not explain

    @property
    def change(self) -> float:
        """End minus start."""
        return self.end - self.start

    @property
    def fitted_change(self) -> Interval | None:
        """What the line changes from the first step to the last, as an interval."""
        return _over(self.line, self.last_step - self.first_step) if self.line else None


def trend(steps: NDArray[np.int64], values: Values, *, negligible: float = 0.0) -> Trend | None:
    """Where a series went; None without two finite points.

    `negligible` is a change over the whole run that counts as none. The word is *flat* when the fitted change's whole
    interval lies within it; else *rising* or *falling* when that interval or the shift's excludes 0; else *not decided*.
    """
    finite = np.isfinite(values)
    steps, values = steps[finite], values[finite]
    if len(values) < 2:
        return None
    tenth = max(1, len(values) // 10)
    first, last = values[:tenth], values[-tenth:]
    line = fitted(steps, values)
    shift = welch(_batches(first), _batches(last)) if line else None
    ends = int(steps[0]), int(steps[-1])
    change = _over(line, ends[1] - ends[0]) if line else None
    word = _word(change, shift, negligible) if change and shift else "not decided"
    parts = np.array_split(values, min(TENTHS, len(values)))
    highest = int(np.argmax([part.mean() for part in parts]))
    middle = sum(len(part) for part in parts[:highest]) + (len(parts[highest]) - 1) // 2
    return Trend(
        len(values),
        float(first.mean()),
        float(last.mean()),
        *ends,
        line,
        shift,
        word,
        float(parts[highest].mean()),
        int(steps[middle]),
        _turn(values, negligible) if line else "",
    )


def fitted(steps: NDArray[np.int64], values: Values, level: float = 0.95) -> FittedLine | None:
    """Least squares through block means with a t interval; None for fewer than FEWEST_POINTS."""
    if len(values) < FEWEST_POINTS:
        return None
    rho = autocorrelation(values)
    memory = (1 + rho) / (1 - rho)
    count = int(np.clip(len(values) / (MEMORIES * memory), FEWEST_BLOCKS, MOST_BLOCKS))
    x = np.array([block.mean() for block in np.array_split(steps, count)])
    y = np.array([block.mean() for block in np.array_split(values, count)])
    x = x - x.mean()
    slope = float(x @ y / (x @ x))
    residuals = y - y.mean() - slope * x
    trace, freedom = _differences(count)
    variance = float((np.diff(residuals) ** 2).sum()) / trace
    variance *= _widened(len(values), count, round(_upper(rho, len(values)), 2))
    half = t_quantile((1 + level) / 2, freedom) * float(np.sqrt(variance / (x @ x)))
    return FittedLine(slope, Interval(slope - half, slope + half))


def welch(first: Values, last: Values, level: float = 0.95) -> Interval:
    """Welch's t interval of mean(last) − mean(first) (1947, Biometrika 34:28); two values or more of each."""
    parts = [float(part.var(ddof=1)) / len(part) for part in (first, last)]
    error = sum(parts)
    change = float(last.mean() - first.mean())
    if error == 0:
        return Interval(change, change)
    below = sum(part**2 / (len(one) - 1) for part, one in zip(parts, (first, last), strict=True))
    half = t_quantile((1 + level) / 2, error**2 / below) * float(np.sqrt(error))
    return Interval(change - half, change + half)


@cache
def _differences(count: int) -> tuple[float, float]:
    """(expected sum of squared neighbour differences of a line's residuals in noise of variance 1, its freedom)."""
    x = np.arange(count) - (count - 1) / 2
    off_line = np.eye(count) - 1 / count - np.outer(x, x) / (x @ x)
    step = np.diff(off_line, axis=0)
    form = step.T @ step
    trace = float(np.trace(form))
    return trace, trace**2 / float(np.trace(form @ form))


@cache
def _widened(points: int, count: int, rho: float) -> float:
    """How many times as large as estimated a slope's variance is, in noise of this autocorrelation; at least 1."""
    lengths = np.array([len(block) for block in np.array_split(np.empty(points), count)])
    starts = np.cumsum(lengths) - lengths
    reach = (1 - rho**lengths) / (1 - rho)
    apart = (
        starts[None, :] - starts[:, None] - lengths[:, None] + 1
    )  # steps from a block's last point to the next
    covariance = np.triu(np.outer(reach, reach) * rho ** np.maximum(apart, 0), 1)
    own = lengths * (1 + rho) / (1 - rho) - 2 * rho * reach / (1 - rho)
    covariance = (covariance + covariance.T + np.diag(own)) / np.outer(lengths, lengths)
    x = np.arange(count) - (count - 1) / 2
    off_line = np.eye(count) - 1 / count - np.outer(x, x) / (x @ x)
    step = np.diff(off_line, axis=0)
    estimated = float(np.trace(step @ covariance @ step.T) / np.trace(step @ step.T))
    return max(1.0, float(x @ covariance @ x / (x @ x)) / estimated)


def _batches(values: Values) -> Values:
    return np.array([batch.mean() for batch in np.array_split(values, min(TENTH_BLOCKS, len(values)))])


def autocorrelation(values: Values) -> float:
    """First-order autocorrelation of the noise, 0 to 0.999.

    Measured around a line of its own in each of a few pieces, so that a curve does not pass for noise, and corrected for
    the bias of residuals of a line, −(2 + 4ρ) / n (Marriott and Pope 1954; Kendall 1954).
    """
    pieces = np.array_split(values, max(1, min(MOST_PIECES, len(values) // PIECE)))
    length = len(values) / len(pieces)
    products = squares = 0.0
    for piece in pieces:
        x = np.arange(len(piece)) - (len(piece) - 1) / 2
        residuals = piece - piece.mean() - (piece @ x) / (x @ x) * x
        products += float(residuals[1:] @ residuals[:-1])
        squares += float(residuals @ residuals)
    if squares <= 1e-24 * float(values @ values):
        return 0.0  # a straight line, to rounding
    found = products / squares * length / (length - 1)
    return float(np.clip((found + 2 / length) / (1 - 4 / length), 0.0, 0.999))


def _turn(values: Values, negligible: float) -> Turn:
    """Whether an inner tenth is above the first and the last one, or below both, by more than noise and what is negligible."""
    parts = np.array_split(values, TENTHS)
    rho = _upper(_usual_autocorrelation(values), len(values))
    wider = float(np.sqrt((1 + rho) / (1 - rho)))
    found: dict[float, Turn] = {}
    words: tuple[tuple[int, Turn], ...] = ((1, "rose, then fell"), (-1, "fell, then rose"))
    for sign, word in words:
        extreme = int(np.argmax([sign * part.mean() for part in parts]))
        if extreme in (0, len(parts) - 1):
            continue
        beside = [sign * parts[place] for place in (0, -1)]
        there = sign * parts[extreme]
        rises = [welch(_batches(one), _batches(there), 1 - 0.05 / INNER) for one in beside]
        by = min(float(there.mean() - one.mean()) for one in beside)
        if by > negligible and all(_clear(one, wider) for one in rises):
            found[by] = word
    return found[max(found)] if found else ""


def _clear(rise: Interval, wider: float) -> bool:
    """Whether an interval that is so many times as wide is above 0."""
    middle = (rise.low + rise.high) / 2
    return middle - wider * (rise.high - middle) > 0


def _usual_autocorrelation(values: Values) -> float:
    """The median of the quarters': a jump in one of them is no noise that remembers."""
    return float(np.median([autocorrelation(part) for part in np.array_split(values, MOST_PIECES)]))


def _upper(rho: float, points: int) -> float:
    """The upper end of an estimated autocorrelation."""
    return min(MOST_RHO, rho + UPPER * float(np.sqrt((1 - rho**2 + 1 / points) / points)))


def _over(line: FittedLine, steps: int) -> Interval:
    return Interval(line.interval.low * steps, line.interval.high * steps)


def _word(change: Interval, shift: Interval, negligible: float) -> Word:
    if max(-change.low, change.high) <= negligible:
        return "flat"
    if change.low > 0 or (shift.low > 0 and change.high > 0):
        return "rising"
    if change.high < 0 or (shift.high < 0 and change.low < 0):
        return "falling"
    return "not decided"


def onset(
    steps: NDArray[np.int64], values: Values, level: float, *, below: bool = False, least: int = 3
) -> int | None:
    """The step from which the series stays above a level (or below it) to its end; None where it does not end there.

    Judged on the mean over a tenth of the points (at least `least`), centred, so that one point decides nothing.
    """
    finite = np.isfinite(values)
    steps, values = steps[finite], values[finite]
    width = min(len(values), max(least, len(values) // 10))
    if width == 0:
        return None
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means = (sums[width:] - sums[:-width]) / width
    beyond = means < level if below else means > level
    if not beyond[-1]:
        return None
    inside = np.flatnonzero(~beyond)
    first = int(inside[-1]) + 1 if len(inside) else 0
    return int(steps[first + width // 2]) if first else int(steps[0])
