"""Verdicts: what a comparison allows to say, of two checkpoints and of two conditions."""

from dataclasses import dataclass
from typing import Literal

from webapp.statistics.families import Family
from webapp.statistics.seeds import OverSeeds

Word = Literal[
    "differ",
    "equivalent",
    "supported",
    "interim",
    "suggestive",
    "not distinguishable",
    "not shown equivalent",
    "not tested",
]
FEWEST = 3  # seeds that can support a difference between conditions


@dataclass(frozen=True)
class Verdict:
    """What a comparison allows to say, and on which level."""

    word: Word
    level: Literal["checkpoints", "conditions"]
    seen: bool = False  # outcomes were there before the question was asked: suggestive at most

    @property
    def shows(self) -> bool:
        """True when its test rejects, however much that supports."""
        return self.positive or self.word == "suggestive"

    @property
    def positive(self) -> bool:
        """True when a difference is more than noise on its level."""
        return self.word in ("differ", "supported", "equivalent")


def checkpoints_verdict(p: float, family: Family, *, seen: bool = False) -> Verdict:
    """Two checkpoints on the same problems: says nothing about what made them differ.

    The test decides. `seen`: outcomes were there before the question was asked, so it is suggestive at most.
    """
    if p >= family.alone:
        return Verdict(_not_shown(family), "checkpoints", seen)
    shown: Word = "differ" if family.margin is None else "equivalent"
    return Verdict("suggestive" if seen else shown, "checkpoints", seen)


def conditions_verdict(
    result: OverSeeds, family: Family, seeds: int, *, seen: bool = False, given_up: bool = False
) -> Verdict:
    """Two conditions over several seeds: three are the least that support anything, and only what was planned.

    `given_up`: a planned seed will not come, and who gave it up may have seen the others: suggestive at most.
    The same difference in every seed, but for 0, has no spread for the t test: it is not tested, which is not to say
    that the conditions cannot be told apart.
    """
    if result.p is None:
        untested = family.margin is not None or result.mean != 0
        return Verdict("not tested" if untested else "not distinguishable", "conditions", seen)
    if result.p >= family.alone:
        return Verdict(_not_shown(family), "conditions", seen)
    supported = seeds >= FEWEST and family.role != "exploratory" and not (seen or given_up)
    shown: Word = "supported" if family.margin is None else "equivalent"
    return Verdict(shown if supported else "suggestive", "conditions", seen)


def _not_shown(family: Family) -> Word:
    return "not distinguishable" if family.margin is None else "not shown equivalent"
