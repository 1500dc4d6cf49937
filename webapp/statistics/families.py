"""Families of comparisons that share one level: Bonferroni's correction, of p and of the interval alike."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["primary", "secondary", "exploratory"]


@dataclass(frozen=True)
class Family:
    """Comparisons of one role that share the level `alpha` between them."""

    role: Role
    tests: int  # how many there are; exploratory ones stand alone and are not corrected
    alpha: float

    @property
    def alone(self) -> float:
        """The level that each of them is tested at."""
        return self.alpha / self.tests

    @property
    def level(self) -> float:
        """The coverage of each one's interval: the interval that excludes 0 where the test rejects."""
        return 1 - self.alone

    def adjusted(self, p: float) -> float:
        """Bonferroni's p: under alpha exactly where p is under the level of one comparison."""
        return min(1.0, self.tests * p)
