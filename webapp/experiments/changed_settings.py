"""Which settings of an experiment differ from where it comes from: its origin, or the recipe as shipped.

What differs is worked out once, at the launch, and kept in `Experiment.differences` as [path, value, value before]; so lists
show and search it without reading a recipe. `keep_missing` does it for experiments from before there was that column.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import DatabaseError

from training.recipes import recipe as recipes
from training.settings.errors import RecipeError
from webapp.experiments.models import Experiment
from webapp.experiments.settings_by_condition import by_condition

MISSING = "–"
SHOWN = 4  # differences in a line of a list
LONGEST = 48  # characters of a value there
AT_ONCE = 50  # experiments that keep_missing looks for
log = logging.getLogger("mulberry.settings")


@dataclass(frozen=True)
class SettingRow:
    """One setting: its value in each condition, and in what it is compared with."""

    path: str
    values: list[str]
    reference: str
    differs: bool  # between conditions
    changed: bool  # from the reference

    @property
    def group(self) -> str:
        """What it belongs to: model, stages.grpo, …"""
        parts = self.path.split(".")
        return ".".join(parts[:2]) if parts[0] in ("stages", "benchmarks") else parts[0]


@dataclass(frozen=True)
class NamedDifference:
    """A kept difference as a line of a list writes it."""

    name: str  # as much of the path as tells it from the others
    path: str
    value: str
    before: str


def setting_rows(
    own: dict[str, dict[str, str]], reference: dict[str, dict[str, str]]
) -> Iterator[SettingRow]:
    """Settings in the recipe's order, then those that only the reference has. Both as by_condition() gives them."""
    base = next(iter(reference.values()), {})
    beside = [reference.get(condition, base) for condition in own]
    paths = dict.fromkeys(path for found in (*own.values(), *beside) for path in found)
    for path in paths:
        values = [found.get(path, MISSING) for found in own.values()]
        others = [found.get(path, MISSING) for found in beside]
        yield SettingRow(
            path,
            values,
            " / ".join(dict.fromkeys(others)) if reference else "",
            differs=len(set(values)) > 1,
            changed=bool(reference) and values != others,
        )


def shipped(recipe_name: str, scale: str) -> Mapping[str, Any] | None:
    """The recipe of that name as it comes with Mulberry now, at that size; None where there is none."""
    try:
        data = recipes.shipped(recipe_name)
        changes = [] if scale == "full" else [("scale", scale)]
        return recipes.build(data, changes).model_dump(mode="json")
    except RecipeError:
        return None


@lru_cache(maxsize=64)
def _shipped_by_condition(recipe_name: str, scale: str) -> dict[str, dict[str, str]]:
    """Empty where there is no such recipe; shipped ones do not change while a process runs."""
    found = shipped(recipe_name, scale)
    return {} if found is None else by_condition(found)


def scale_of(recipe: Mapping[str, Any]) -> str:
    """The size that an experiment was launched at."""
    return str(recipe.get("scale", "full"))


def differences(experiment: Experiment) -> list[list[str]]:
    """What differs from its origin, else from its recipe as shipped; its size, where that is not the full one, first."""
    if experiment.imported:
        return []
    origin = experiment.origin
    if origin is not None and not origin.imported:
        reference, found = by_condition(origin.recipe), []
    else:
        scale = scale_of(experiment.recipe)
        reference = _shipped_by_condition(experiment.recipe_name, scale)
        found = [["scale", scale, "full"]] if reference and scale != "full" else []
    rows = setting_rows(by_condition(experiment.recipe), reference)
    return found + [
        [row.path, " / ".join(dict.fromkeys(row.values)), row.reference]
        for row in rows
        if row.changed and row.path != "scale"
    ]


def named(kept: Iterable[list[str]] | None) -> list[NamedDifference]:
    """The kept differences of an experiment, named as shortly as tells them apart."""
    found = list(kept or [])
    last = [path.rpartition(".")[2] for path, _, _ in found]
    return [
        NamedDifference(_name(path, last), path, _cut(value), _cut(before)) for path, value, before in found
    ]


def _name(path: str, last: list[str]) -> str:
    if path == "scale":
        return "size"
    parts = path.split(".")
    if last.count(parts[-1]) == 1 or len(parts) < 3:
        return parts[-1] if len(parts) > 1 else path
    return f"{parts[1]}.{parts[-1]}"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 2]} …"


def keep_missing(experiments: Iterable[Experiment] | None = None, *, seconds: float) -> int:
    """Work out what nobody has yet, of these (None: of any) and for about so long; returns how many are left of them."""
    if experiments is None:
        experiments = Experiment.objects.filter(differences__isnull=True).order_by("-pk")[:AT_ONCE]
    left = [one for one in experiments if one.differences is None]
    ends = time.monotonic() + seconds
    while left and time.monotonic() < ends:
        one = left.pop(0)
        try:
            one.differences = differences(one)
        except DatabaseError:
            raise
        except Exception:  # of a recipe of long ago, say: it must not keep the others back, nor a list
            log.exception("what differs in %s from its recipe cannot be told", one.name)
            one.differences = []
        Experiment.objects.filter(pk=one.pk).update(differences=one.differences)
    return len(left)
