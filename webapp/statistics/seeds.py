"""Differences over seeds: their mean with a t interval and test."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from webapp.statistics.distributions import standard_error, t_above, t_quantile
from webapp.statistics.intervals import Interval


class OverSeeds(NamedTuple):
    """A mean over seeds; interval and p are None where the seeds show no spread to judge it by."""

    mean: float
    interval: Interval | None
    p: float | None


def over_seeds(differences: Sequence[float], level: float = 0.95, largest: float = 1.0) -> OverSeeds:
    """Student's t on one paired difference per seed: what two conditions are compared by.

    The interval ends at ± `largest`, where differences do (shares: 1): with two seeds t alone reaches far beyond. Needs
    2 seeds or more. Equal differences give no interval: two seeds that happen to agree to the last
    problem prove nothing about the spread.
    """
    values = np.asarray(differences, dtype=float)
    if values.size < 2:
        raise ValueError("a comparison over seeds needs 2 seeds or more; add seeds to the recipe")
    mean, error = float(values.mean()), standard_error(values)
    if error < 1e-12:
        return OverSeeds(mean, None, None)
    freedom = values.size - 1
    half = t_quantile((1 + level) / 2, freedom) * error
    return OverSeeds(
        mean,
        Interval(max(-largest, mean - half), min(largest, mean + half)),
        2 * t_above(abs(mean) / error, freedom),
    )


def within_over_seeds(differences: Sequence[float], margin: float) -> float | None:
    """The larger one-sided p of Student's t against −margin and margin (Schuirmann 1987); None without spread."""
    values = np.asarray(differences, dtype=float)
    mean, error = float(values.mean()), standard_error(values)
    return None if error < 1e-12 else t_above((margin - abs(mean)) / error, values.size - 1)
