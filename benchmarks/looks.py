"""How often experiments of equal conditions end with a false primary verdict, looked at as often as the page lets one look.

Prints the table of docs/statistics.md. Run by `python -m benchmarks.looks`, some minutes on one core; not among the timings of `make bench`.
"""

from math import sqrt

import numpy as np

from webapp.statistics.families import Family
from webapp.statistics.planned_seeds import SeedPlan, read_seeds
from webapp.statistics.proportions import mcnemar_midp
from webapp.statistics.verdicts import checkpoints_verdict

EXPERIMENTS = 20_000
ALPHA = 0.05
SPREAD = 0.03  # between seeds
PROBLEMS, DISCORDANT = 600, 0.14


def over_seeds(
    draw: np.random.Generator, plan: SeedPlan, seeds: int, tests: int, *, give_up: bool = False
) -> float:
    """The share of experiments in which a look after any seed shows a positive verdict, in any of `tests` contrasts."""
    family, false = Family("primary", tests, ALPHA), 0
    for _ in range(EXPERIMENTS):
        baseline = draw.normal(0, SPREAD / sqrt(2), seeds)  # the conditions share it
        differences = draw.normal(0, SPREAD / sqrt(2), (tests, seeds)) - baseline
        order = [*draw.permutation(plan.seeds), *range(plan.seeds, seeds)]
        given_up = {int(order[plan.seeds - 1])} if give_up else set()
        false += any(_positive(values, order, family, plan, given_up) for values in differences)
    return false / EXPERIMENTS


def _positive(
    values: np.ndarray, order: list[int], family: Family, plan: SeedPlan, given_up: set[int]
) -> bool:
    arrived: list[float | None] = [None] * len(values)
    for place in order:
        if place in given_up:
            continue
        arrived[place] = float(values[place])
        found = read_seeds(arrived, family, plan, given_up=given_up)
        if found is not None and found.verdict.positive:
            return True
    return False


def one_seed(draw: np.random.Generator, tests: int) -> float:
    """The same with one seed: two checkpoints, problem by problem, once all outcomes are in."""
    family = Family("primary", tests, ALPHA)
    cells = [DISCORDANT / 2, DISCORDANT / 2, 1 - DISCORDANT]
    counts = draw.multinomial(PROBLEMS, cells, (EXPERIMENTS, tests))[..., :2]
    pairs = set(map(tuple, counts.reshape(-1, 2).tolist()))
    positive = {pair: checkpoints_verdict(mcnemar_midp(*pair), family).positive for pair in pairs}
    return sum(any(positive[tuple(pair)] for pair in row) for row in counts.tolist()) / EXPERIMENTS


def main() -> None:
    """Print a line a design."""
    draw = np.random.default_rng(0)
    most = ALPHA + 3 * sqrt(ALPHA * (1 - ALPHA) / EXPERIMENTS)
    print(
        f"{EXPERIMENTS:,} experiments of equal conditions each; at most {most:.4f} may end with a false verdict"
    )
    for tests in (1, 3):
        print(f"one seed, {tests} conditions against the baseline: {one_seed(draw, tests):.4f}", flush=True)
    for plan, seeds, tests, give_up in (
        (SeedPlan(3), 10, 1, False),
        (SeedPlan(5), 10, 1, False),
        (SeedPlan(10), 10, 1, False),
        (SeedPlan(5), 5, 3, False),
        (SeedPlan(6, look=3), 10, 1, False),
        (SeedPlan(5), 5, 1, True),
    ):
        found = over_seeds(draw, plan, seeds, tests, give_up=give_up)
        look = f", one look at {plan.look}" if plan.look else ""
        lost = ", one given up" if give_up else ""
        print(
            f"{plan.seeds} planned seeds{look}{lost}, {seeds} in all, {tests} conditions against the baseline: {found:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
