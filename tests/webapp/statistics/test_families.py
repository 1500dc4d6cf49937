"""Families, the mid-p test and verdicts: against published values, statsmodels, and by enumeration at the demo's size."""

from functools import cache

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from webapp.statistics.families import Family
from webapp.statistics.intervals import Interval
from webapp.statistics.proportions import mcnemar, mcnemar_midp, tango
from webapp.statistics.seeds import OverSeeds, over_seeds
from webapp.statistics.verdicts import checkpoints_verdict, conditions_verdict

PLANNED = Family("primary", 1, 0.05)
exact_p, mid_p, tango_of = cache(mcnemar), cache(mcnemar_midp), cache(tango)


def test_the_family_corrects_p_and_interval_alike():
    found = [0.001, 0.012, 0.03, 0.4]
    family = Family("secondary", 4, 0.05)
    assert [family.adjusted(p) for p in found] == pytest.approx(multipletests(found, method="bonferroni")[1])
    assert (family.alone, family.level) == (0.0125, 0.9875)
    for p in found:
        assert (family.adjusted(p) < family.alpha) == (p < family.alone)
    # over seeds both are Student's t: at every level the interval excludes 0 exactly where the test rejects
    for values in np.random.default_rng(0).normal(0.05, 0.05, (200, 4)):
        together = over_seeds(values, family.level)
        assert together.interval.excludes_zero() == (together.p < family.alone)


def test_mid_p_is_the_published_one():
    """Fagerland, Lydersen and Laake 2013, table 1 (Bentur et al. 2009): 1 against 7, exact 0.070, mid-p 0.039."""
    assert mcnemar(1, 7) == pytest.approx(0.0703, abs=5e-5)
    assert mcnemar_midp(1, 7) == pytest.approx(0.0391, abs=5e-5)
    for gained, lost in [(0, 3), (4, 9), (30, 12), (200, 150)]:
        pairs = gained + lost
        chances = stats.binom.pmf(np.arange(pairs + 1), pairs, 0.5)
        as_likely = np.isclose(chances, chances[gained])
        rarer = chances[(chances < chances[gained]) & ~as_likely].sum()
        assert mcnemar_midp(gained, lost) == pytest.approx(rarer + chances[as_likely].sum() / 2)
        assert mcnemar_midp(gained, lost) == mcnemar_midp(lost, gained) < mcnemar(gained, lost)
    assert mcnemar_midp(0, 0) == mcnemar_midp(5, 5) == 1.0


@cache
def outcomes(problems, discordant, difference):
    """(gained, lost) that make up all but 1e-3 of what can happen, with their chance."""
    gained, lost = np.meshgrid(np.arange(problems + 1), np.arange(problems + 1))
    rates = [(discordant + difference) / 2, (discordant - difference) / 2]
    inside = gained + lost <= problems
    counts = np.stack([gained[inside], lost[inside], problems - gained[inside] - lost[inside]], axis=1)
    chances = stats.multinomial.pmf(counts, problems, [*rates, 1 - discordant])
    order = np.argsort(-chances)
    kept = order[: np.searchsorted(np.cumsum(chances[order]), 1 - 1e-3) + 1]
    return [(int(g), int(b), float(p)) for (g, b, _), p in zip(counts[kept], chances[kept], strict=True)]


def chance_of(event, *size):
    return sum(chance for gained, lost, chance in outcomes(*size) if event(gained, lost))


DEMO = (600, 0.14, 0.039)  # problems, discordant, difference: as make demo has them


def test_adding_stages_does_not_weaken_the_answer():
    """Holm over the demo's six stages needed p < 0.05 / 6 of the last one while the others showed nothing."""
    exact = chance_of(lambda g, b: exact_p(g, b) < 0.05, *DEMO)
    six = chance_of(lambda g, b: exact_p(g, b) < 0.05 / 6, *DEMO)
    planned = chance_of(lambda g, b: checkpoints_verdict(mid_p(g, b), PLANNED).positive, *DEMO)
    beside = chance_of(
        lambda g, b: 0.05 / 6 <= exact_p(g, b) < 0.05 and tango_of(g, b, 600).excludes_zero(), *DEMO
    )
    assert (exact, six) == pytest.approx((0.69, 0.43), abs=0.006)
    assert beside == pytest.approx(0.26, abs=0.005)
    assert planned == pytest.approx(0.728, abs=0.005)
    assert stats.t.ppf(1 - 0.05 / 12, 2) == pytest.approx(
        10.9, abs=0.05
    )  # |t| of three seeds over six stages
    assert conditions_verdict(over_seeds([0.10, 0.06, 0.08]), PLANNED, 3).word == "supported"  # |t| 6.9


@pytest.mark.parametrize(
    ("size", "exact", "midp"),
    [
        (DEMO, 0.040, 0.006),
        ((600, 0.05, 0.02), 0.087, 0.024),
        ((500, 0.05, 0.022), 0.096, 0.029),
        ((500, 0.05, 0.023), 0.094, 0.028),
    ],
)
def test_the_mid_p_agrees_with_the_interval_beside_it(size, exact, midp):
    def parts(test):
        return chance_of(lambda g, b: (test(g, b) < 0.05) != tango_of(g, b, size[0]).excludes_zero(), *size)

    assert parts(exact_p) == pytest.approx(exact, abs=0.001)  # outcomes() leaves so much out
    assert parts(mid_p) == pytest.approx(midp, abs=0.001)


@pytest.mark.parametrize(("problems", "discordant"), [(600, 0.14), (500, 0.05), (150, 0.3), (1319, 0.03)])
@pytest.mark.parametrize("tests", [1, 5])
def test_the_mid_p_keeps_its_level(problems, discordant, tests):
    family = Family("primary", tests, 0.05)
    size = chance_of(lambda g, b: mid_p(g, b) < family.alone, problems, discordant, 0.0)
    assert 0.8 * family.alone < size < 1.03 * family.alone


def test_the_test_decides_and_what_was_seen_is_suggestive_at_most():
    assert checkpoints_verdict(0.04, PLANNED).word == "differ"
    assert checkpoints_verdict(0.05, PLANNED).word == "not distinguishable"
    assert checkpoints_verdict(0.04, Family("secondary", 2, 0.05)).word == "not distinguishable"
    seen = checkpoints_verdict(0.04, PLANNED, seen=True)
    assert (seen.word, seen.positive) == ("suggestive", False)


def test_conditions_need_three_planned_seeds_to_be_supported():
    clear = OverSeeds(0.1, Interval(0.05, 0.15), 0.004)
    assert conditions_verdict(clear, PLANNED, 3).word == "supported"
    assert conditions_verdict(clear, PLANNED, 2).word == "suggestive"
    assert conditions_verdict(clear, PLANNED, 3, seen=True).word == "suggestive"
    assert conditions_verdict(clear, Family("exploratory", 1, 0.05), 3).word == "suggestive"
    assert conditions_verdict(clear, Family("secondary", 20, 0.05), 3).word == "not distinguishable"
    unclear = OverSeeds(0.1, Interval(-0.05, 0.25), 0.1)
    assert conditions_verdict(unclear, PLANNED, 5).word == "not distinguishable"
