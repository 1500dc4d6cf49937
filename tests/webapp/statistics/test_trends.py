"""Trends against closed forms, brute force and simulation: intervals that hold for correlated noise."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from webapp.statistics.trends import _differences, _widened, autocorrelation, fitted, onset, trend, welch

SERIES = 800  # the standard error of a coverage is then 0.8 points


def noise(points: int, rho: float, draw: np.random.Generator, series: int = 1) -> np.ndarray:
    """First-order autoregressive noise in its steady state: (points,), or (series, points) of several."""
    values = draw.standard_normal((series, points))
    values[:, 0] /= np.sqrt(1 - rho**2)
    for i in range(1, points):
        values[:, i] += rho * values[:, i - 1]
    return values[0] if series == 1 else values


def steps(points: int) -> np.ndarray:
    return np.arange(1, points + 1)


@pytest.mark.parametrize("points", [60, 150, 1000])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8, 0.9])
def test_the_slopes_interval_covers_what_it_says(points: int, rho: float) -> None:
    draw = np.random.default_rng([points, int(10 * rho)])
    covered, series = 0, 800
    for values in noise(points, rho, draw, series):
        line = fitted(steps(points), 0.01 * steps(points) + values)
        assert line is not None
        covered += line.interval.low <= 0.01 <= line.interval.high
    wobble = 2.6 * np.sqrt(0.95 * 0.05 / series)
    assert 0.93 - wobble <= covered / series <= 0.98 + wobble


def test_no_slope_is_offered_where_its_interval_would_not_hold() -> None:
    assert fitted(steps(59), noise(59, 0.9, np.random.default_rng(0))) is None


@pytest.mark.parametrize(("points", "count", "rho"), [(60, 6, 0.9), (61, 7, 0.5), (150, 10, 0.8)])
def test_the_widening_equals_the_covariance_written_out(points: int, count: int, rho: float) -> None:
    means = np.zeros((count, points))
    for row, places in zip(means, np.array_split(np.arange(points), count), strict=True):
        row[places] = 1 / len(places)
    lags = np.abs(np.subtract.outer(np.arange(points), np.arange(points)))
    covariance = means @ rho**lags @ means.T
    x = np.arange(count) - (count - 1) / 2
    step = np.diff(np.eye(count) - 1 / count - np.outer(x, x) / (x @ x), axis=0)
    estimated = np.trace(step @ covariance @ step.T) / np.trace(step @ step.T)
    assert _widened(points, count, rho) == pytest.approx(x @ covariance @ x / (x @ x) / estimated)
    assert _widened(points, count, 0.0) == pytest.approx(1, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("points", [60, 150, 1000])
def test_the_shifts_interval_covers_what_it_says_where_noise_has_no_memory(points: int) -> None:
    draw = np.random.default_rng(points)
    found = [trend(steps(points), noise(points, 0, draw)) for _ in range(SERIES)]
    covered = sum(one.shift.low <= 0 <= one.shift.high for one in found if one and one.shift)
    assert 0.925 <= covered / SERIES <= 0.98
    directed = sum(one.word in ("rising", "falling") for one in found if one)
    assert directed / SERIES <= 0.12, "two intervals, each wrong in one of twenty"


def test_the_slope_is_least_squares_through_the_block_means() -> None:
    values = np.random.default_rng(1).standard_normal(150) + 0.02 * steps(150)
    line = fitted(steps(150), values)
    assert line is not None
    x = [block.mean() for block in np.array_split(steps(150), 10)]
    y = [block.mean() for block in np.array_split(values, 10)]
    assert line.slope == pytest.approx(stats.linregress(x, y).slope)
    assert line.interval.low + line.interval.high == pytest.approx(2 * line.slope)


def test_the_error_of_a_block_is_unbiased_and_has_its_freedom() -> None:
    draw = np.random.default_rng(2)
    trace, freedom = _differences(8)
    x = np.arange(8) - 3.5
    rows = draw.standard_normal((40_000, 8))
    residuals = rows - rows.mean(1, keepdims=True) - np.outer(rows @ x / (x @ x), x)
    sums = (np.diff(residuals, axis=1) ** 2).sum(1)
    assert sums.mean() == pytest.approx(trace, rel=0.02)
    assert 2 * sums.mean() ** 2 / sums.var() == pytest.approx(freedom, rel=0.05)  # Satterthwaite


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6, 0.9])
def test_autocorrelation_is_found_around_a_curve(rho: float) -> None:
    draw = np.random.default_rng(3)
    curve = 8 * np.exp(-np.linspace(0, 4, 400))
    found = [autocorrelation(curve + noise(400, rho, draw)) for _ in range(200)]
    assert np.median(found) == pytest.approx(rho, abs=0.1)


def test_welch_is_statsmodels() -> None:
    draw = np.random.default_rng(4)
    first, last = draw.normal(0, 1, 5), draw.normal(1, 3, 4)
    expected = CompareMeans(DescrStatsW(last), DescrStatsW(first)).tconfint_diff(usevar="unequal")
    assert welch(first, last) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("course", "word"),
    [
        (np.linspace(0, 1, 150), "rising"),
        (np.linspace(1, 0, 150), "falling"),
        (np.full(150, 0.5), "flat"),
        (1 - np.exp(-np.linspace(0, 12, 150)), "rising"),  # a jump, then level: no line shows it
        (np.zeros(150), "flat"),
    ],
)
def test_the_word_for_a_plain_course(course: np.ndarray, word: str) -> None:
    found = trend(steps(150), course + np.random.default_rng(5).normal(0, 0.01, 150), negligible=0.02)
    assert found is not None
    assert found.word == word
    assert found.start == pytest.approx(course[:15].mean(), abs=0.02)
    assert found.end == pytest.approx(course[-15:].mean(), abs=0.02)


def test_loud_noise_is_not_called_flat() -> None:
    found = trend(steps(60), np.random.default_rng(6).normal(0, 1, 60), negligible=0.02)
    assert found is not None
    assert found.word == "not decided"


def test_few_points_decide_nothing() -> None:
    found = trend(steps(59), np.linspace(0, 1, 59))
    assert found is not None
    assert (found.line, found.shift, found.word) == (None, None, "not decided")
    assert trend(steps(1), np.ones(1)) is None


def test_points_that_are_no_numbers_are_left_out() -> None:
    values = np.linspace(0, 1, 70)
    values[7] = np.nan
    found = trend(steps(70), values)
    assert found is not None
    assert (found.points, found.word) == (69, "rising")


def test_a_constant_metric_has_a_slope_of_nothing() -> None:
    line = fitted(steps(100), np.zeros(100))
    assert line is not None
    assert (line.slope, line.interval) == (0, (0, 0))


def test_the_onset_is_where_a_series_crosses_for_good() -> None:
    values = np.concatenate([np.zeros(50), np.ones(5), np.zeros(30), np.ones(65)])
    assert onset(steps(150), values, 0.5) == pytest.approx(85, abs=2)
    assert onset(steps(150), 1 - values, 0.5, below=True) == pytest.approx(85, abs=2)
    assert onset(steps(150), values[::-1], 0.5) is None
    assert onset(steps(150), np.ones(150), 0.5) == 1


def test_a_metric_that_rises_and_then_falls_says_so_with_its_peak() -> None:
    draw = np.random.default_rng(4)
    up, down = np.linspace(0.5, 0.8, 60), np.linspace(0.8, 0.6, 40)
    found = trend(steps(100), np.concatenate([up, down]) + 0.01 * draw.standard_normal(100), negligible=0.02)
    assert found is not None and found.turn == "rose, then fell"
    assert 0.75 < found.peak < 0.82 and 50 <= found.peak_step <= 70
    mirrored = trend(steps(100), -np.concatenate([up, down]), negligible=0.02)
    assert mirrored is not None and mirrored.turn == "fell, then rose"
    slight = trend(steps(100), np.concatenate([up, down]), negligible=0.25)
    assert slight is not None and slight.turn == "", "less than counts as a change"


@pytest.mark.parametrize("rise", [0.0, 3.0])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_noise_and_a_curve_that_levels_off_seldom_turn(rise: float, rho: float) -> None:
    draw = np.random.default_rng(5)
    course = rise * (1 - np.exp(-steps(60) / 10)) / np.sqrt(1 - rho**2)
    found = [trend(steps(60), course + one) for one in noise(60, rho, draw, 200)]
    assert sum(bool(one and one.turn) for one in found) / 200 <= 0.05
