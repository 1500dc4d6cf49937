"""How often experiments with nothing to show end with a false primary verdict, looked at as often as the page lets one look.

Differences, interactions and equivalence, of one seed and of several, with one and more comparisons in the family. Prints the table of
docs/statistics.md. Run by `python -m benchmarks.looks`, some minutes on one core; not among the timings of `make bench`.
"""

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

import numpy as np

from webapp.statistics.families import Family
from webapp.statistics.planned_seeds import SeedPlan, read_seeds
from webapp.statistics.proportions import mcnemar_midp, mean_difference, tango_within
from webapp.statistics.verdicts import checkpoints_verdict

EXPERIMENTS = 20_000
ALPHA = 0.05
MARGIN = 0.05
SPREAD = 0.03  # between seeds
PROBLEMS, DISCORDANT = 600, 0.14
GAIN = 0.06  # of each condition, where gains are compared

Draw = np.random.Generator
Made = Callable[[Draw, int, int], np.ndarray]  # one difference a comparison and a seed


def differences(draw: Draw, tests: int, seeds: int) -> np.ndarray:
    """Of equal conditions against the baseline, which they share."""
    baseline = draw.normal(0, SPREAD / sqrt(2), seeds)
    return draw.normal(0, SPREAD / sqrt(2), (tests, seeds)) - baseline


def at_two_last_stages(draw: Draw, tests: int, seeds: int) -> np.ndarray:
    """The same after each of two last stages, which share what a seed is before them."""
    before = differences(draw, tests // 2, seeds)
    return np.concatenate([before + differences(draw, tests // 2, seeds) for _ in range(2)]) / sqrt(2)


def counted(draw: Draw, mean: np.ndarray | float, size: tuple[int, ...]) -> np.ndarray:
    """(Gained − lost) / problems of so many pairs of checkpoints, whose true difference scatters by half of SPREAD."""
    true = np.clip(mean + draw.normal(0, SPREAD / 2, size), -DISCORDANT, DISCORDANT)
    rest = np.full(size, 1 - DISCORDANT)
    counts = draw.multinomial(
        PROBLEMS, np.stack([(DISCORDANT + true) / 2, (DISCORDANT - true) / 2, rest], axis=-1)
    )
    return (counts[..., 0] - counts[..., 1]) / PROBLEMS


def interactions(draw: Draw, tests: int, seeds: int) -> np.ndarray:
    """Of conditions that gain as much as the baseline does, problem by problem."""
    gains = counted(draw, GAIN, (tests + 1, seeds))
    return np.asarray(gains[1:] - gains[0])


def at_the_margin(draw: Draw, tests: int, seeds: int) -> np.ndarray:
    """Of conditions that are just not equivalent, problem by problem."""
    return counted(draw, MARGIN, (tests, seeds))


class Design(NamedTuple):
    """Experiments of several seeds."""

    made: Made
    plan: SeedPlan
    seeds: int  # that come in
    tests: int = 1
    margin: float | None = None
    give_up: bool = False

    def false(self, draw: Draw, experiments: int = EXPERIMENTS) -> float:
        """The share of experiments in which a look after any seed shows a positive verdict, in any comparison."""
        family, found = Family("primary", self.tests, ALPHA, self.margin), 0
        for _ in range(experiments):
            values = self.made(draw, self.tests, self.seeds)
            order = [*draw.permutation(self.plan.seeds), *range(self.plan.seeds, self.seeds)]
            given_up = {int(order[self.plan.seeds - 1])} if self.give_up else set()
            found += any(_positive(row, order, family, self.plan, given_up) for row in values)
        return found / experiments


def _positive(
    values: np.ndarray, order: list[int], family: Family, plan: SeedPlan, given_up: set[int]
) -> bool:
    arrived: list[float | None] = [None] * len(values)
    for place in order:
        if place in given_up:
            continue
        arrived[place] = float(values[place])
        found = read_seeds(arrived, family, plan, given_up=given_up, largest=2.0)
        if found is not None and found.verdict.positive:
            return True
    return False


DESIGNS = {
    "3 planned seeds of 10, a difference": Design(differences, SeedPlan(3), 10),
    "5 planned seeds of 10, a difference": Design(differences, SeedPlan(5), 10),
    "10 planned seeds, a difference": Design(differences, SeedPlan(10), 10),
    "5 planned seeds, 3 conditions against the baseline": Design(differences, SeedPlan(5), 5, 3),
    "5 planned seeds, 2 conditions after each of 2 last stages": Design(
        at_two_last_stages, SeedPlan(5), 5, 4
    ),
    "6 planned seeds of 10, one look after 3": Design(differences, SeedPlan(6, look=3), 10),
    "6 planned seeds, one look after 3, 3 conditions": Design(differences, SeedPlan(6, look=3), 6, 3),
    "5 planned seeds, one given up": Design(differences, SeedPlan(5), 5, give_up=True),
    "3 planned seeds of 6, an interaction": Design(interactions, SeedPlan(3), 6),
    "6 planned seeds of 10, an interaction": Design(interactions, SeedPlan(6), 10),
    "6 planned seeds, one look after 3, an interaction": Design(interactions, SeedPlan(6, look=3), 6),
    "5 planned seeds, interactions of 3 conditions": Design(interactions, SeedPlan(5), 5, 3),
    "3 planned seeds of 6, equivalence at the margin": Design(at_the_margin, SeedPlan(3), 6, margin=MARGIN),
    "6 planned seeds of 10, equivalence at the margin": Design(at_the_margin, SeedPlan(6), 10, margin=MARGIN),
    "6 planned seeds, one look after 3, equivalence at the margin": Design(
        at_the_margin, SeedPlan(6, look=3), 6, margin=MARGIN
    ),
    "5 planned seeds, equivalence of 3 conditions at the margin": Design(
        at_the_margin, SeedPlan(5), 5, 3, MARGIN
    ),
}


def one_seed(draw: Draw, tests: int, margin: float | None = None, experiments: int = EXPERIMENTS) -> float:
    """The same with one seed: two checkpoints, problem by problem, once all outcomes are in."""
    family, true = Family("primary", tests, ALPHA, margin), margin or 0.0
    cells = [(DISCORDANT + true) / 2, (DISCORDANT - true) / 2, 1 - DISCORDANT]
    counts = draw.multinomial(PROBLEMS, cells, (experiments, tests))[..., :2]
    pairs = set(map(tuple, counts.reshape(-1, 2).tolist()))
    p = {
        pair: mcnemar_midp(*pair) if margin is None else tango_within(*pair, PROBLEMS, margin)
        for pair in pairs
    }
    positive = {pair: checkpoints_verdict(found, family).positive for pair, found in p.items()}
    return sum(any(positive[tuple(pair)] for pair in row) for row in counts.tolist()) / experiments


def one_seeds_interaction(draw: Draw, tests: int, experiments: int = EXPERIMENTS) -> float:
    """The same of an interaction: the baseline's gain in each problem against the gains of conditions that gain as much."""
    family, false = Family("primary", tests, ALPHA), 0
    cells = np.cumsum([(DISCORDANT + GAIN) / 2, (DISCORDANT - GAIN) / 2])
    for _ in range(experiments):
        chance = draw.random((tests + 1, PROBLEMS), dtype=np.float32)
        gains = (chance < cells[0]).astype(float) - ((chance >= cells[0]) & (chance < cells[1]))
        found = [mean_difference(own - gains[0], largest=2.0).p for own in gains[1:]]
        false += any(checkpoints_verdict(p, family).positive for p in found)
    return false / experiments


def main() -> None:
    """Print a line a design."""
    draw = np.random.default_rng(0)
    most = ALPHA + 3 * sqrt(ALPHA * (1 - ALPHA) / EXPERIMENTS)
    print(f"{EXPERIMENTS:,} experiments each; at most {most:.4f} may end with a false verdict")
    for tests in (1, 3):
        print(f"one seed, differences of {tests}: {one_seed(draw, tests):.4f}", flush=True)
        print(f"one seed, interactions of {tests}: {one_seeds_interaction(draw, tests):.4f}", flush=True)
        print(
            f"one seed, equivalence of {tests} at the margin: {one_seed(draw, tests, MARGIN):.4f}", flush=True
        )
    for name, design in DESIGNS.items():
        print(f"{name}: {design.false(draw):.4f}", flush=True)


if __name__ == "__main__":
    main()
