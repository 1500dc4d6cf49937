"""An interval, and the normal quantile that many of them are made with.

The import of scipy takes 0.8 CPU seconds, so the functions of this folder that use it import it themselves: the web
and the commands start without it.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Interval(NamedTuple):
    """Both ends of an interval, in the unit of what it is about (proportions: 0…1)."""

    low: float
    high: float

    def excludes_zero(self) -> bool:
        """True when zero lies outside."""
        return self.low > 0 or self.high < 0


def hull(intervals: Sequence[Interval]) -> Interval:
    """The shortest interval that holds them all."""
    return Interval(min(one.low for one in intervals), max(one.high for one in intervals))


def z_quantile(level: float) -> float:
    """Return the standard normal quantile that bounds a central interval of this level: 1.96 for 0.95."""
    from scipy import stats

    return float(stats.norm.ppf((1 + level) / 2))
