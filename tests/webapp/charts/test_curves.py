"""What is done to a series before it is drawn, against the same written by hand."""

import math

import numpy as np
import pytest

from webapp.charts import curves


def by_hand(x: list[float], y: list[float], smoothing: float, span: float) -> list[float]:
    """W&B's loop: decay both sums by w^(distance × 1,000 / span), then divide."""
    weight, total, weights, found = math.sqrt(smoothing), 0.0, 0.0, []
    for place, value in enumerate(y):
        distance = (x[place] - x[place - 1]) / span * 1000 if place else 0.0
        decay = weight**distance
        total, weights = total * decay + value, weights * decay + 1
        found.append(total / weights)
    return found


@pytest.mark.parametrize("smoothing", [0.01, 0.3, 0.9, 0.99])
def test_smoothing_is_the_time_weighted_average_of_the_formula(smoothing: float) -> None:
    draw = np.random.default_rng(0)
    x = np.cumsum(draw.exponential(1.0, 3_000)) * np.where(np.arange(3_000) > 2_000, 3, 1)
    y = draw.standard_normal(3_000) + 5
    span = float(x[-1] - x[0])
    expected = by_hand(x.tolist(), y.tolist(), smoothing, span)
    assert curves.smoothed(x, y, smoothing, curves.unit(span, len(x))) == pytest.approx(expected, rel=1e-9)


def test_smoothing_is_debiased_and_weighs_by_distance() -> None:
    x, y = np.array([0.0, 1.0, 100.0]), np.array([4.0, 8.0, 0.0])
    found = curves.smoothed(x, y, 0.99, 0.1)
    assert found[0] == 4.0, "not drawn towards 0"
    assert 4 < found[1] < 8
    assert found[2] < 0.1, "far away from the points before it"
    assert curves.smoothed(x, y, 0.0, 0.1) is y


def test_a_short_run_is_smoothed_from_point_to_point() -> None:
    x, y = np.arange(61.0), np.tile([0.0, 1.0], 31)[:61]
    found = curves.smoothed(x, y, 0.6, curves.unit(60.0, 61))
    assert 0.35 < found[20:].min() < found[20:].max() < 0.65, "a thousandth of its axis would smooth nothing"
    assert curves.unit(60.0, 61) == 1.0
    assert curves.unit(0.0, 1) == 0.0


def test_what_is_no_number_stays_and_weighs_nothing() -> None:
    x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, math.nan, 1.0])
    found = curves.smoothed(x, y, 0.9, 0.002)
    assert np.isnan(found).tolist() == [False, True, False]
    assert found[2] == 1.0


def test_a_band_is_mean_least_and_largest_where_all_have_got() -> None:
    long = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0, 4.0])
    short = np.array([1.0, 3.0]), np.array([3.0, 5.0])
    found = curves.band([long, short])
    assert found is not None
    assert found.x.tolist() == [1, 2, 3], "the shorter one has not got to 4"
    assert found.mean.tolist() == [2, 3, 4]
    assert (found.low.tolist(), found.high.tolist()) == ([1, 2, 3], [3, 4, 5])
    apart = np.array([9.0]), np.array([1.0])
    assert curves.band([long, apart]) is None


def test_clipping_takes_the_first_to_the_last_percentile() -> None:
    values = np.arange(101.0)
    assert curves.clipped_range([values]) == pytest.approx((1 - 4.9, 99 + 4.9))
    low, high = curves.clipped_range([10.0**values], log=True) or (0, 0)
    assert (low, high) == pytest.approx((1 - 4.9, 99 + 4.9))
    assert curves.clipped_range([np.array([math.nan])]) is None


def test_gaps_are_intervals_far_longer_than_usual() -> None:
    assert curves.gaps(np.array([0.0, 1, 2, 3, 50, 51])).tolist() == [4]
    assert curves.gaps(np.array([0.0, 1, 2, 5, 6])).tolist() == []


def test_thinning_keeps_the_extremes() -> None:
    values = np.sin(np.arange(50_000) / 99)
    values[33_333] = 7.0
    places = curves.kept(np.arange(50_000.0), values, 200)
    assert len(places) <= 200
    assert 33_333 in places
