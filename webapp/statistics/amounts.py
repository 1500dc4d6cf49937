"""Intervals and the test of mean amounts over problems, such as tokens: pure functions over arrays."""

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from webapp.statistics.distributions import standard_error, t_above, t_quantile
from webapp.statistics.intervals import Interval
from webapp.statistics.proportions import PairedMeans

FEWEST = 20  # problems that differ: with fewer the paired interval covers more than it says


def mean_amount(amounts: ArrayLike, level: float = 0.95) -> Interval | None:
    """Interval of a mean amount over problems (0 or more each); None where all are the same and not 0.

    The score interval of a Poisson mean (Rao's; Wilson's for counts) with the scatter that the amounts have: the
    variance is taken to grow with the mean, by the factor that is found (quasi-likelihood, Wedderburn 1974). Where
    none has any, that factor is 1.
    """
    values = np.asarray(amounts, dtype=float)
    if values.size < 2:
        return None
    mean = float(values.mean())
    dispersion = float(values.var(ddof=1)) / mean if mean else 1.0
    if dispersion == 0:
        return None
    z = t_quantile((1 + level) / 2, values.size - 1)
    centre = mean + z**2 * dispersion / (2 * values.size)
    half = z * sqrt(dispersion * mean / values.size + (z * dispersion / (2 * values.size)) ** 2)
    return Interval(max(0.0, centre - half), centre + half)


def paired_amounts(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> PairedMeans:
    """Compare two means of an amount over the same problems."""
    return amount_difference(np.asarray(second, dtype=float) - np.asarray(first, dtype=float), level)


def amount_difference(differences: ArrayLike, level: float = 0.95) -> PairedMeans:
    """The mean of one difference a problem: Student's t.

    Two problems are added, one that has more in the first and one in the second, in the manner of Bonett and Price
    (see proportions.mean_difference()), so that no difference in any problem is not taken for certainty. They lie as far from
    the mean as the others that scatter do: 1 for amounts of 0 and a few 1. The mean itself stays as it is.
    """
    mean, error, freedom, problems = _with_two_added(differences)
    half = t_quantile((1 + level) / 2, freedom) * error
    p = 2 * t_above(abs(mean) / error, freedom)
    return PairedMeans(mean, Interval(mean - half, mean + half), p, problems)


def amount_within(differences: ArrayLike, margin: float) -> float:
    """The larger one-sided p of a mean difference against −margin and margin, as amount_difference() has its interval."""
    mean, error, freedom, _ = _with_two_added(differences)
    return t_above((margin - abs(mean)) / error, freedom)


def _with_two_added(differences: ArrayLike) -> tuple[float, float, int, int]:
    """Mean, standard error, degrees of freedom, and how many problems there are without the two."""
    found = np.asarray(differences, dtype=float)
    mean = float(found.mean())
    apart = found - mean
    total = float(np.abs(apart).sum())
    added = 2 * float((apart**2).sum()) / total if total > 1e-9 else abs(mean) or 1.0
    values = np.append(apart, [added, -added])
    return mean, standard_error(values), values.size - 1, found.size
