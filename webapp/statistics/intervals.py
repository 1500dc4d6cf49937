"""An interval, and the normal quantile that many of them are made with."""

from collections.abc import Sequence
from typing import NamedTuple

from webapp.statistics.distributions import normal_quantile


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
    return normal_quantile((1 + level) / 2)
