"""Reading seeds: no verdict before the planned ones, none changed by later ones, one look where it was planned."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.looks import DESIGNS, one_seed
from webapp.statistics.families import Family
from webapp.statistics.planned_seeds import SeedPlan, read_seeds
from webapp.statistics.seeds import over_seeds

PLANNED = Family("primary", 1, 0.05)
CLEAR = [0.10, 0.09, 0.11, 0.10, 0.08, 0.12, 0.10]


def word(differences, plan, **more):
    found = read_seeds(differences, PLANNED, plan, **more)
    return None if found is None else found.verdict.word


def test_six_of_seven_seeds_are_no_verdict():
    plan = SeedPlan(7)
    assert word([*CLEAR[:6], None], plan) == "interim"
    assert word(CLEAR, plan) == "supported"
    assert word([0.1, *[None] * 6], plan) is None
    six = read_seeds([*CLEAR[:6], None], PLANNED, plan)
    assert six is not None
    assert six.result == over_seeds(CLEAR[:6])  # an interval may stand, and is called interim


def test_a_seed_that_is_given_up_leaves_it_suggestive_at_most():
    one_short = [*CLEAR[:6], None]
    assert word(one_short, SeedPlan(7), given_up={6}) == "suggestive"
    assert word([None, *CLEAR[:5], None], SeedPlan(7), given_up={6}) == "interim"
    assert word([0.1, -0.1, 0.02, None], SeedPlan(4), given_up={3}) == "not distinguishable"


def test_later_seeds_change_nothing_and_stand_beside_it():
    frozen = read_seeds(CLEAR[:3], PLANNED, SeedPlan(3))
    against = [*CLEAR[:3], -0.5, -0.4, -0.6]
    found = read_seeds(against, PLANNED, SeedPlan(3))
    assert found is not None and frozen is not None
    assert (found.result, found.verdict, found.used) == (frozen.result, frozen.verdict, (0, 1, 2))
    assert found.later == over_seeds(against)
    assert frozen.later is None


def test_a_planned_look_decides_early_or_leaves_the_end_at_0_049():
    plan = SeedPlan(6, look=3)
    early = read_seeds([0.100, 0.101, 0.099, None, None, None], PLANNED, plan)
    assert early is not None and early.stopped
    assert (early.verdict.word, early.family.alone, early.used) == ("supported", 0.001, (0, 1, 2))
    turned = read_seeds([0.100, 0.101, 0.099, -0.2, -0.3, -0.2], PLANNED, plan)
    assert turned is not None
    assert (turned.result, turned.verdict) == (early.result, early.verdict), "stopped is stopped"
    assert word([0.10, 0.07, 0.12, None, None, None], plan) == "interim"  # p 0.02
    assert (
        word([None, 0.100, 0.101, 0.099, None, None], plan) == "interim"
    )  # other seeds than the planned ones
    end = read_seeds([0.10, 0.07, 0.12, 0.05, 0.09, 0.1], PLANNED, plan)
    assert end is not None
    assert end.family.alone == pytest.approx(0.049)
    assert end.result == over_seeds([0.10, 0.07, 0.12, 0.05, 0.09, 0.1], 0.951)


def test_equivalence_is_read_the_same_way():
    family = Family("primary", 1, 0.05, margin=0.05)
    found = read_seeds([0.01, -0.01, 0.005], family, SeedPlan(3))
    assert found is not None and found.verdict.word == "equivalent"
    assert found.result.interval == over_seeds([0.01, -0.01, 0.005], 0.9).interval


@pytest.mark.parametrize("name", DESIGNS)
def test_looking_as_often_as_one_likes_keeps_the_level(name):
    """With 20,000 experiments they are in docs/statistics.md."""
    experiments = 150
    found = DESIGNS[name].false(np.random.default_rng(1), experiments)
    assert found <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / experiments)


@pytest.mark.parametrize("margin", [None, 0.05])
@pytest.mark.parametrize("tests", [1, 3])
def test_one_seed_keeps_the_level_of_its_family(tests, margin):
    found = one_seed(np.random.default_rng(tests), tests, margin, 4000)
    assert found <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)


def test_what_looking_after_every_seed_did_before():
    values = np.random.default_rng(0).normal(size=(20_000, 10))
    p = [stats.ttest_1samp(values[:, :n], 0, axis=1).pvalue < 0.05 for n in range(3, 11)]
    assert np.any(p[:4], axis=0).mean() == pytest.approx(0.119, abs=0.006)
    assert np.any(p, axis=0).mean() == pytest.approx(0.167, abs=0.008)
