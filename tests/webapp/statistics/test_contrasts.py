"""Gains, interactions and equivalence: against statsmodels and scipy, with size, power and coverage by simulation."""

import re

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from benchmarks.contrasts import designs
from tests.webapp.statistics.test_families import chance_of
from webapp.statistics.amounts import amount_difference, amount_within
from webapp.statistics.families import Family
from webapp.statistics.intervals import Interval
from webapp.statistics.power import detectable, needed_for_equivalence
from webapp.statistics.proportions import (
    mcnemar_midp,
    mean_difference,
    mean_within,
    paired_means,
    tango,
    tango_within,
)
from webapp.statistics.seeds import over_seeds, within_over_seeds
from webapp.statistics.verdicts import checkpoints_verdict, conditions_verdict

EQUIVALENCE = Family("primary", 1, 0.05, margin=0.05)


def test_two_one_sided_tests_are_the_interval_of_twice_the_level():
    assert EQUIVALENCE.level == 0.9
    assert EQUIVALENCE.rejected_by(Interval(-0.04, 0.049))
    assert not EQUIVALENCE.rejected_by(Interval(-0.06, 0.01))
    for problems in (150, 600):
        for gained in range(0, 60, 3):
            for lost in range(0, 60, 7):
                within = tango_within(gained, lost, problems, 0.05) < 0.05
                assert within == EQUIVALENCE.rejected_by(tango(gained, lost, problems, 0.9)), (gained, lost)


def test_the_one_sided_tests_equal_statsmodels():
    draw = np.random.default_rng(0)
    first = draw.normal(0, 0.02, 6)
    second = first + draw.normal(0.01, 0.02, 6)
    found = within_over_seeds(second - first, 0.05)
    assert found == pytest.approx(ttost_paired(second, first, -0.05, 0.05)[0])
    assert within_over_seeds([0.01, 0.01], 0.05) is None
    values = draw.normal(1.0, 10.0, 300)  # the two that are added hardly count here
    assert amount_within(values, 2.0) == pytest.approx(ttost_paired(values, 0 * values, -2, 2)[0], rel=0.1)
    for level in (0.9, 0.98):
        alpha = (1 - level) / 2
        interval, margin = mean_difference(draw.choice([-1, 0, 1], 400), level).interval, 0.12
        assert interval.high - interval.low < 2 * margin
        values = draw.choice([-1.0, 0.0, 1.0], 400)
        inside = all(abs(end) < margin for end in mean_difference(values, level, 2.0).interval)
        assert (mean_within(values, margin) < alpha) == inside


@pytest.mark.parametrize(("problems", "discordant"), [(600, 0.14), (600, 0.05)])
def test_conditions_a_margin_apart_are_seldom_called_equivalent(problems, discordant):
    """Size at the margin itself, which is the largest, and power where there is no difference."""

    def chance(difference):
        return chance_of(
            lambda g, b: (
                checkpoints_verdict(tango_within(g, b, problems, EQUIVALENCE.margin), EQUIVALENCE).positive
            ),
            problems,
            discordant,
            difference,
        )

    assert 0.03 < chance(min(0.05, discordant - 0.001)) < 0.06
    needed = needed_for_equivalence(0.05, discordant)
    assert (chance(0.0) > 0.8) == (problems > needed)


def test_equivalence_is_a_verdict_of_its_own():
    assert checkpoints_verdict(0.01, EQUIVALENCE).word == "equivalent"
    assert checkpoints_verdict(0.2, EQUIVALENCE).word == "not shown equivalent"
    near = over_seeds([0.01, -0.01, 0.0, 0.005])._replace(p=0.001)
    assert conditions_verdict(near, EQUIVALENCE, 4).word == "equivalent"
    assert conditions_verdict(near, EQUIVALENCE, 2).word == "suggestive"
    assert conditions_verdict(over_seeds([0.0] * 3), EQUIVALENCE, 3).word == "not tested"


def four(draw, problems, runs, interaction, share=0.25):
    """Both gains in each problem, (runs, problems), of conditions whose gains differ by so much on average."""
    easy = draw.beta(0.5, 1.2, (runs, problems))  # problems are hard or easy for all four
    before = [draw.random(easy.shape) < easy for _ in range(2)]
    taught = [draw.random(easy.shape) < rate for rate in (share, share + interaction / (1 - 0.5 / 1.7))]
    after = [own | learnt for own, learnt in zip(before, taught, strict=True)]
    return [late.astype(float) - early for early, late in zip(before, after, strict=True)]


@pytest.mark.parametrize("problems", [150, 600])
@pytest.mark.parametrize("interaction", [0.0, 0.08])
def test_the_interval_of_an_interaction_covers(problems, interaction):
    first, second = four(
        np.random.default_rng([problems, int(100 * interaction)]), problems, 2000, interaction
    )
    found = [mean_difference(values, largest=2.0) for values in second - first]
    covered = np.mean([one.interval.low <= interaction <= one.interval.high for one in found])
    assert 0.93 < covered < 0.97
    if not interaction:
        assert 0.03 < np.mean([one.p < 0.05 for one in found]) < 0.065  # size


def test_an_interaction_reaches_two_and_equals_a_difference_where_conditions_start_alike():
    gains = np.array([1.0, -1.0, 0.0, 1.0] * 50)
    assert mean_difference(2 * gains, largest=2.0).mean == 2 * gains.mean()
    assert mean_difference(np.full(3, 2.0), largest=2.0).interval.high <= 2
    draw = np.random.default_rng(1)
    start, one, other = (draw.random(200) < rate for rate in (0.3, 0.5, 0.6))
    difference = paired_means(one.astype(float), other.astype(float))
    between = mean_difference((other.astype(float) - start) - (one.astype(float) - start), largest=2.0)
    assert between == difference
    assert amount_difference([3.0, 0.0, 1.0] * 20).mean == pytest.approx(4 / 3)


SMALL = [one for one in designs() if not re.search(r"\b[56]00\b", one.name)]  # their problems


@pytest.mark.parametrize("design", [pytest.param(one, id=one.name) for one in SMALL])
def test_every_interval_and_its_test_hold_their_levels(design):
    """With 2,000 draws they are in docs/statistics.md."""
    covered, rejected = design.found(np.random.default_rng(0), draws := 150)
    assert covered >= design.level - 3 * np.sqrt(design.level * (1 - design.level) / draws)
    assert rejected <= design.alpha + 3 * np.sqrt(design.alpha * (1 - design.alpha) / draws)


def test_six_seeds_of_smoke_show_an_interaction():
    """Differences of gains in 150 problems each, with the mean and the spread that were found."""
    found = over_seeds([more / 150 for more in (18, 1, 2, 26, 17, 10)], largest=2.0)
    assert found.mean == pytest.approx(0.082, abs=5e-4)
    assert found.interval == pytest.approx((0.014, 0.151), abs=5e-4)
    assert found.p == pytest.approx(0.027, abs=5e-4)
    verdict = conditions_verdict(found, Family("primary", 1, 0.05), 6)
    assert verdict.word == "supported"


def test_more_seeds_show_a_gain_better():
    """Each seed alone with 83 % power: all of ten show it in 16 % of cases, Student's t over them nearly always."""
    discordant, problems = 0.3, 600
    gain = detectable(problems, discordant, power=0.83)
    draw = np.random.default_rng(2)
    cells = [(discordant + gain) / 2, (discordant - gain) / 2, 1 - discordant]
    counts = draw.multinomial(problems, cells, (2000, 10))[..., :2]
    known = {pair: mcnemar_midp(*pair) < 0.05 for pair in set(map(tuple, counts.reshape(-1, 2).tolist()))}
    alone = np.array([[known[tuple(pair)] for pair in row] for row in counts.tolist()])
    deltas = (counts[..., 0] - counts[..., 1]) / problems
    together = {n: (stats.ttest_1samp(deltas[:, :n], 0, axis=1).pvalue < 0.05).mean() for n in (2, 3, 6, 10)}
    assert alone[:, :2].all(axis=1).mean() == pytest.approx(0.69, abs=0.04)
    assert alone.all(axis=1).mean() == pytest.approx(0.16, abs=0.04)
    assert together[2] < together[3] < together[6] <= together[10]
    assert together[3] > 0.68 and together[6] > 0.99
