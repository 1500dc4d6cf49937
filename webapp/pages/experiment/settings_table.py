"""Settings of an experiment as a table: conditions side by side, beside the recipe or the experiment they come from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from training.recipes import recipe as recipes
from training.settings.errors import RecipeError
from webapp.experiments.models import Experiment
from webapp.experiments.settings_by_condition import by_condition

MISSING = "–"
ORIGIN, RECIPE, NOTHING = "origin", "recipe", "nothing"


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
class SettingsFilter:
    """What the settings are looked at with, as the address says."""

    only_differences: bool = True
    find: str = ""
    against: str = ""  # empty: where they come from

    @classmethod
    def read(cls, asked: Mapping[str, Any]) -> "SettingsFilter":
        """From only, find and against of an address; anything else means the default."""
        only = asked.getlist("only")[-1:] != ["no"]  # type: ignore[attr-defined]  # the tick comes behind a hidden no
        against = asked.get("against", "")
        return cls(
            only, asked.get("find", "").strip()[:100], against if against in (ORIGIN, RECIPE, NOTHING) else ""
        )

    def address(self, experiment: Experiment) -> str:
        """The experiment's page with this choice, without what is so anyhow."""
        every = {
            "only": "" if self.only_differences else "no",
            "find": self.find,
            "against": self.against,
        }
        query = urlencode({key: value for key, value in every.items() if value})
        return reverse("experiment", args=[experiment.name]) + (f"?{query}" if query else "")


@dataclass(frozen=True)
class SettingsTable:
    """Rows that the choice leaves, and how many there are in all."""

    conditions: list[str]
    rows: list[SettingRow]
    total: int
    differing: int
    against: str  # origin, recipe or nothing
    reference: str  # its name; empty: compared with nothing
    has_origin: bool
    has_recipe: bool


def settings_table(experiment: Experiment, choice: SettingsFilter) -> SettingsTable:
    """The settings of an experiment as the choice wants them."""
    own = by_condition(experiment.recipe)
    origin = experiment.origin if experiment.origin and not experiment.origin.imported else None
    shipped = _shipped(experiment)
    offered = {ORIGIN: origin is not None, RECIPE: shipped is not None, NOTHING: True}
    against = (
        choice.against
        if offered.get(choice.against)
        else next(key for key, there in offered.items() if there)
    )
    reference: dict[str, dict[str, str]] = {}
    if against == ORIGIN and origin is not None:
        reference = by_condition(origin.recipe)
    elif against == RECIPE and shipped is not None:
        reference = by_condition(shipped)
    rows = list(_rows(own, reference))
    wanted = choice.find.lower()
    shown = [
        row
        for row in rows
        if (row.differs or row.changed or not choice.only_differences)
        and (wanted in row.path.lower() or any(wanted in value.lower() for value in row.values))
    ]
    names = {
        ORIGIN: origin.name if origin else "",
        RECIPE: f"{experiment.recipe_name} as shipped",
        NOTHING: "",
    }
    return SettingsTable(
        conditions=list(own),
        rows=shown,
        total=len(rows),
        differing=sum(row.differs or row.changed for row in rows),
        against=against,
        reference=names[against],
        has_origin=offered[ORIGIN],
        has_recipe=offered[RECIPE],
    )


def _shipped(experiment: Experiment) -> dict[str, Any] | None:
    """The recipe of that name as it comes with Mulberry now, at the same size; None where there is none."""
    try:
        data = recipes.shipped(experiment.recipe_name)
        scale = experiment.recipe.get("scale", "full")
        changes = [] if scale == "full" else [("scale", scale)]
        return recipes.build(data, changes).model_dump(mode="json")
    except RecipeError:
        return None


def _rows(own: dict[str, dict[str, str]], reference: dict[str, dict[str, str]]) -> Iterator[SettingRow]:
    """Settings in the recipe's order, then those that only the reference has."""
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
