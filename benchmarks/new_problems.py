"""How often intervals cover a difference where problems, or clusters of them, are drawn anew, and how often tests reject without one.

Prints the table of docs/statistics.md. Run by `python -m benchmarks.new_problems`, a minute on one core; not among the timings
of `make bench`.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from training.benchmarks import BENCHMARKS
from webapp.statistics.new_problems import for_new_problems
from webapp.statistics.proportions import mcnemar_midp, tango
from webapp.statistics.seeds import over_seeds

DRAWS = 2_000
EFFECT, DISCORDANT = 0.05, 0.2


def drawn(
    draw: np.random.Generator, seeds: int, groups: np.ndarray, item: float, seed: float, effect: float
) -> np.ndarray:
    """Differences of −1, 0 and 1, a row a seed, whose chances vary by seed and by group of problems."""
    shift = draw.normal(0, item, groups.max() + 1)[groups] + draw.normal(0, seed, (seeds, 1))
    mean = np.clip(effect + shift, -0.95, 0.95)
    share = np.maximum(DISCORDANT, np.abs(mean))
    chance = draw.random((seeds, groups.size))
    return np.where(chance < (share + mean) / 2, 1.0, np.where(chance < share, -1.0, 0.0))


def crossed(
    draw: np.random.Generator, seeds: int, groups: np.ndarray, item: float, seed: float
) -> list[float]:
    """Coverage of Student's interval over seeds and of the crossed one, and the crossed test's size."""
    held = np.zeros(3)
    clusters = groups if groups.max() + 1 < groups.size else None
    for _ in range(DRAWS):
        values = drawn(draw, seeds, groups, item, seed, EFFECT)
        these, new = over_seeds(values.mean(axis=1)).interval, for_new_problems(values, clusters=clusters)
        none = for_new_problems(drawn(draw, seeds, groups, item, seed, 0.0), clusters=clusters)
        assert new is not None and none is not None
        covered = [one is None or one.low <= EFFECT <= one.high for one in (these, new.interval)]
        held += [*covered, none.p < 0.05]
    return list(held / DRAWS)


def clustered(draw: np.random.Generator, groups: np.ndarray, item: float) -> list[float]:
    """Coverage of Tango's interval and of the clustered one, and the sizes of McNemar's and of the clustered test."""
    held = np.zeros(4)
    for _ in range(DRAWS):
        values, none = (drawn(draw, 1, groups, item, 0.0, effect)[0] for effect in (EFFECT, 0.0))
        gained, lost = int((values > 0).sum()), int((values < 0).sum())
        intervals = [tango(gained, lost, values.size)]
        new, nothing = for_new_problems(values, clusters=groups), for_new_problems(none, clusters=groups)
        assert new is not None and nothing is not None
        intervals.append(new.interval)
        tests = mcnemar_midp(int((none > 0).sum()), int((none < 0).sum())), nothing.p
        held += [one.low <= EFFECT <= one.high for one in intervals] + [p < 0.05 for p in tests]
    return list(held / DRAWS)


def interaction(
    draw: np.random.Generator, seeds: int, groups: np.ndarray, item: float, seed: float
) -> list[float]:
    """Coverage of an interaction's interval over clusters, crossed with seeds where there are several, and its test's size."""
    held = np.zeros(2)
    for _ in range(DRAWS):
        one, more, same = (
            drawn(draw, seeds, groups, item, seed, effect) for effect in (EFFECT, 2 * EFFECT, EFFECT)
        )
        new = for_new_problems(more - one, clusters=groups, largest=2.0)
        none = for_new_problems(same - one, clusters=groups, largest=2.0)
        assert new is not None and none is not None
        held += [new.interval.low <= EFFECT <= new.interval.high, none.p < 0.05]
    return list(held / DRAWS)


def groups_of(benchmark: str, problems: int) -> np.ndarray:
    """The cluster of each of a generated benchmark's first problems, as a number."""
    variable = BENCHMARKS[benchmark].clusters
    assert variable is not None
    names = [variable.of(one.id) for one in BENCHMARKS[benchmark].problems(problems, data_dir=Path())]
    places = {name: place for place, name in enumerate(Counter(names))}
    return np.array([places[name] for name in names])


def percent(shares: list[float]) -> str:
    """As the table has them."""
    return " ".join(f"{100 * one:.1f} %" for one in shares)


def main() -> None:
    """Print a line a design."""
    draw = np.random.default_rng(0)
    print(f"{DRAWS:,} draws each, {EFFECT:.0%} difference, {DISCORDANT:.0%} discordant")
    print("seeds × problems, scatter of problems, of seeds: Student's and crossed coverage; crossed size")
    for seeds, problems, item, seed in (
        (5, 150, 0.3, 0.02),
        (10, 150, 0.3, 0.02),
        (10, 500, 0.3, 0.02),
        (5, 150, 0.25, 0.02),
        (5, 150, 0.1, 0.02),
        (5, 150, 0.1, 0.06),
        (5, 500, 0.0, 0.06),
        (10, 150, 0.1, 0.06),
    ):
        print(
            f"{seeds} × {problems}, {item:g}, {seed:g}: {percent(crossed(draw, seeds, np.arange(problems), item, seed))}",
            flush=True,
        )
    print("problems, scatter of operand pairs: Tango's and clustered coverage; McNemar's and clustered size")
    for problems in (150, 600):
        groups = groups_of("one_step_multiplication", problems)
        for item in (0.0, 0.1, 0.2):
            print(
                f"{problems} in {groups.max() + 1}, {item:g}: {percent(clustered(draw, groups, item))}",
                flush=True,
            )
    groups = groups_of("one_step_multiplication", 150)
    print(
        "150 problems in pairs, seeds, scatter of pairs, of seeds: Student's and crossed coverage; crossed size"
    )
    for seeds, item, seed in ((5, 0.1, 0.02), (5, 0.2, 0.02), (10, 0.2, 0.02), (5, 0.1, 0.06)):
        print(f"{seeds}, {item:g}, {seed:g}: {percent(crossed(draw, seeds, groups, item, seed))}", flush=True)
    print("an interaction in the same: coverage and size")
    for seeds, item, seed in ((1, 0.15, 0.0), (5, 0.15, 0.02), (10, 0.15, 0.02)):
        print(
            f"{seeds}, {item:g}, {seed:g}: {percent(interaction(draw, seeds, groups, item, seed))}",
            flush=True,
        )


if __name__ == "__main__":
    main()
