"""A difference for new problems: problems, or clusters of them, taken as drawn, and seeds with them.

Over seeds Student's t speaks for the problems that all seeds share. Here seeds and problems are both random: a crossed
design without replication, whose mean varies by seed, by problem and by both (Searle, Casella and McCulloch 1992,
Variance Components, ch. 4; Cameron, Gelbach and Miller 2011, J. Bus. Econ. Stat. 29:238, for clusters). Its degrees of
freedom are Satterthwaite's (1946, Biometrics 2:110). Problems that share something are drawn as clusters, as Miller
(2024, arXiv:2411.00640) asks for evaluations; the variance over clusters of unequal sizes is CR2 with the degrees of freedom
of Bell and McCaffrey (2002, Survey Methodology 28:169).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webapp.statistics.distributions import t_above, t_quantile
from webapp.statistics.intervals import Interval

FEWEST_SEEDS = 5  # with fewer the variance between seeds is hardly known
FEWEST_DIFFERENT = 5  # clusters in which anything differs: with fewer their spread is hardly known
Values = NDArray[np.float64]


@dataclass(frozen=True)
class ForNewProblems:
    """What a mean difference says of problems that were not asked."""

    interval: Interval
    p: float
    freedom: float
    seeds: int
    problems: int
    clusters: int | None  # None: each problem is a draw of its own


class Components(NamedTuple):
    """Variances of one problem's difference in one seed: between seeds, between problems, and what is left."""

    seed: float
    problem: float
    residual: float

    def spread(self, problems: int) -> float:
        """Standard deviation between seeds of a difference over so many problems, which the seeds share.

        At as many as were asked it is what the seeds show, or what the residual alone makes, whichever is more.
        """
        return sqrt(self.seed + self.residual / problems)


class _Part(NamedTuple):
    """A share of the mean's variance with its degrees of freedom."""

    variance: float
    freedom: float


def for_new_problems(
    differences: ArrayLike,
    level: float = 0.95,
    *,
    clusters: Sequence[Hashable] | None = None,
    largest: float = inf,
    margin: float | None = None,
) -> ForNewProblems | None:
    """Interval and p of the mean of `differences`, one row a seed, one column a problem, in any unit.

    One seed: two checkpoints on new clusters, so it needs `clusters`, one name a problem. FEWEST_SEEDS or more: new seeds and
    new problems, never narrower than Student's interval over the seeds. Else None, as where nothing scatters or fewer than
    FEWEST_DIFFERENT clusters or problems have any difference. The interval ends at ± `largest`. With a `margin` p is the
    larger of two one-sided tests against ± it.
    """
    values = np.atleast_2d(np.asarray(differences, dtype=float))
    seeds, problems = values.shape
    if 1 < seeds < FEWEST_SEEDS or (seeds == 1 and clusters is None):
        return None
    places, sizes = _places(problems, clusters)
    if np.count_nonzero(_sums(np.abs(values).sum(axis=0)[None], places)) < FEWEST_DIFFERENT or len(sizes) < 2:
        return None
    mean = float(values.mean())
    parts = [_over_clusters(values, places, sizes)] if seeds == 1 else _crossed(values, places, sizes)
    if parts[0].variance < 1e-24:
        return None
    apart = abs(mean) if margin is None else margin - abs(mean)
    sides = 2 if margin is None else 1
    half = max(t_quantile((1 + level) / 2, one.freedom) * sqrt(one.variance) for one in parts)
    p = max(sides * t_above(apart / max(sqrt(one.variance), 1e-12), one.freedom) for one in parts)
    interval = Interval(max(-largest, mean - half), min(largest, mean + half))
    return ForNewProblems(
        interval, p, parts[0].freedom, seeds, problems, None if clusters is None else len(sizes)
    )


def components(differences: ArrayLike) -> Components:
    """The variance components of a table of differences, a row a seed (2 or more), a column a problem (2 or more).

    From the mean squares of the crossed design without replication; those that come out negative are 0.
    """
    values = np.asarray(differences, dtype=float)
    seeds, problems = values.shape
    residual = float((_residuals(values) ** 2).sum()) / ((seeds - 1) * (problems - 1))
    of_seeds = float(values.mean(axis=1).var(ddof=1))
    of_problems = float(values.mean(axis=0).var(ddof=1))
    return Components(
        max(0.0, of_seeds - residual / problems), max(0.0, of_problems - residual / seeds), residual
    )


def _crossed(values: Values, places: NDArray[np.intp], sizes: NDArray[np.intp]) -> list[_Part]:
    """The mean's variance with seeds and clusters drawn, and with seeds alone drawn."""
    seeds, problems = values.shape
    of_seeds = _Part(float(values.mean(axis=1).var(ddof=1)) / seeds, seeds - 1)
    of_clusters = _over_clusters(values.mean(axis=0)[None], places, sizes)
    both = _sums(_residuals(values), places) ** 2 / (1 - sizes / problems)
    left = _Part(
        float(both.sum()) / (seeds * (seeds - 1) * problems**2), of_seeds.freedom * of_clusters.freedom
    )
    drawn = [_Part(max(one.variance, left.variance), one.freedom) for one in (of_seeds, of_clusters)]
    variance = sum(one.variance for one in drawn) - left.variance
    below = sum(one.variance**2 / one.freedom for one in (*drawn, left))
    freedom = max(variance**2 / below, of_seeds.freedom) if below else of_seeds.freedom
    return [_Part(variance, freedom), of_seeds]


def _over_clusters(row: Values, places: NDArray[np.intp], sizes: NDArray[np.intp]) -> _Part:
    """CR2 of the mean of one row, and Bell and McCaffrey's degrees of freedom; for clusters of one its plain variance."""
    problems = row.size
    left = 1 - sizes / problems
    variance = float((_sums(row - row.mean(), places) ** 2 / left).sum()) / problems**2
    if sizes.max() == 1:
        return _Part(variance, problems - 1)
    shared = np.outer(sizes, sizes) / problems / np.sqrt(np.outer(left, left))
    np.fill_diagonal(shared, sizes)
    return _Part(variance, problems**2 / float((shared**2).sum()))


def _places(problems: int, clusters: Sequence[Hashable] | None) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which cluster each problem is in, from 0, and how many problems each cluster has."""
    if clusters is None:
        return np.arange(problems), np.ones(problems, dtype=np.intp)
    if len(clusters) != problems:
        raise ValueError(f"{len(clusters)} clusters are named for {problems} problems; name one for each")
    numbers = {name: place for place, name in enumerate(dict.fromkeys(clusters))}
    places = np.array([numbers[name] for name in clusters], dtype=np.intp)
    return places, np.bincount(places)


def _sums(values: Values, places: NDArray[np.intp]) -> Values:
    """Each row's sums over its clusters."""
    return np.array([np.bincount(places, weights=row) for row in values])


def _residuals(values: Values) -> Values:
    """What neither seed nor problem explains."""
    return np.asarray(
        values - values.mean(axis=1, keepdims=True) - values.mean(axis=0, keepdims=True) + values.mean()
    )
