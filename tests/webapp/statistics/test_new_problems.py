"""Intervals for new problems: against plain oracles, and what they cover where problems, seeds and clusters are drawn."""

import numpy as np
import pytest
from scipy import stats

from webapp.statistics.new_problems import Components, components, for_new_problems
from webapp.statistics.proportions import mcnemar_midp
from webapp.statistics.seeds import over_seeds

PAIRS_OF_150 = (
    [1] * 4 + [2] * 6 + [3] * 3 + [4] * 5 + [5] * 8 + [6, 6, 7, 7, 8, 10, 10, 11]
)  # one_step_multiplication


def drawn(draw, seeds, problems, item, seed, *, clusters=None, discordant=0.2, effect=0.05):
    """Differences of −1, 0 and 1 whose chances vary by seed and by problem, or cluster."""
    groups = np.arange(problems) if clusters is None else np.asarray(clusters)
    shift = draw.normal(0, item, groups.max() + 1)[groups] + draw.normal(0, seed, (seeds, 1))
    mean = np.clip(effect + shift, -0.95, 0.95)
    share = np.maximum(discordant, np.abs(mean))
    chance = draw.random((seeds, problems))
    return np.where(chance < (share + mean) / 2, 1.0, np.where(chance < share, -1.0, 0.0))


def test_with_clusters_of_one_size_it_is_students_t_on_their_means():
    values = np.random.default_rng(0).normal(0.1, 1, 60)
    found = for_new_problems(values, clusters=[place // 5 for place in range(60)])
    oracle = stats.ttest_1samp(values.reshape(12, 5).mean(axis=1), 0)
    assert (found.p, found.freedom) == (pytest.approx(oracle.pvalue), pytest.approx(11))
    assert found.interval == pytest.approx(oracle.confidence_interval(0.95))
    assert (found.seeds, found.problems, found.clusters) == (1, 60, 12)
    alone = for_new_problems(values, clusters=range(60))
    assert alone.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_unequal_clusters_have_cr2_and_bell_and_mccaffreys_freedom():
    """Both written out with the hat matrix, as the sources have them."""
    sizes = np.array([1, 2, 3, 7, 11, 5])
    groups, n = np.repeat(np.arange(6), sizes), sizes.sum()
    values = np.random.default_rng(1).normal(0.2, 1, n)
    design = np.ones((n, 1))
    hat = design @ design.T / n
    left = np.eye(n) - hat
    vectors, variance = [], 0.0
    for group in range(6):
        own = groups == group
        size, basis = np.linalg.eigh(left[np.ix_(own, own)])
        adjusted = basis @ np.diag(size**-0.5) @ basis.T
        variance += float(design[own, 0] @ adjusted @ (left @ values)[own]) ** 2 / n**2
        vectors.append(left[:, own] @ adjusted @ design[own, 0] / n)
    gram = np.array(vectors) @ np.array(vectors).T
    freedom = np.trace(gram) ** 2 / np.trace(gram @ gram)
    found = for_new_problems(values, clusters=groups)
    assert found.freedom == pytest.approx(freedom)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(variance)
    assert found.interval == pytest.approx((values.mean() - half, values.mean() + half))


def test_crossed_it_is_the_two_way_analysis_of_variance_with_satterthwaites_freedom():
    draw = np.random.default_rng(2)
    values = draw.normal(0, 0.1, (6, 1)) + draw.normal(0.2, 0.6, (1, 80)) + draw.normal(0, 0.5, (6, 80))
    found = for_new_problems(values)
    seed = 80 * values.mean(axis=1).var(ddof=1)
    problem = 6 * values.mean(axis=0).var(ddof=1)
    total = ((values - values.mean()) ** 2).sum()
    left = (total - 5 * seed - 79 * problem) / (5 * 79)
    square = seed + problem - left
    freedom = square**2 / (seed**2 / 5 + problem**2 / 79 + left**2 / (5 * 79))
    assert found.freedom == pytest.approx(freedom)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(square / 480)
    assert found.interval == pytest.approx((values.mean() - half, values.mean() + half))
    own = components(values)
    assert own == pytest.approx(Components((seed - left) / 80, (problem - left) / 6, left))
    assert own.spread(80) == pytest.approx(values.mean(axis=1).std(ddof=1))
    assert own.spread(10**9) == pytest.approx(np.sqrt(own.seed))
    assert components(np.tile(values[:1], (6, 1))).seed == 0.0


@pytest.mark.parametrize("item", [0.0, 0.3])
def test_it_is_never_narrower_than_the_interval_for_these_problems(item):
    draw = np.random.default_rng(3)
    for _ in range(40):
        values = drawn(draw, 5, 60, item, 0.0)
        found, these = for_new_problems(values, largest=1.0), over_seeds(values.mean(axis=1))
        if these.interval is not None:
            assert found.interval.low <= these.interval.low + 1e-12
            assert found.interval.high >= these.interval.high - 1e-12
            assert found.p >= these.p * (1 - 1e-9)
            assert found.interval.excludes_zero() == (found.p < 0.05)


def test_where_too_little_is_known_nothing_is_said():
    values = np.random.default_rng(4).normal(0, 1, (5, 40))
    assert for_new_problems(values[:1]) is None, (
        "one seed without clusters: McNemar's test is about new problems as it is"
    )
    assert for_new_problems(values[:4]) is None
    assert for_new_problems(np.zeros((5, 40))) is None
    few = np.zeros(40)
    few[:30:10] = 1
    assert for_new_problems(few, clusters=[place // 2 for place in range(40)]) is None
    with pytest.raises(ValueError, match="3 clusters are named for 40 problems"):
        for_new_problems(values[0], clusters=[1, 2, 3])


def test_equivalence_is_two_one_sided_tests():
    values = np.random.default_rng(5).normal(0.0, 0.1, (6, 50))
    found = for_new_problems(values, 0.9, margin=0.05)
    assert (found.p < 0.05) == (found.interval.low > -0.05 and found.interval.high < 0.05)
    assert for_new_problems(values + 0.2, 0.9, margin=0.05).p > 0.5


def test_problems_that_fall_together_show_less_than_as_many_apart():
    """Of 150 in thirty clusters of five 35 are gained and 15 lost, two clusters as a whole: p moves from 0.005 to 0.081."""
    gained = [5] * 2 + [2] * 8 + [1] * 9 + [0] * 11
    lost = [0] * 22 + [1] * 4 + [2] * 3 + [5]
    values = np.concatenate(
        [[1] * up + [-1] * down + [0] * (5 - up - down) for up, down in zip(gained, lost, strict=True)]
    )
    assert (sum(gained), sum(lost), values.size) == (35, 15, 150)
    assert mcnemar_midp(35, 15) == pytest.approx(0.0046, abs=5e-5)
    clustered = for_new_problems(values, clusters=[place // 5 for place in range(150)])
    assert clustered.p == pytest.approx(0.081, abs=5e-4)


def covered(draws, make, **more):
    found = [for_new_problems(make(), **more) for _ in range(draws)]
    assert None not in found
    return np.mean([one.interval.low <= 0.05 <= one.interval.high for one in found])


@pytest.mark.parametrize(
    ("seeds", "problems", "item", "student"),
    [(5, 150, 0.25, 0.88), (5, 150, 0.3, 0.84), (10, 150, 0.3, 0.69), (10, 500, 0.3, 0.76)],
)
def test_new_problems_are_covered_where_students_interval_over_seeds_misses_them(
    seeds, problems, item, student
):
    """A problem's own effect scatters by `item`, a seed's by 0.02."""
    draw = np.random.default_rng([seeds, problems])
    every = [drawn(draw, seeds, problems, item, 0.02) for _ in range(300)]
    rows = iter(every)
    assert covered(300, lambda: next(rows)) >= 0.94 - 2.6 * np.sqrt(0.05 * 0.95 / 300)
    these = [over_seeds(one.mean(axis=1)).interval for one in every]
    wobble = 3 * np.sqrt(student * (1 - student) / 300)
    assert np.mean([one.low <= 0.05 <= one.high for one in these]) == pytest.approx(student, abs=wobble)


def test_new_clusters_and_seeds_are_covered_together():
    groups = np.repeat(np.arange(len(PAIRS_OF_150)), PAIRS_OF_150)
    draw = np.random.default_rng(6)
    found = covered(300, lambda: drawn(draw, 5, 150, 0.2, 0.02, clusters=groups), clusters=groups)
    assert 0.95 - 3 * np.sqrt(0.05 * 0.95 / 300) <= found <= 0.99


@pytest.mark.parametrize("item", [0.0, 0.2])
@pytest.mark.parametrize("discordant", [0.06, 0.2])
def test_new_clusters_are_covered(item, discordant):
    groups = np.repeat(np.arange(len(PAIRS_OF_150)), PAIRS_OF_150)
    draw = np.random.default_rng([int(10 * item), int(100 * discordant)])
    found = []
    for _ in range(400):
        one = for_new_problems(
            drawn(draw, 1, 150, item, 0, clusters=groups, discordant=discordant), clusters=groups
        )
        found.append(one is None or one.interval.low <= 0.05 <= one.interval.high)
    assert 0.93 - 0.028 <= np.mean(found) <= 0.99


@pytest.mark.parametrize("seeds", [1, 5])
def test_interactions_are_covered_too(seeds):
    """A difference of gains is −2 to 2 in each problem."""
    groups = np.repeat(np.arange(len(PAIRS_OF_150)), PAIRS_OF_150)
    draw, held, spread = np.random.default_rng(seeds), [], 0.02 if seeds > 1 else 0.0
    for _ in range(300):
        gains = [
            drawn(draw, seeds, 150, 0.15, spread, clusters=groups, effect=effect) for effect in (0.1, 0.05)
        ]
        found = for_new_problems(gains[0] - gains[1], clusters=groups, largest=2.0)
        held.append(found.interval.low <= 0.05 <= found.interval.high)
    assert 0.93 - 0.033 <= np.mean(held) <= 1.0
