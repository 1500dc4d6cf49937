"""Settings of an experiment as a table: conditions side by side, beside the recipe or the experiment they come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from webapp.experiments.changed_settings import SettingRow, scale_of, setting_rows, shipped
from webapp.experiments.models import Experiment
from webapp.experiments.settings_by_condition import by_condition

ORIGIN, RECIPE, NOTHING = "origin", "recipe", "nothing"


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
    recipe = shipped(experiment.recipe_name, scale_of(experiment.recipe))
    offered = {ORIGIN: origin is not None, RECIPE: recipe is not None, NOTHING: True}
    against = (
        choice.against
        if offered.get(choice.against)
        else next(key for key, there in offered.items() if there)
    )
    reference: dict[str, dict[str, str]] = {}
    if against == ORIGIN and origin is not None:
        reference = by_condition(origin.recipe)
    elif against == RECIPE and recipe is not None:
        reference = by_condition(recipe)
    rows = list(setting_rows(own, reference))
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
