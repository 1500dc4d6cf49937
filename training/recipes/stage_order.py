"""The order of a recipe's stages: each after the one that it starts from (no torch)."""

from collections.abc import Sequence
from typing import TypeVar

from training.did_you_mean import nearest
from training.settings.shared import StageSettings

T = TypeVar("T", bound=StageSettings)


def check_order(stages: Sequence[StageSettings]) -> None:
    """Raise ValueError unless the stages have names of their own and form trees by `after`."""
    names = [stage.name for stage in stages]
    refuse_doubles(names, "stages")
    parent = {stage.name: stage.after for stage in stages}
    for stage in stages:
        if stage.after is not None and stage.after not in parent:
            raise ValueError(
                f"stage {stage.name!r} comes after {stage.after!r}, but there is no such stage"
                f"{nearest(stage.after, names)}"
            )
        seen = [stage.name]
        while (up := parent[seen[-1]]) is not None:
            if up in seen:
                raise ValueError(f"stages form a cycle: {' → '.join([*seen, up])}; let one start elsewhere")
            seen.append(up)


def parents_first(stages: Sequence[T]) -> list[T]:
    """The stages in an order in which none comes before the one that it starts from."""
    done: list[T] = []
    left = list(stages)
    while left:
        known = {stage.name for stage in done}
        ready = next(stage for stage in left if stage.after is None or stage.after in known)
        left.remove(ready)
        done.append(ready)
    return done


def refuse_doubles(names: Sequence[str], what: str) -> None:
    """Raise ValueError where two have one name."""
    doubles = {name for name in names if names.count(name) > 1}
    if doubles:
        raise ValueError(f"two {what} are called {min(doubles)!r}; rename one")
