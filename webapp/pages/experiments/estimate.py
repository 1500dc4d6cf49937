"""How long an experiment will take from now on: a rough figure from what its runs took so far."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RunProgress:
    """One stage run: what it is, how long it took or takes so far, and how far it is."""

    run: int
    parent: int | None
    stage: str
    steps: int  # optimizer steps planned; 0: unknown
    seconds: float  # spent in it so far
    share: float  # of it done, 0 to 1
    over: bool
    running: bool
    preparing: bool = False  # makes its data: its progress says nothing of what comes after


def seconds_left(work: Sequence[RunProgress]) -> float | None:
    """Seconds until the last run ends, were the same number of runs to go on at once; None: nothing to go by.

    Runs wait for their parents, so the longest chain is the least it can take.
    """
    left = lengths_left(work)
    unfinished = [w for w in work if not w.over]
    if not unfinished or len(left) < len(unfinished):
        return None
    at_once = max(1, sum(w.running for w in work))
    chains = (_chain(w, {u.run: u for u in unfinished}, left) for w in unfinished)
    return max(sum(left.values()) / at_once, *chains)


def lengths_left(work: Sequence[RunProgress]) -> dict[int, float]:
    """The seconds that each unfinished run still takes once it goes on; without those of which that is not known.

    A run's length comes from finished runs of the same stage, else from its own progress, else from the seconds a step
    took in the others. A first run of its stage that still makes its data has none.
    """
    return {w.run: length for w in work if not w.over and (length := _left(w, work)) is not None}


def _left(one: RunProgress, work: Sequence[RunProgress]) -> float | None:
    done = [w.seconds for w in work if w.stage == one.stage and w.over and w.seconds > 0]
    if done:
        return max(sum(done) / len(done) - one.seconds, 0.0)
    if one.preparing:
        return None
    if one.running and one.share > 0.02:
        return one.seconds * (1 - one.share) / one.share
    timed = [w for w in work if w.steps and w.seconds > 0 and (w.over or w.share > 0.02)]
    steps = sum(w.steps * (1.0 if w.over else w.share) for w in timed)
    if not steps or not one.steps:
        return None
    return max(one.steps * sum(w.seconds for w in timed) / steps - one.seconds, 0.0)


def _chain(one: RunProgress, unfinished: dict[int, RunProgress], left: dict[int, float]) -> float:
    total = left[one.run]
    while one.parent is not None and one.parent in unfinished:
        one = unfinished[one.parent]
        total += left[one.run]
    return total
