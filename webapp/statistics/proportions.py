"""Intervals, tests, power and verdicts: pure functions over counts and arrays.

The import of scipy takes 0.8 CPU seconds, so the functions that use it import it themselves: the web and the commands
start without it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


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


def wilson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Score interval of a proportion (Wilson 1927; Newcombe 1998a, method 3)."""
    _check_counts(successes, trials)
    return _wilson(successes / trials, trials, level)


def _wilson(p: float, n: float, level: float) -> Interval:
    z2 = _z(level) ** 2
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
    """Compare two means over the same problems of a share each (0…1).

    Two problems are added, one that is better in the first and one in the second, as Bonett and Price (2012, J. Educ.
    Behav. Stat. 37:479) do for yes or no, so that no difference in any problem is not taken for certainty; their
    size is that of the other differences, 1 for yes or no.
    """
    from scipy import stats

    differences = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    total = float(np.abs(differences).sum())
    added = float((differences**2).sum()) / total if total else 1.0
    values = np.append(differences, [added, -added])
    centre, error = float(values.mean()), float(values.std()) / sqrt(values.size)
    half = _z(level) * error
    interval = Interval(max(-1.0, centre - half), min(1.0, centre + half))
    p = float(2 * stats.norm.sf(abs(centre) / error))
    return PairedMeans(float(differences.mean()), interval, p, differences.size)


def tango(gained: int, lost: int, problems: int, level: float = 0.95) -> Interval:
    """Score interval of a paired difference (gained − lost) / problems (Tango 1998, Stat. Med. 17:891).

    `gained` and `lost` are the discordant pairs: only the second, only the first right.
    """
    _check_counts(gained + lost, problems)
    z2, difference = _z(level) ** 2, (gained - lost) / problems

    def excess(delta: float) -> float:
        """(Score)² − z² × its variance under `delta`: negative inside the interval."""
        b = -gained - lost + (2 * problems - gained + lost) * delta
        c = -lost * delta * (1 - delta)
        only_first = (sqrt(max(b * b - 8 * problems * c, 0.0)) - b) / (4 * problems)
        variance = problems * (2 * only_first + delta * (1 - delta))
        return (gained - lost - problems * delta) ** 2 - z2 * variance

    return Interval(_crossing(excess, difference, -1.0), _crossing(excess, difference, 1.0))


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
    from scipy import stats

    if gained + lost == 0:
        return 1.0
    return float(stats.binomtest(gained, gained + lost, 0.5).pvalue)


def fisher(first: int, first_n: int, second: int, second_n: int) -> float:
    """Fisher's exact two-sided p for two independent proportions."""
    from scipy import stats

    _check_counts(first, first_n)
    _check_counts(second, second_n)
    return float(stats.fisher_exact([[first, first_n - first], [second, second_n - second]])[1])


def holm(p_values: Sequence[float | None], planned: int | None = None) -> list[float | None]:
    """Holm's step-down adjustment over `planned` tests (Holm 1979), those not done yet counted as p = 1.

    A None stays None. `planned` is fixed before the results come, so that a verdict does not grow weaker
    only because later stages arrive.
    """
    done = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    family = max(planned or 0, len(done))
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, i) in enumerate(done):
        highest = max(highest, min(1.0, (family - rank) * p))
        adjusted[i] = highest
    return adjusted


class OverSeeds(NamedTuple):
    """A mean over seeds; interval and p are None where the seeds show no spread to judge it by."""

    mean: float
    interval: Interval | None
    p: float | None


def over_seeds(differences: Sequence[float], level: float = 0.95) -> OverSeeds:
    """Student's t on one paired difference of shares per seed: what two conditions are compared by.

    The interval ends at ±1, where differences do: with two seeds t alone reaches far beyond. Needs 2 seeds or more. Equal differences give no interval: two seeds that happen to agree to the last
    problem prove nothing about the spread.
    """
    from scipy import stats

    values = np.asarray(differences, dtype=float)
    if values.size < 2:
        raise ValueError("a comparison over seeds needs 2 seeds or more; add seeds to the recipe")
    mean, error = float(values.mean()), float(stats.sem(values))
    if error < 1e-12:
        return OverSeeds(mean, None, None)
    freedom = values.size - 1
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * error
    return OverSeeds(
        mean,
        Interval(max(-1.0, mean - half), min(1.0, mean + half)),
        float(2 * stats.t.sf(abs(mean) / error, freedom)),
    )


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


def needed_problems(
    difference: float, discordant: float, alpha: float = 0.05, power: float = 0.8, *, threshold: float = 0.0
) -> int:
    """Problems at which a paired difference is told from a threshold (Connor 1987; McNemar's test where that is 0).

    `discordant` is the share of problems that only one of the two solves; at least |difference| and |threshold|.
    """
    if difference == threshold or not max(abs(difference), abs(threshold)) <= discordant <= 1:
        raise ValueError(
            f"the discordant share must be at least the difference, which must not be {threshold:g}"
        )
    root = _z(1 - alpha) * sqrt(discordant - threshold**2)
    root += _z_power(power) * sqrt(discordant - difference**2)
    return ceil(root**2 / (difference - threshold) ** 2)


def needed_problems_unpaired(first: float, second: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Problems *each* at which two independent proportions are told apart (Fleiss 1981, no correction)."""
    if first == second:
        raise ValueError("two equal proportions cannot be told apart; wish for a difference")
    mean = (first + second) / 2
    root = _z(1 - alpha) * sqrt(2 * mean * (1 - mean)) + _z_power(power) * sqrt(
        first * (1 - first) + second * (1 - second)
    )
    return ceil(root**2 / (first - second) ** 2)


def detectable(problems: int, discordant: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest paired difference that McNemar's test sees with this many problems (Connor 1987, inverted).

    Where even a difference as large as the discordant share would not be seen (few or no discordant pairs),
    the share is taken to be as large as the difference itself.
    """
    from scipy import optimize

    def excess(difference: float) -> float:
        share = max(discordant, difference)
        root = _z(1 - alpha) * sqrt(share) + _z_power(power) * sqrt(max(share - difference**2, 0.0))
        return root - difference * sqrt(problems)

    if excess(1.0) > 0:
        return 1.0
    return float(optimize.brentq(excess, 1e-9, 1.0))


def detectable_over_seeds(differences: Sequence[float], alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest mean difference that the t test sees with this many seeds and this spread (approximate)."""
    from scipy import stats

    freedom = len(differences) - 1
    reach = float(stats.t.ppf(1 - alpha / 2, freedom)) + float(stats.t.ppf(power, freedom))
    return reach * float(stats.sem(np.asarray(differences, dtype=float)))


def detectable_by_seeds(
    problems: int, discordant: float, seeds: int, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Smallest difference of two conditions that the t test over seeds sees, were the problems its only noise.

    A seed's difference then varies by (discordant − difference²) / problems; power as in statsmodels' TTestPower.
    Seeds that differ by themselves, as they do, need more. The discordant share is taken to be as large as the
    difference where it is smaller.
    """
    from scipy import optimize, stats

    if seeds < 2:
        raise ValueError("a comparison over seeds needs 2 seeds or more; add seeds to the recipe")
    freedom = seeds - 1
    reach = float(stats.t.ppf(1 - alpha / 2, freedom))

    # the noncentral t as a normal over the spread's own distribution: scipy's nct gives nan at few seeds
    spreads = np.sqrt(stats.chi2.ppf((np.arange(4000) + 0.5) / 4000, freedom) / freedom)

    def missed(shift: float) -> float:
        seen = stats.norm.sf(reach * spreads - shift) + stats.norm.cdf(-reach * spreads - shift)
        return power - float(seen.mean())

    enough = reach + 1.0
    while missed(enough) > 0:
        enough *= 2
    effect = float(optimize.brentq(missed, 0.0, enough)) / sqrt(seeds)  # in standard deviations of a seed
    found = effect * sqrt(discordant / (problems + effect**2))
    return found if found <= discordant else effect**2 / (problems + effect**2)


def needed_seeds(
    differences: Sequence[float],
    threshold: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
    most: int = 1000,
) -> int | None:
    """Seeds at which the t test tells a mean difference like this from a threshold (approximate).

    None without spread, without distance from the threshold, or when `most` seeds would not do.
    """
    from scipy import stats

    values = np.asarray(differences, dtype=float)
    spread, distance = float(values.std(ddof=1)), abs(float(values.mean()) - threshold)
    if spread < 1e-12 or distance < 1e-12:
        return None
    for seeds in range(2, most + 1):
        reach = float(stats.t.ppf(1 - alpha / 2, seeds - 1)) + float(stats.t.ppf(power, seeds - 1))
        if reach * spread / sqrt(seeds) <= distance:
            return seeds
    return None


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


def _z(level: float) -> float:
    from scipy import stats

    return float(stats.norm.ppf((1 + level) / 2))


def _z_power(power: float) -> float:
    from scipy import stats

    return float(stats.norm.ppf(power))


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
