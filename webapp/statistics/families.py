"""Families of comparisons that share one level: Bonferroni's correction, of p and of the interval alike."""

from dataclasses import dataclass
from typing import Literal

from webapp.statistics.intervals import Interval

Role = Literal["primary", "secondary", "exploratory"]


@dataclass(frozen=True)
class Family:
    """Comparisons of one role that share the level `alpha` between them."""

    role: Role
    tests: int  # how many there are; exploratory ones stand alone and are not corrected
    alpha: float
    margin: float | None = (
        None  # of equivalence: a difference within ± it counts as none; None: differences are tested
    )

    @property
    def alone(self) -> float:
        """The level that each of them is tested at."""
        return self.alpha / self.tests

    @property
    def level(self) -> float:
        """The coverage of each one's interval: it excludes 0, or lies within ± the margin, where the test rejects.

        Two one-sided tests at a level are the interval of 1 − twice that level (Schuirmann 1987).
        """
        return 1 - self.alone * (1 if self.margin is None else 2)

    def rejected_by(self, interval: Interval) -> bool:
        """Whether an interval at this level says that the conditions differ, or that they are equivalent."""
        if self.margin is None:
            return interval.excludes_zero()
        return -self.margin < interval.low and interval.high < self.margin

    def adjusted(self, p: float) -> float:
        """Bonferroni's p: under alpha exactly where p is under the level of one comparison."""
        return min(1.0, self.tests * p)
