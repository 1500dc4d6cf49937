"""What intervals of contrasts cover, and how often their tests reject where there is nothing to show, design by design.

Equivalence is drawn at the margin itself, where it is called most often wrongly; interactions and differences without an effect
for the test and with one for the interval. Prints a table of docs/statistics.md. Run by `python -m benchmarks.contrasts`,
half a minute on one core; not among the timings of `make bench`.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.special import beta

from benchmarks.new_problems import drawn
from webapp.statistics.amounts import amount_difference, amount_within
from webapp.statistics.intervals import Interval
from webapp.statistics.new_problems import for_new_problems
from webapp.statistics.proportions import mcnemar_midp, mean_difference, mean_within, pass_at_k, tango
from webapp.statistics.seeds import over_seeds, within_over_seeds

DRAWS = 2_000
MARGIN = EFFECT = 0.05  # of shares
TOKENS, USES = 10.0, 0.2  # margins of amounts: tokens of about 100 a completion, uses of about 0.6
SOLVED = {"hard": (0.15, 3.0), "middle": (0.6, 0.9), "easy": (4.0, 0.7)}  # a problem's chance: Beta(a, b)
SAMPLES, K = 8, 4

Generator = np.random.Generator
Values = np.ndarray
Trial = tuple[Interval | None, float, float]  # interval, what is true, p where there is nothing to show


class Found(NamedTuple):
    """What one design holds."""

    covered: float
    rejected: float


class Design(NamedTuple):
    """An interval and its test, at levels."""

    name: str
    level: float  # of the interval
    alpha: float  # of the test
    trial: Callable[[Generator], Trial]

    def found(self, draw: Generator, draws: int = DRAWS) -> Found:
        """Over so many draws; where there is no interval nothing is claimed."""
        trials = [self.trial(draw) for _ in range(draws)]
        covered = [one is None or one.low <= true <= one.high for one, true, _ in trials]
        return Found(float(np.mean(covered)), float(np.mean([p < self.alpha for *_, p in trials])))


def seeds_within(draw: Generator, seeds: int) -> Trial:
    """Equivalence over seeds that scatter by 2 points."""
    values = draw.normal(MARGIN, 0.02, seeds)
    p = within_over_seeds(values, MARGIN)
    return over_seeds(values, 0.9).interval, MARGIN, 1.0 if p is None else p


def share(kind: str) -> float:
    """The mean pass@k of all problems of a kind."""
    a, b = SOLVED[kind]
    return float(1 - beta(a, b + K) / beta(a, b))


def moved(draw: Generator, chances: Values, kind: str, effect: float, old: str) -> Values:
    """The problems' chances after some of them became of another kind, so that pass@k moves by so much on average."""
    part = effect / (share(kind) - share(old))
    return np.where(draw.random(chances.size) < part, draw.beta(*SOLVED[kind], chances.size), chances)


def passed(draw: Generator, chances: Values) -> Values:
    """Each problem's pass@k as it is estimated from its samples."""
    return pass_at_k(SAMPLES, draw.binomial(SAMPLES, chances), K)


def passes_within(draw: Generator, problems: int, old: str, kind: str) -> Trial:
    """Equivalence of pass@k."""
    start = draw.beta(*SOLVED[old], problems)
    values = passed(draw, moved(draw, start, kind, MARGIN, old)) - passed(draw, start)
    return mean_difference(values, 0.9).interval, MARGIN, mean_within(values, MARGIN)


def tokens(draw: Generator, means: Values) -> Values:
    """Skewed: as lengths of completions are."""
    return np.round(draw.gamma(4.0, means / 4))


def uses(draw: Generator, means: Values) -> Values:
    """Mostly none: as counts of mul-tokens are."""
    return draw.poisson(means).astype(float)


AMOUNTS = {
    "tokens": (tokens, (2.0, 50.0), TOKENS),
    "uses": (uses, (0.3, 2.0), USES),
}  # problems' own means: Gamma


def amounts_within(draw: Generator, problems: int, what: str) -> Trial:
    """Equivalence of amounts."""
    made, shape, margin = AMOUNTS[what]
    means = draw.gamma(*shape, problems)
    values = made(draw, means + margin) - made(draw, means)
    return amount_difference(values, 0.9).interval, margin, amount_within(values, margin)


def interaction_of_passes(draw: Generator, problems: int) -> Trial:
    """Of pass@k: both conditions learn some hard problems, the second some more."""

    def gains(effect: float) -> Values:
        start = draw.beta(*SOLVED["hard"], problems)
        ends = (moved(draw, start, "middle", gain, "hard") for gain in (0.1, 0.1 + effect))
        one, other = (passed(draw, end) - passed(draw, start) for end in ends)
        return other - one

    nothing = mean_difference(gains(0.0), largest=2.0)
    return mean_difference(gains(EFFECT), largest=2.0).interval, EFFECT, nothing.p


def interaction_of_amounts(draw: Generator, problems: int, what: str) -> Trial:
    """Of amounts: both grow, the second by more."""
    made, shape, effect = AMOUNTS[what]

    def gains(effect: float) -> Values:
        means = draw.gamma(*shape, problems)
        one, other = (made(draw, means + gain) - made(draw, means) for gain in (0.1, 0.1 + effect))
        return other - one

    return amount_difference(gains(effect)).interval, effect, amount_difference(gains(0.0)).p


def tango_at(draw: Generator, level: float, problems: int, discordant: float) -> Trial:
    """A difference of one seed at a Bonferroni level, beside the mid-p test."""
    counts = []
    for effect in (min(EFFECT, discordant / 2), 0.0):
        cells = [(discordant + effect) / 2, (discordant - effect) / 2, 1 - discordant]
        counts.append(draw.multinomial(problems, cells)[:2].tolist())
    return tango(*counts[0], problems, level), min(EFFECT, discordant / 2), mcnemar_midp(*counts[1])


def crossed_at(draw: Generator, level: float, seeds: int, problems: int, item: float, seed: float) -> Trial:
    """A difference for new problems and seeds at a Bonferroni level."""
    groups = np.arange(problems)
    some = for_new_problems(drawn(draw, seeds, groups, item, seed, EFFECT), level)
    none = for_new_problems(drawn(draw, seeds, groups, item, seed, 0.0), level)
    return some and some.interval, EFFECT, none.p if none else 1.0


def crossed_within(draw: Generator, seeds: int, problems: int, item: float, seed: float) -> Trial:
    """Equivalence for new problems and seeds."""
    values = drawn(draw, seeds, np.arange(problems), item, seed, MARGIN)
    found = for_new_problems(values, 0.9, margin=MARGIN)
    return found and found.interval, MARGIN, found.p if found else 1.0


def designs() -> Iterator[Design]:
    """Every design, as docs/statistics.md has them."""
    for seeds in (3, 5, 10):
        yield Design(f"equivalence over {seeds} seeds", 0.9, 0.05, partial(seeds_within, seeds=seeds))
    for problems, old, kind in ((150, "middle", "easy"), (500, "middle", "easy"), (500, "hard", "middle")):
        trial = partial(passes_within, problems=problems, old=old, kind=kind)
        yield Design(f"equivalence of pass@{K}, {problems} {old} problems", 0.9, 0.05, trial)
    for what in AMOUNTS:
        for problems in (150, 600):
            trial = partial(amounts_within, problems=problems, what=what)
            yield Design(f"equivalence of {what}, {problems} problems", 0.9, 0.05, trial)
    for problems in (150, 500):
        trial = partial(interaction_of_passes, problems=problems)
        yield Design(f"interaction of pass@{K}, {problems} problems", 0.95, 0.05, trial)
    for what in AMOUNTS:
        for problems in (150, 600):
            trial = partial(interaction_of_amounts, problems=problems, what=what)
            yield Design(f"interaction of {what}, {problems} problems", 0.95, 0.05, trial)
    for level, alpha in ((0.95, 0.05), (1 - 0.05 / 3, 0.05 / 3), (0.99, 0.01)):
        for problems, discordant in ((150, 0.2), (600, 0.14), (600, 0.05)):
            trial = partial(tango_at, level=level, problems=problems, discordant=discordant)
            name = f"Tango at {100 * level:.3g} %, {problems} problems, {discordant:.0%} discordant"
            yield Design(name, level, alpha, trial)
    for level, alpha in ((1 - 0.05 / 3, 0.05 / 3), (0.99, 0.01)):
        for seeds, problems, item, seed in ((5, 150, 0.3, 0.02), (10, 500, 0.3, 0.02), (5, 150, 0.1, 0.06)):
            trial = partial(crossed_at, level=level, seeds=seeds, problems=problems, item=item, seed=seed)
            name = f"crossed at {100 * level:.3g} %, {seeds} × {problems}; {item:g} and {seed:g}"
            yield Design(name, level, alpha, trial)
    for seeds, problems, item, seed in ((5, 150, 0.3, 0.02), (10, 500, 0.3, 0.02), (5, 500, 0.1, 0.03)):
        trial = partial(crossed_within, seeds=seeds, problems=problems, item=item, seed=seed)
        yield Design(f"crossed equivalence, {seeds} × {problems}; {item:g} and {seed:g}", 0.9, 0.05, trial)


def main() -> None:
    """Print a line a design."""
    draw = np.random.default_rng(0)
    print(f"{DRAWS:,} draws each: design: interval's level and coverage; test's level and size")
    for one in designs():
        covered, rejected = one.found(draw)
        print(
            f"{one.name}: {100 * one.level:.3g} % {100 * covered:.1f} %; {100 * one.alpha:.2g} % {100 * rejected:.1f} %",
            flush=True,
        )


if __name__ == "__main__":
    main()
