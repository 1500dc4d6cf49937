"""Verdicts: what a comparison allows to say, of two checkpoints and of two conditions."""

from dataclasses import dataclass
from typing import Literal

from webapp.statistics.intervals import Interval
from webapp.statistics.seeds import OverSeeds

Word = Literal["differ", "supported", "suggestive", "not distinguishable", "not tested"]


@dataclass(frozen=True)
class Verdict:
    """What a comparison allows to say, and on which level."""

    word: Word
    level: Literal["checkpoints", "conditions"]

    @property
    def positive(self) -> bool:
        """True when a difference is more than noise on its level."""
        return self.word in ("differ", "supported")


def checkpoints_verdict(adjusted_p: float, interval: Interval, alpha: float) -> Verdict:
    """Two checkpoints on the same problems: says nothing about what made them differ."""
    differ = adjusted_p < alpha and interval.excludes_zero()
    return Verdict("differ" if differ else "not distinguishable", "checkpoints")


def conditions_verdict(result: OverSeeds, adjusted_p: float | None, seeds: int, alpha: float) -> Verdict:
    """Two conditions over several seeds: three are the least that support anything.

    The same difference in every seed, but for 0, has no spread for the t test: it is not tested, which is not to say
    that the conditions cannot be told apart.
    """
    if result.interval is None or result.p is None:
        return Verdict("not tested" if result.mean else "not distinguishable", "conditions")
    if result.p >= alpha or not result.interval.excludes_zero():
        return Verdict("not distinguishable", "conditions")
    supported = seeds >= 3 and adjusted_p is not None and adjusted_p < alpha
    return Verdict("supported" if supported else "suggestive", "conditions")
