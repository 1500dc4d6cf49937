"""Statistics against published tables, statsmodels, scipy, and simulated coverage."""

from collections import Counter
from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import beta as beta_function
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import (
    confint_proportions_2indep,
    proportion_confint,
    samplesize_proportions_2indep_onetail,
)

from webapp.statistics.families import Family
from webapp.statistics.intervals import Interval
from webapp.statistics.power import (
    detectable,
    detectable_by_seeds,
    detectable_over_seeds,
    needed_problems,
    needed_problems_unpaired,
)
from webapp.statistics.proportions import (
    fisher,
    mcnemar,
    mean_share,
    newcombe_paired,
    newcombe_unpaired,
    paired_means,
    pass_at_k,
    tango,
    wilson,
)
from webapp.statistics.seeds import OverSeeds, over_seeds
from webapp.statistics.verdicts import conditions_verdict


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe 1998a, Stat. Med. 17:857, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_equals_the_published_table(successes, trials, low, high):
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 1), (1, 1), (11, 500), (20, 500), (599, 600), (600, 600)]
)
def test_wilson_equals_statsmodels(successes, trials):
    assert wilson(successes, trials) == pytest.approx(
        proportion_confint(successes, trials, method="wilson"), abs=1e-12
    )


@pytest.mark.parametrize(
    ("first", "first_n", "second", "second_n", "low", "high"),
    # Newcombe 1998b, Stat. Med. 17:873, table II, method 10
    [
        (48, 80, 56, 70, 0.0524, 0.3339),
        (3, 10, 9, 10, 0.1705, 0.8090),
        (2, 7, 6, 7, 0.0582, 0.8062),
        (0, 29, 5, 56, -0.0381, 0.1926),
        (0, 20, 0, 10, -0.1611, 0.2775),
        (0, 10, 10, 10, 0.6075, 1.0),
    ],
)
def test_newcombe_unpaired_equals_the_published_table(first, first_n, second, second_n, low, high):
    interval = newcombe_unpaired(first, first_n, second, second_n)
    assert interval == pytest.approx((low, high), abs=6e-5)
    oracle = confint_proportions_2indep(second, second_n, first, first_n, method="newcomb", compare="diff")
    assert interval == pytest.approx(oracle, abs=1e-9)


def test_paired_intervals_equal_published_examples():
    # Cavo et al. 2012 in Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables, ch. 8
    assert tango(6, 16, 161) == pytest.approx((-0.1240, -0.0054), abs=5e-5)
    assert newcombe_paired(59, 6, 16, 80) == pytest.approx((-0.1186, -0.0046), abs=5e-5)


def score_by_maximisation(delta: float, gained: int, lost: int, n: int) -> float:
    """Tango's score with the nuisance share found by maximising the likelihood numerically."""
    rest = n - gained - lost

    def loss(q: float) -> float:  # q: share that only the first solves
        cells = [(gained, q + delta), (lost, q), (rest, 1 - 2 * q - delta)]
        return -sum(k * np.log(max(p, 1e-300)) for k, p in cells if k)

    low, high = max(0.0, -delta), (1 - delta) / 2
    q = optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x
    return (gained - lost - n * delta) / np.sqrt(n * (2 * q + delta - delta**2))


@pytest.mark.parametrize(
    ("gained", "lost", "n"), [(12, 2, 50), (20, 11, 500), (9, 0, 500), (1, 30, 81), (90, 20, 600)]
)
def test_tango_inverts_the_score_of_the_likelihood(gained, lost, n):
    low, high = tango(gained, lost, n)
    assert score_by_maximisation(low, gained, lost, n) == pytest.approx(1.959964, abs=1e-4)
    assert score_by_maximisation(high, gained, lost, n) == pytest.approx(-1.959964, abs=1e-4)


def test_tango_at_the_edges():
    z2 = stats.norm.ppf(0.975) ** 2
    assert tango(0, 0, 100) == pytest.approx((-z2 / (100 + z2), z2 / (100 + z2)), abs=1e-9)
    assert tango(30, 0, 30) == pytest.approx(((30 - z2) / (30 + z2), 1.0), abs=1e-9)
    assert tango(0, 30, 30) == pytest.approx((-1.0, -(30 - z2) / (30 + z2)), abs=1e-9)
    assert tango(0, 0, 1)[1] <= 1


@pytest.mark.parametrize(
    "counts", [(100, 60, 40, 400), (5, 9, 2, 484), (300, 30, 30, 240), (500, 70, 10, 20)]
)
def test_the_two_paired_intervals_agree_with_each_other(counts):
    _, gained, lost, _ = counts
    assert tango(gained, lost, sum(counts)) == pytest.approx(newcombe_paired(*counts), abs=0.004)


def test_reversing_a_comparison_mirrors_it():
    assert tango(30, 12, 600) == pytest.approx(tuple(-x for x in reversed(tango(12, 30, 600))), abs=1e-9)
    forward, backward = newcombe_paired(50, 30, 12, 508), newcombe_paired(50, 12, 30, 508)
    assert forward == pytest.approx((-backward.high, -backward.low), abs=1e-12)
    assert mcnemar(30, 12) == mcnemar(12, 30)


@pytest.mark.parametrize(("gained", "lost"), [(9, 0), (20, 11), (1, 0), (7, 7), (250, 180)])
def test_mcnemar_equals_statsmodels(gained, lost):
    oracle = statsmodels_mcnemar([[100, gained], [lost, 100]], exact=True).pvalue
    assert mcnemar(gained, lost) == pytest.approx(oracle, rel=1e-9)


def test_the_reports_headline():
    assert fisher(11, 500, 20, 500) == pytest.approx(0.143, abs=5e-4)
    assert mcnemar(9, 0) == pytest.approx(0.0039, abs=5e-5)  # every solved problem of the first nested
    assert mcnemar(20, 11) == pytest.approx(0.150, abs=5e-4)  # none shared
    assert abs(needed_problems_unpaired(0.022, 0.040) - 1454) <= 1
    assert mcnemar(0, 0) == 1.0


def test_needed_problems_unpaired_equals_statsmodels():
    for first, second in [(0.022, 0.04), (0.5, 0.56), (0.77, 0.88)]:
        oracle = samplesize_proportions_2indep_onetail(second - first, first, 0.8, alpha=0.05)
        assert needed_problems_unpaired(first, second) == pytest.approx(oracle, abs=1.01)


def test_over_seeds_equals_scipy():
    differences = [0.117, 0.051, 0.09, -0.01]
    oracle = stats.ttest_1samp(differences, 0.0)
    result = over_seeds(differences)
    assert result.p == pytest.approx(oracle.pvalue)
    assert result.interval == pytest.approx(oracle.confidence_interval(0.95))
    assert result.mean == pytest.approx(np.mean(differences))


def test_an_interval_over_seeds_ends_where_differences_do():
    assert over_seeds([0.3, -0.3]).interval == (-1.0, 1.0)  # t: ±3.8


def test_equal_differences_of_seeds_prove_nothing():
    assert over_seeds([0.01, 0.01]) == OverSeeds(0.01, None, None)
    planned = Family("primary", 1, 0.05)
    assert conditions_verdict(over_seeds([0.01] * 3), planned, 3).word == "not tested"
    assert conditions_verdict(over_seeds([0.0] * 3), planned, 3).word == "not distinguishable"
    with pytest.raises(ValueError, match="2 seeds"):
        over_seeds([0.1])


def test_pass_at_k_equals_its_definition():
    samples, correct = np.array([10, 10, 8, 4]), np.array([0, 3, 8, 1])
    for k in (1, 2, 4):
        expected = [1 - comb(n - c, k) / comb(n, k) for n, c in zip(samples, correct, strict=True)]
        assert pass_at_k(samples, correct, k) == pytest.approx(expected)
    assert pass_at_k(200, 199, 100) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="at least 5 samples"):
        pass_at_k([4], [1], 5)


def test_detectable_and_needed_problems_are_inverse():
    for problems, discordant in [(600, 0.2), (500, 0.06), (150, 0.5)]:
        difference = detectable(problems, discordant)
        assert needed_problems(difference, discordant) == pytest.approx(problems, abs=1)
    assert 0 < detectable(600, 0.0) < 0.02  # without a discordant pair: as large as the difference itself
    assert detectable(3, 0.0) == 1.0
    with pytest.raises(ValueError, match="discordant"):
        needed_problems(0.2, 0.1)


def test_the_detectable_difference_is_detected_as_often_as_it_says():
    generator = np.random.default_rng(0)
    difference = detectable(600, 0.2)
    draws = generator.multinomial(600, [(0.2 + difference) / 2, (0.2 - difference) / 2, 0.8], size=4000)
    share = sum(n for (g, b), n in Counter(map(tuple, draws[:, :2])).items() if mcnemar(g, b) < 0.05) / 4000
    assert 0.74 < share < 0.84  # the exact test is a little conservative


def test_detectable_over_seeds_grows_with_spread_and_shrinks_with_seeds():
    assert detectable_over_seeds([0.0, 0.1, 0.2]) > detectable_over_seeds([0.05, 0.1, 0.15])
    assert detectable_over_seeds([0.0, 0.2] * 4) < detectable_over_seeds([0.0, 0.2] * 2)


@pytest.mark.parametrize("rate", [0.04, 0.1, 0.5, 0.88])
def test_wilson_covers(rate):
    draws = np.random.default_rng(1).binomial(600, rate, size=20_000)
    covered = sum(n for k, n in Counter(draws.tolist()).items() if within(rate, wilson(k, 600)))
    assert 0.93 < covered / 20_000 < 0.98


@pytest.mark.parametrize(
    ("n", "gain", "loss"), [(600, 0.05, 0.05), (600, 0.2, 0.08), (500, 0.03, 0.012), (150, 0.3, 0.1)]
)
def test_paired_intervals_cover(n, gain, loss):
    neither, both = 0.6 * (1 - gain - loss), 0.4 * (1 - gain - loss)
    draws = np.random.default_rng(2).multinomial(n, [both, gain, loss, neither], size=6000)
    pairs = Counter((int(g), int(b)) for _, g, b, _ in draws)
    covered = sum(k for (g, b), k in pairs.items() if within(gain - loss, tango(g, b, n)))
    assert 0.93 < covered / 6000 < 0.98
    covered = sum(within(gain - loss, newcombe_paired(*map(int, row))) for row in draws[:2000])
    assert 0.93 < covered / 2000 < 0.98


def test_newcombe_unpaired_covers():
    generator = np.random.default_rng(3)
    pairs = zip(generator.binomial(500, 0.022, 4000), generator.binomial(500, 0.04, 4000), strict=True)
    covered = sum(within(0.018, newcombe_unpaired(int(a), 500, int(b), 500)) for a, b in pairs)
    assert 0.93 < covered / 4000 < 0.98


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_the_seeds_interval_covers(seeds):
    draws = np.random.default_rng(4).normal(0.05, 0.08, size=(3000, seeds))
    covered = sum(within(0.05, over_seeds(row).interval) for row in draws)
    assert 0.93 < covered / 3000 < 0.98


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(ValueError, match="is no proportion"):
        wilson(successes, trials)


def within(value: float, interval: Interval) -> bool:
    """True when the interval covers the value."""
    return interval.low <= value <= interval.high


@pytest.mark.parametrize(
    ("problems", "discordant", "seeds"), [(1319, 0.1, 3), (1000, 0.2, 5), (500, 0.04, 10)]
)
def test_difference_that_seeds_show_equals_statsmodels(problems, discordant, seeds):
    found = detectable_by_seeds(problems, discordant, seeds)
    spread = ((discordant - found**2) / problems) ** 0.5
    assert TTestPower().power(found / spread, seeds, 0.05) == pytest.approx(0.8, abs=1e-3)


def test_difference_that_two_seeds_show_is_seen_four_times_in_five():
    found = detectable_by_seeds(1000, 0.3, 2)
    draw = np.random.default_rng(0)
    seeds = draw.normal(found, ((0.3 - found**2) / 1000) ** 0.5, size=(20_000, 2))
    assert (stats.ttest_1samp(seeds, 0, axis=1).pvalue < 0.05).mean() == pytest.approx(0.8, abs=0.01)


def test_difference_that_seeds_show_has_its_limits():
    assert detectable_by_seeds(50, 0.01, 2) > 0.01, "more than the discordant share, so that share grows too"
    with pytest.raises(ValueError, match="2 seeds or more"):
        detectable_by_seeds(100, 0.1, 1)


SOLVE_RATES = {"hard": (0.15, 3.0), "middle": (0.6, 0.9), "easy": (4.0, 0.7)}  # of problems: Beta(a, b)


def solved(generator, kind, problems, samples, k, runs):
    """Estimated pass@k of every problem, (runs, problems), and its true mean over all problems there could be."""
    a, b = SOLVE_RATES[kind]
    chance = generator.beta(a, b, size=(runs, problems))
    right = generator.binomial(samples, chance)
    return pass_at_k(samples, right, k), 1 - beta_function(a, b + k) / beta_function(a, b)


def test_pass_at_k_equals_all_ways_to_draw_k():
    for samples in range(1, 8):
        for right in range(samples + 1):
            completions = [i < right for i in range(samples)]
            for k in range(1, samples + 1):
                drawn = list(combinations(completions, k))
                expected = sum(any(one) for one in drawn) / len(drawn)
                assert pass_at_k(samples, right, k) == pytest.approx(expected)


def test_pass_at_k_is_without_bias():
    estimated, truth = solved(np.random.default_rng(5), "middle", 20_000, 10, 4, 1)
    assert estimated.mean() == pytest.approx(truth, abs=0.01)
    naive = 1 - (1 - pass_at_k(10, np.random.default_rng(5).binomial(10, 0.1, 20_000), 1)) ** 4
    assert naive.mean() < 1 - 0.9**4 - 0.005  # what is usually done instead


def test_the_interval_of_a_mean_share_is_wilsons_for_yes_or_no():
    for right in (0, 1, 7, 20):
        assert mean_share([1] * right + [0] * (20 - right), 1) == pytest.approx(wilson(right, 20))
    certain, doubtful = mean_share([0.5] * 20, 4), wilson(10, 20)  # no scatter, but no certainty either
    assert wilson(40, 80).low > certain.low > doubtful.low


COVERED = [
    ("hard", 150, 8, 1),
    ("hard", 150, 8, 8),
    ("hard", 500, 16, 4),
    ("middle", 150, 8, 8),
    ("middle", 500, 16, 4),
    ("easy", 150, 8, 1),
    ("easy", 500, 16, 4),  # of 500 problems 4 are missed
]


@pytest.mark.parametrize(("kind", "problems", "samples", "k"), COVERED)
def test_the_interval_of_pass_at_k_covers(kind, problems, samples, k):
    values, truth = solved(np.random.default_rng(6), kind, problems, samples, k, 2000)
    covered = sum(within(truth, mean_share(row, samples)) for row in values) / 2000
    assert 0.93 < covered < 0.98


def test_two_equal_means_are_not_certain():
    equal = paired_means([0.0] * 100, [0.0] * 100)
    assert equal.mean == 0
    assert equal.p == pytest.approx(1)
    assert equal.interval == pytest.approx((-0.0272, 0.0272), abs=2e-4)
    # Bonett and Price's formula, for yes or no
    gained, lost, n = 30, 12, 150
    first, second = [0] * gained + [1] * lost + [0] * (n - 42), [1] * gained + [0] * lost + [0] * (n - 42)
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = 1.959964 * np.sqrt((up + down - (up - down) ** 2) / (n + 2))
    assert paired_means(first, second).interval == pytest.approx((up - down - half, up - down + half))
    assert paired_means(second, first).p == pytest.approx(paired_means(first, second).p)


@pytest.mark.parametrize(("kind", "problems", "samples", "k"), COVERED)
def test_the_interval_of_two_means_covers(kind, problems, samples, k):
    generator, (a, b) = np.random.default_rng(7), SOLVE_RATES[kind]
    chance = generator.beta(a, b, size=(1500, problems))
    better = chance + (1 - chance) * generator.beta(0.3, 3.0, size=chance.shape)
    first, second = (pass_at_k(samples, generator.binomial(samples, p), k) for p in (chance, better))
    everyone = generator.beta(a, b, size=1_000_000)
    improved = everyone + (1 - everyone) * generator.beta(0.3, 3.0, size=everyone.size)
    truth = float(((1 - everyone) ** k - (1 - improved) ** k).mean())
    found = [paired_means(one, other) for one, other in zip(first, second, strict=True)]
    assert 0.93 < sum(within(truth, one.interval) for one in found) / 1500 < 0.98


def test_means_that_are_equal_are_seldom_told_apart():
    generator = np.random.default_rng(8)
    chance = generator.beta(0.3, 3.0, size=(2000, 300))
    first, second = (pass_at_k(8, generator.binomial(8, chance), 4) for _ in range(2))
    low = sum(paired_means(one, other).p < 0.05 for one, other in zip(first, second, strict=True))
    assert 0.02 < low / 2000 < 0.07


def test_the_problems_that_a_threshold_takes():
    assert needed_problems(0.1, 0.3, threshold=0.0) == needed_problems(0.1, 0.3)
    assert needed_problems(0.1, 0.3, threshold=0.05) > needed_problems(0.1, 0.3)
    assert needed_problems(-0.02, 0.3, threshold=0.05) == pytest.approx(needed_problems(0.07, 0.3), rel=0.02)
    for difference, threshold in ((0.05, 0.05), (0.01, 0.5)):
        with pytest.raises(ValueError, match="the discordant share must be at least"):
            needed_problems(difference, 0.3, threshold=threshold)
