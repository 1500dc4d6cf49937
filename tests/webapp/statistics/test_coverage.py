"""Every interval of results holds what it says: coverage at nominal 95 %, by enumeration where that can be, else simulated.

Intervals of counts jump with the true rate, so they are held to 93–98 % on average over rates near one another.
"""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from webapp.statistics.intervals import Interval, hull
from webapp.statistics.proportions import newcombe_unpaired, tango, wilson
from webapp.statistics.seeds import over_seeds

pytestmark = pytest.mark.slow

SIZES = [150, 500, 1319]
RATES = [0.02, 0.1, 0.5, 0.9]
wilson_of = cache(wilson)
tango_of = cache(tango)


def around(rate, places=25):
    """Rates near one another: a fifth to either side, within what there is."""
    reach = 0.2 * min(rate, 1 - rate)
    return np.linspace(rate - reach, rate + reach, places)


def held(covered, draws=None, most=0.98):
    """93 to 98 %, and what so many draws wobble by."""
    wobble = 2.6 * np.sqrt(0.95 * 0.05 / draws) if draws else 0.0
    assert 0.93 - wobble <= covered <= most + wobble


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("rate", RATES)
def test_wilson(n, rate):
    low, high = np.array([wilson_of(k, n) for k in range(n + 1)]).T
    counts = np.arange(n + 1)
    held(np.mean([stats.binom.pmf(counts, n, p)[(low <= p) & (p <= high)].sum() for p in around(rate)]))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("overlap", [0.0, 0.8])
def test_tango(n, rate, overlap):
    """Both right as often as chance has it, or nearly as often as can be; the other condition a little better.

    With fewer than five discordant pairs to expect it is cautious: there it covers more, never less.
    """
    draw, other, draws = np.random.default_rng([n, int(100 * rate)]), min(0.98, 1.2 * rate), 250
    covered, discordant = [], []
    for first in around(rate, 10):
        both = (1 - overlap) * first * other + overlap * min(first, other)
        cells = [other - both, first - both]
        discordant.append(n * sum(cells))
        for gained, lost, _ in draw.multinomial(n, [*cells, 1 - sum(cells)], draws):
            low, high = tango_of(int(gained), int(lost), n)
            covered.append(low <= other - first <= high)
    held(np.mean(covered), len(covered), most=1.0 if min(discordant) < 5 else 0.98)


@pytest.mark.parametrize("sizes", [(150, 150), (500, 500), (1319, 500)])
@pytest.mark.parametrize("rate", RATES)
def test_newcombe_unpaired(sizes, rate):
    draw, other = np.random.default_rng([*sizes, int(100 * rate)]), min(0.98, 1.2 * rate)
    covered = []
    for first in around(rate, 10):
        pairs = zip(draw.binomial(sizes[0], first, 250), draw.binomial(sizes[1], other, 250), strict=True)
        for a, b in pairs:
            low, high = newcombe_unpaired(int(a), sizes[0], int(b), sizes[1])
            covered.append(low <= other - first <= high)
    held(np.mean(covered), len(covered))


@pytest.mark.parametrize("n", [150, 1319])
@pytest.mark.parametrize("rate", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_over_seeds(n, rate, seeds):
    """Conditions whose seeds differ by themselves, each measured on so many problems, which all seeds share."""
    draw, true = np.random.default_rng([n, int(100 * rate), seeds]), 0.1 * min(rate, 1 - rate)
    own = draw.normal(true, 0.3 * min(rate, 1 - rate), (600, seeds))
    spread = np.sqrt(2 * rate * (1 - rate) * 0.5 / n)
    found = [over_seeds(row).interval for row in own + draw.normal(0, spread, own.shape)]
    held(np.mean([one.low <= true <= one.high for one in found]), len(found))


def test_seeds_of_opposite_sign_give_no_p_by_pooling():
    """300 gained in one seed and 100 in the other would be beyond doubt as 400 problems; as two seeds they are not."""
    pooled = tango(300, 40, 2000)
    assert pooled.excludes_zero()
    found = over_seeds([0.26, -0.04])
    assert found.p > 0.4
    assert not found.interval.excludes_zero()
    assert over_seeds([0.1, -0.1]).p == pytest.approx(1)
    assert hull([Interval(-0.1, 0.2), Interval(0.0, 0.4)]) == (-0.1, 0.4)
