"""Rewards that other installed packages bring: the entry points of the group mulberry.rewards.

A package names the class in its pyproject.toml, and is installed beside Mulberry:

    [project.entry-points."mulberry.rewards"]
    brevity = "acme.rewards:BrevityReward"
"""

from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import get_args

from training.settings.reward import Reward

GROUP = "mulberry.rewards"


@dataclass(frozen=True)
class Plugin:
    """A reward of another package; `problem` says why it cannot be used, and what to do."""

    name: str
    package: str  # name and version of the distribution
    reward: type[Reward] | None = None
    problem: str = ""


def installed(own: Collection[str]) -> list[Plugin]:
    """Return every plug-in, sorted by name; `own` are the names that Mulberry's rewards have."""
    points = sorted(entry_points(group=GROUP), key=lambda point: (point.name, _package(point)))
    packages: dict[str, list[str]] = {}
    for point in points:
        packages.setdefault(point.name, []).append(_package(point))
    return [_read(point, own, packages[point.name]) for point in points]


def _read(point: EntryPoint, own: Collection[str], packages: list[str]) -> Plugin:
    package = _package(point)
    if point.name in own:
        problem = "it has the name of one of Mulberry's own, which is used instead; give it another name"
        return Plugin(point.name, package, problem=problem)
    if len(packages) > 1:
        problem = f"{' and '.join(packages)} both have that name; uninstall one, or rename its reward"
        return Plugin(point.name, package, problem=problem)
    try:
        found = point.load()
        return Plugin(point.name, package, _checked(found, point))
    # Whatever another package raises while it is imported must not keep Mulberry from starting.
    except Exception as error:
        text = f"{point.value} cannot be used: {type(error).__name__}: {error}; fix or uninstall it"
        return Plugin(point.name, package, problem=text)


def _checked(found: object, point: EntryPoint) -> type[Reward]:
    """Return the class when it keeps to what Reward asks for. Raises TypeError."""
    if not (isinstance(found, type) and issubclass(found, Reward)):
        raise TypeError("it is no subclass of training.settings.Reward")
    if get_args(found.model_fields["reward"].annotation) != (point.name,):
        raise TypeError(f'it lacks the line `reward: Literal["{point.name}"]`, its name')
    if found.score is Reward.score:
        raise TypeError("it has no score()")
    for name, field in found.model_fields.items():
        if name != "reward" and (field.is_required() or not field.description):
            raise TypeError(f"its setting {name!r} needs a default and a description")
    if not found.__doc__:
        raise TypeError("it has no docstring, which is its help")
    return found


def _package(point: EntryPoint) -> str:
    assert point.dist is not None  # entry_points() reads them from distributions
    return f"{point.dist.name} {point.dist.version}"
