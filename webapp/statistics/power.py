"""Power: the difference that problems and seeds can detect, and how many of them a wished difference takes."""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, sqrt

import numpy as np

from webapp.statistics.distributions import normal_quantile, t_quantile
from webapp.statistics.intervals import Interval, z_quantile


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
    root = z_quantile(1 - alpha) * sqrt(discordant - threshold**2)
    root += _z_power(power) * sqrt(discordant - difference**2)
    return ceil(root**2 / (difference - threshold) ** 2)


def needed_for_equivalence(margin: float, discordant: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Problems at which two one-sided tests show no difference to lie within ± margin (Nam 1997, Biometrics 53:1422)."""
    if margin <= 0 or not 0 <= discordant <= 1:
        raise ValueError("the margin must be more than 0, and the discordant share between 0 and 1")
    root = _z_power(1 - alpha) + _z_power((1 + power) / 2)
    return max(1, ceil(discordant * (root / margin) ** 2))


def needed_problems_unpaired(first: float, second: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Problems *each* at which two independent proportions are told apart (Fleiss 1981, no correction)."""
    if first == second:
        raise ValueError("two equal proportions cannot be told apart; wish for a difference")
    mean = (first + second) / 2
    root = z_quantile(1 - alpha) * sqrt(2 * mean * (1 - mean)) + _z_power(power) * sqrt(
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
        root = z_quantile(1 - alpha) * sqrt(share) + _z_power(power) * sqrt(max(share - difference**2, 0.0))
        return root - difference * sqrt(problems)

    if excess(1.0) > 0:
        return 1.0
    return float(optimize.brentq(excess, 1e-9, 1.0))


def detectable_over_seeds(differences: Sequence[float], alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest mean difference that the t test sees with this many seeds and the spread of these differences."""
    spread = float(np.asarray(differences, dtype=float).std(ddof=1))
    return detectable_by_spread(spread, len(differences), alpha, power)


def detectable_by_spread(spread: float, seeds: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest mean difference that the t test sees where a seed's difference has this standard deviation, in its unit.

    Approximate: the quantiles of t are added, as in many sample size formulas; at 3 seeds it has 77 % power instead of 80 %.
    """
    return _reach(seeds, alpha, power) * spread / sqrt(seeds)


def equivalence_by_spread(spread: float, seeds: int, alpha: float = 0.05) -> float:
    """Half of the interval that two one-sided t tests over seeds read, in the unit of the spread of a seed's difference.

    Around a mean difference of 0 the tests show every margin above it, and none below.
    """
    return t_quantile(1 - alpha, seeds - 1) * spread / sqrt(seeds)


def _reach(seeds: int, alpha: float, power: float) -> float:
    """In standard errors of a mean over seeds."""
    return t_quantile(1 - alpha / 2, seeds - 1) + t_quantile(power, seeds - 1)


def detectable_mean(problems: int, scatter: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest mean difference that so many problems show, whose single differences have this standard deviation, in its unit."""
    return (z_quantile(1 - alpha) + _z_power(power)) * scatter / sqrt(problems)


def needed_for_mean(difference: float, scatter: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Problems that show a mean difference; `scatter` as in detectable_mean()."""
    if difference == 0:
        raise ValueError("no number of problems shows a difference of 0; wish for a difference")
    return max(2, ceil(((z_quantile(1 - alpha) + _z_power(power)) * scatter / difference) ** 2))


def possible_discordance(first: float, second: float) -> Interval:
    """Share of problems that only one of two checkpoints of these accuracies can solve: the fewest and the most."""
    return Interval(abs(first - second), min(first + second, 2 - first - second))


def discordance_by_chance(first: float, second: float) -> float:
    """The same share where which problems each solves is independent: what checkpoints that agree more stay below."""
    return first * (1 - second) + second * (1 - first)


def detectable_by_seeds(
    problems: int, discordant: float, seeds: int, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Smallest difference of two conditions that the t test over seeds sees, were the problems its only noise.

    A seed's difference then varies by (discordant − difference²) / problems; power as in statsmodels' TTestPower.
    Seeds that differ by themselves, as they do, need more. The discordant share is taken to be as large as the
    difference where it is smaller.
    """
    if seeds < 2:
        raise ValueError("a comparison over seeds needs 2 seeds or more; add seeds to the recipe")
    effect = _effect_over_seeds(seeds, alpha, power)
    found = effect * sqrt(discordant / (problems + effect**2))
    return found if found <= discordant else effect**2 / (problems + effect**2)


@lru_cache(maxsize=1000)  # a page asks for each problem count again, and takes some milliseconds each time
def _effect_over_seeds(seeds: int, alpha: float, power: float) -> float:
    """The effect that the two-sided t test sees, in standard deviations of a seed's difference."""
    from scipy import optimize, special

    freedom = seeds - 1
    reach = t_quantile(1 - alpha / 2, freedom)

    # the noncentral t as a normal over the spread's own distribution: scipy's nct gives nan at few seeds
    spreads = np.sqrt(2 * special.gammaincinv(freedom / 2, (np.arange(4000) + 0.5) / 4000) / freedom)

    def missed(shift: float) -> float:
        seen = special.ndtr(shift - reach * spreads) + special.ndtr(-reach * spreads - shift)
        return power - float(seen.mean())

    enough = reach + 1.0
    while missed(enough) > 0:
        enough *= 2
    return float(optimize.brentq(missed, 0.0, enough)) / sqrt(seeds)


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
    values = np.asarray(differences, dtype=float)
    spread, distance = float(values.std(ddof=1)), abs(float(values.mean()) - threshold)
    if spread < 1e-12 or distance < 1e-12:
        return None
    return needed_seeds_by_spread(distance, spread, alpha, power, most)


def needed_seeds_by_spread(
    difference: float, spread: float, alpha: float = 0.05, power: float = 0.8, most: int = 1000
) -> int | None:
    """Seeds at which detectable_by_spread() is no more than this difference; None where `most` would not do."""
    fits = (n for n in range(2, most + 1) if detectable_by_spread(spread, n, alpha, power) <= difference)
    return next(fits, None)


def _z_power(power: float) -> float:
    return normal_quantile(power)
