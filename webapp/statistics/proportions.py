"""Proportions, alone and in pairs: intervals, tests and pass@k."""

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from webapp.statistics.distributions import half_binomial_to, normal_above
from webapp.statistics.intervals import Interval, z_quantile


def wilson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Score interval of a proportion (Wilson 1927; Newcombe 1998a, method 3)."""
    _check_counts(successes, trials)
    return _wilson(successes / trials, trials, level)


def _wilson(p: float, n: float, level: float) -> Interval:
    z2 = z_quantile(level) ** 2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = sqrt(z2 * (p * (1 - p) + z2 / (4 * n)) / n) / (1 + z2 / n)
    return Interval(0.0 if p == 0 else centre - half, 1.0 if p == 1 else centre + half)


def mean_share(shares: ArrayLike, samples: int, level: float = 0.95) -> Interval:
    """Interval of a mean over problems of a share each, such as pass@k (0…1, estimated from so many samples).

    Wilson's, with the number of yes-or-no problems that would scatter as the shares do (the effective sample size of
    Kott and Carr 1997), at most one a sample; for shares of 0 and 1 alone it is wilson().
    """
    values = np.asarray(shares, dtype=float)
    p, scatter = float(values.mean()), float(values.var())
    n, most = values.size, float(values.size * samples)
    if p in (0.0, 1.0):
        return _wilson(p, n, level)
    effective = min(p * (1 - p) * n / scatter, most) if scatter else most
    if effective > n:
        rare = n * min(p, 1 - p)  # where few problems make up the rest, their scatter is hardly known
        effective = n + (effective - n) * rare / (rare + 1)
    return _wilson(p, effective, level)


class PairedMeans(NamedTuple):
    """A mean paired difference with its interval and two-sided p."""

    mean: float
    interval: Interval
    p: float
    problems: int


def paired_means(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> PairedMeans:
    """Compare two means over the same problems of a share each (0…1)."""
    return mean_difference(np.asarray(second, dtype=float) - np.asarray(first, dtype=float), level)


def mean_difference(differences: ArrayLike, level: float = 0.95, largest: float = 1.0) -> PairedMeans:
    """The mean of one difference a problem, each from −`largest` to `largest`: 1 for shares, 2 for their gains' difference.

    Two problems are added, one that is better in the first and one in the second, as Bonett and Price (2012, J. Educ.
    Behav. Stat. 37:479) do for yes or no, so that no difference in any problem is not taken for certainty; their
    size is that of the other differences, 1 for yes or no.
    """
    values = np.asarray(differences, dtype=float)
    centre, error = _with_two_added(values)
    half = z_quantile(level) * error
    interval = Interval(max(-largest, centre - half), min(largest, centre + half))
    p = 2 * normal_above(abs(centre) / error)
    return PairedMeans(float(values.mean()), interval, p, values.size)


def mean_within(differences: ArrayLike, margin: float) -> float:
    """The larger one-sided p of a mean difference against −margin and margin, as mean_difference() has its interval."""
    centre, error = _with_two_added(np.asarray(differences, dtype=float))
    return normal_above((margin - abs(centre)) / error)


def _with_two_added(differences: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard error."""
    total = float(np.abs(differences).sum())
    added = float((differences**2).sum()) / total if total else 1.0
    values = np.append(differences, [added, -added])
    return float(values.mean()), float(values.std()) / sqrt(values.size)


def tango(gained: int, lost: int, problems: int, level: float = 0.95) -> Interval:
    """Score interval of a paired difference (gained − lost) / problems (Tango 1998, Stat. Med. 17:891).

    `gained` and `lost` are the discordant pairs: only the second, only the first right.
    """
    _check_counts(gained + lost, problems)
    z2, difference = z_quantile(level) ** 2, (gained - lost) / problems

    def excess(delta: float) -> float:
        """(Score)² − z² × its variance under `delta`: negative inside the interval."""
        return (gained - lost - problems * delta) ** 2 - z2 * _variance(gained, lost, problems, delta)

    return Interval(_crossing(excess, difference, -1.0), _crossing(excess, difference, 1.0))


def tango_within(gained: int, lost: int, problems: int, margin: float) -> float:
    """The larger one-sided p of Tango's score against −margin and margin (0…1): under α where tango() of 1 − 2 α lies within."""
    _check_counts(gained + lost, problems)
    scores = []
    for delta, sign in ((-margin, 1), (margin, -1)):
        apart = sign * (gained - lost - problems * delta)
        variance = _variance(gained, lost, problems, delta)
        scores.append(apart / sqrt(variance) if variance > 0 else np.copysign(np.inf, apart))
    return normal_above(min(scores))


def _variance(gained: int, lost: int, problems: int, delta: float) -> float:
    """Of gained − lost where the difference is `delta`, by the maximum likelihood of the rest (Tango 1998)."""
    b = -gained - lost + (2 * problems - gained + lost) * delta
    c = -lost * delta * (1 - delta)
    only_first = (sqrt(max(b * b - 8 * problems * c, 0.0)) - b) / (4 * problems)
    return problems * (2 * only_first + delta * (1 - delta))


def newcombe_paired(both: int, gained: int, lost: int, neither: int, level: float = 0.95) -> Interval:
    """Square-and-add interval of a paired difference (Newcombe 1998c, method 10): a check on tango()."""
    n = both + gained + lost + neither
    first, second = both + lost, both + gained
    low1, high1 = wilson(first, n, level)
    low2, high2 = wilson(second, n, level)
    p1, p2 = first / n, second / n
    margins = first * (n - first) * second * (n - second)
    cross = float(both * neither - gained * lost)
    if cross > 0:
        cross = max(cross - n / 2, 0.0)  # Newcombe's correction, for positive association only
    phi = cross / sqrt(margins) if margins else 0.0
    down = sqrt((p2 - low2) ** 2 - 2 * phi * (p2 - low2) * (high1 - p1) + (high1 - p1) ** 2)
    up = sqrt((high2 - p2) ** 2 - 2 * phi * (high2 - p2) * (p1 - low1) + (p1 - low1) ** 2)
    return Interval(p2 - p1 - down, p2 - p1 + up)


def newcombe_unpaired(first: int, first_n: int, second: int, second_n: int, level: float = 0.95) -> Interval:
    """Interval of second − first of two independent proportions (Newcombe 1998b, method 10)."""
    low1, high1 = wilson(first, first_n, level)
    low2, high2 = wilson(second, second_n, level)
    p1, p2 = first / first_n, second / second_n
    return Interval(
        p2 - p1 - sqrt((p2 - low2) ** 2 + (high1 - p1) ** 2),
        p2 - p1 + sqrt((high2 - p2) ** 2 + (p1 - low1) ** 2),
    )


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided p of as uneven a split of the discordant pairs (binomial, p = 1/2); 1 without any."""
    return min(1.0, 2 * half_binomial_to(min(gained, lost), gained + lost))


def mcnemar_midp(gained: int, lost: int) -> float:
    """Mid-p of the same test: half the chance of the split that was found (Fagerland et al. 2013, BMC Med. Res. Methodol. 13:91).

    1 where both are equal, or there are none.
    """
    fewer, pairs = min(gained, lost), gained + lost
    return min(1.0, half_binomial_to(fewer - 1, pairs) + half_binomial_to(fewer, pairs))


MCNEMAR = {"midp": mcnemar_midp, "exact": mcnemar}  # as a recipe's `test` calls them
MCNEMAR_NAMES = {"midp": "mid-p McNemar", "exact": "exact McNemar"}


def fisher(first: int, first_n: int, second: int, second_n: int) -> float:
    """Fisher's exact two-sided p for two independent proportions."""
    from scipy import stats

    _check_counts(first, first_n)
    _check_counts(second, second_n)
    return float(stats.fisher_exact([[first, first_n - first], [second, second_n - second]])[1])


def pass_at_k(samples: ArrayLike, correct: ArrayLike, k: int) -> NDArray[np.float64]:
    """Chance that one of k samples is right, a problem each, without bias (Chen et al. 2021, eq. 1).

    `samples` and `correct` are counts per problem; k may not exceed the samples of any.
    """
    n, c = np.broadcast_arrays(np.asarray(samples, dtype=int), np.asarray(correct, dtype=int))
    if k < 1 or (n < k).any() or (c > n).any() or (c < 0).any():
        raise ValueError(
            f"pass@{k} needs at least {k} samples of every problem, and no more correct than sampled"
        )
    drawn = np.arange(k)
    wrong_left = np.clip(n[..., None] - c[..., None] - drawn, 0, None) / (n[..., None] - drawn)
    return np.asarray(1.0 - wrong_left.prod(axis=-1), dtype=np.float64)


def _check_counts(successes: int, trials: int) -> None:
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(
            f"{successes} of {trials} is no proportion; counts must be 0 to n, with n at least 1"
        )


def _crossing(excess: Callable[[float], float], inside: float, end: float) -> float:
    """Where `excess` turns positive between a point inside the interval and an end of the scale."""
    from scipy import optimize

    start = inside + (1e-9 if end > inside else -1e-9)  # the variance may be 0 at the point itself
    if abs(inside - end) < 1e-9 or excess(start) >= 0:
        return inside
    return float(optimize.brentq(excess, start, end, xtol=1e-12))
