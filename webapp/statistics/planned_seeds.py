"""When the seeds of a comparison may be read: at the planned ones, at one look before them if that was planned, never later."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from webapp.statistics.families import Family
from webapp.statistics.seeds import OverSeeds, over_seeds, within_over_seeds
from webapp.statistics.verdicts import Verdict, conditions_verdict

LOOK = 0.02  # share of the level that one look before the end takes: 0.001 of 0.05, which leaves 0.049


@dataclass(frozen=True)
class SeedPlan:
    """How many seeds decide, fixed at launch: the first ones of the list."""

    seeds: int
    look: int | None = None  # after so many of them they are looked at once


@dataclass(frozen=True)
class SeedsReading:
    """What the seeds that are in say, and whether that is a verdict."""

    result: OverSeeds
    verdict: Verdict
    family: Family  # with the level that it was tested at
    used: tuple[int, ...]  # places of the seeds that it rests on
    stopped: bool = False  # decided at the look
    later: OverSeeds | None = None  # with the seeds after those that decided: exploratory


def read_seeds(
    differences: Sequence[float | None],
    family: Family,
    plan: SeedPlan,
    *,
    given_up: Collection[int] = (),
    seen: bool = False,
    largest: float = 1.0,
) -> SeedsReading | None:
    """Read one difference a seed, in the order of the seeds; None: not in. None where fewer than two are in.

    The verdict is *interim* until every planned seed is in or in `given_up` (places), and then stays as it is, whatever
    comes later; with one given up it is suggestive at most. What is decided at the look stays, and needs no more seeds.
    """
    planned = list(range(min(plan.seeds, len(differences))))
    present = [place for place in planned if differences[place] is not None]
    final = at_the_end(family, plan)
    if plan.look is not None and present[: plan.look] == planned[: plan.look] and len(present) >= plan.look:
        early = at_the_look(family)
        used = tuple(planned[: plan.look])
        result = _tested([differences[place] for place in used], early, largest)
        if result.p is not None and result.p < early.alone:
            verdict = conditions_verdict(result, early, len(used), seen=seen)
            later = _later(differences, plan.look, family, largest)
            return SeedsReading(result, verdict, early, used, True, later)
    if len(present) < 2:
        return None
    result = _tested([differences[place] for place in present], final, largest)
    missing = [place for place in planned if place not in present]
    if any(place not in given_up for place in missing):
        return SeedsReading(result, Verdict("interim", "conditions", seen), final, tuple(present))
    verdict = conditions_verdict(result, final, len(present), seen=seen, given_up=bool(missing))
    later = _later(differences, plan.seeds, family, largest)
    return SeedsReading(result, verdict, final, tuple(present), later=later)


def at_the_look(family: Family) -> Family:
    """A family with the share of its level that one look before the end takes."""
    return replace(family, alpha=family.alpha * LOOK)


def at_the_end(family: Family, plan: SeedPlan) -> Family:
    """A family with what a look leaves of its level; all of it where none is planned."""
    return family if plan.look is None else replace(family, alpha=family.alpha * (1 - LOOK))


def _tested(differences: Sequence[float | None], family: Family, largest: float) -> OverSeeds:
    values = [value for value in differences if value is not None]
    result = over_seeds(values, family.level, largest)
    if family.margin is not None:
        return result._replace(p=within_over_seeds(values, family.margin))
    return result


def _later(
    differences: Sequence[float | None], decided: int, family: Family, largest: float
) -> OverSeeds | None:
    """All seeds together, where some are in behind the first `decided`, which have decided."""
    if all(value is None for value in differences[decided:]):
        return None
    values = [value for value in differences if value is not None]
    return (
        over_seeds(values, Family("exploratory", 1, family.alpha).level, largest) if len(values) > 1 else None
    )
