"""Conditions side by side: the settings in which they differ, one column each, and conditions added and removed."""

from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from training.recipes.recipe import ConditionSettings, Recipe, RecipeError, replaced
from webapp.launch import setting_search, sweeps
from webapp.launch.edits import edits
from webapp.launch.fields import Field, shown
from webapp.launch.forms import RecipeForm


@dataclass(frozen=True)
class ConditionColumn:
    """A condition."""

    name: str
    field: Field  # its name's
    errors: list[str]


@dataclass(frozen=True)
class SettingCell:
    """A setting in one condition; empty text: as all have it."""

    condition: str
    name: str  # as posted
    text: str
    choices: list[tuple[str, str]]  # empty: any text
    errors: list[str]


@dataclass(frozen=True)
class VariedSetting:
    """A setting in which conditions differ."""

    path: str
    label: str
    help: str
    shared: str  # what those have that say nothing
    cells: list[SettingCell]


@dataclass(frozen=True)
class ConditionTable:
    """The conditions of a form."""

    columns: list[ConditionColumn]
    rows: list[VariedSetting]
    same: int  # settings that all share
    warnings: list[str]
    free: dict[str, Field]  # settings that conditions may come to differ in, by path

    @property
    def offers(self) -> list[dict[str, str]]:
        """Every setting of the table, free or not, with its words: a sweep may take one in which they differ already."""
        return setting_search.offers(self.free)

    @property
    def has_errors(self) -> bool:
        """Whether what some condition has must be fixed."""
        return any(column.errors for column in self.columns)


SHARED = (
    "name",
    "title",
    "question",
    "prediction",
    "primary",
    "test",
    "alpha",
    "go_threshold",
    "seeds",
    "scale",
)
NOT_OF_CONDITIONS = (*SHARED, "conditions", "tokenizer")  # what a condition's settings do not begin with


def table(form: RecipeForm) -> ConditionTable:
    """What a form says of its conditions; also while something in it must be fixed."""
    every = {one.path: one for one in form.fields()}
    columns, texts = [], {}
    for name in (condition.name for condition in form.base.conditions):
        overrides = every[f"conditions.{name}.overrides"]
        columns.append(ConditionColumn(name, every[f"conditions.{name}.name"], overrides.errors))
        texts[name] = _lines(overrides.value)
    paths = list(dict.fromkeys([*(path for lines in texts.values() for path in lines), *form.rows]))
    rows = [_row(path, texts, every, form) for path in paths]
    settings = {path: one for path, one in every.items() if path.split(".")[0] not in NOT_OF_CONDITIONS}
    free = {path: settings[path] for path in sorted(settings) if path not in paths}
    return ConditionTable(columns, rows, len(settings) - len(rows), warnings(form.base), free)


def mark(form: RecipeForm) -> None:
    """Say at each setting which conditions have another value."""
    every = {one.path: one for one in form.fields()}
    for condition in form.base.conditions:
        for path, value in condition.overrides.items():
            for one in (
                [every[path]] if path in every else [f for p, f in every.items() if p.startswith(f"{path}.")]
            ):
                text = shown(value, one.kind) if one.path == path else "another one"
                one.elsewhere.append((condition.name, text or "nothing"))


def warnings(recipe: Recipe) -> list[str]:
    """What cannot be told apart: conditions that differ from the first in more than one setting, or in none; each case once."""
    first, *others = recipe.conditions
    base = _of(recipe, first)
    cases: dict[tuple[str, ...], list[str]] = {}
    for other in others:
        paths = tuple(edit.path for edit in edits(base, _of(recipe, other)))
        if len(paths) != 1:
            cases.setdefault(paths, []).append(other.name)
    return [_warning(first.name, names, paths) for paths, names in cases.items()]


def _warning(first: str, names: list[str], paths: tuple[str, ...]) -> str:
    listed = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
    if not paths:
        return f"{listed} {'are' if len(names) > 1 else 'is'} the same as {first}: they differ in no setting."
    settings = ", ".join(paths[:6]) + (f" and {len(paths) - 6} more" if len(paths) > 6 else "")
    if len(names) == 1:
        who = f"{first} and {listed} differ in {len(paths)} settings ({settings})"
    else:
        who = f"{listed} each differ from {first} in the same {len(paths)} settings ({settings})"
    return f"{who}: the comparison can’t say which of them did it."


def do(form: RecipeForm, what: str, posted: QueryDict) -> None:
    """Do what a button of the table says: add, remove, differ, same or sweep; another one (row) shows the table anew.

    Says in the form what cannot be done.
    """
    if form.recipe is None:
        return
    action, _, which = what.partition(" ")
    try:
        match action:
            case "add":
                form.replace(_with_conditions(form.recipe, [*_dumped(form.recipe), _new(form.recipe)]))
            case "remove":
                left = [one for i, one in enumerate(_dumped(form.recipe)) if str(i) != which]
                form.replace(_with_conditions(form.recipe, left))
            case "differ":
                form.rows.append(_known(form, posted.get("differ", "").strip()))
            case "sweep":
                form.replace(swept(form, form.recipe, posted).model_dump(mode="json"))
                form.rows, form.sweep = [], []
            case "same":
                form.rows = [path for path in form.rows if path != which]
                kept = [
                    {**one, "overrides": _without(one["overrides"], which)} for one in _dumped(form.recipe)
                ]
                form.replace(_with_conditions(form.recipe, kept))
    except RecipeError as error:
        form.refuse(error.problems)


def swept(form: RecipeForm, recipe: Recipe, posted: QueryDict) -> Recipe:
    """The recipe with a condition for each combination of the values that were posted. Raises RecipeError."""
    return sweeps.swept_by(recipe, sweeps.entered(posted), lambda path: _known(form, path, swept=True))


def _known(form: RecipeForm, text: str, *, swept: bool = False) -> str:
    """A setting that conditions may differ in; one that is `swept` may be one in which they differ already. Raises RecipeError."""
    if text.split(".")[0] in SHARED:
        raise RecipeError([("conditions", f"{text} is shared by all conditions; they cannot differ in it")])
    shown_now = table(form)
    rows = {row.path for row in shown_now.rows} if swept else set()
    every = {one.path: one for one in form.fields()}
    return setting_search.found(text, shown_now.free | {path: every[path] for path in rows if path in every})


def _row(
    path: str, texts: dict[str, dict[str, str]], every: dict[str, Field], form: RecipeForm
) -> VariedSetting:
    one = every.get(path)
    choices = []
    shared = one.value if one else "as below"
    if one is not None and one.kind in ("bool", "choice"):
        found = one.choices or [("true", "true"), ("false", "false")]
        choices = [
            ("", f"as below: {shared or 'nothing'}"),
            *((value, value or "nothing") for value, _ in found if value),
        ]
    cells = []
    for condition, lines in texts.items():
        name = f"conditions.{condition}.overrides.{path}"
        errors = [text for place, text in form.problems if place == name]
        cells.append(SettingCell(condition, name, lines.get(path, ""), choices, errors))
    if choices:  # what was written another way (yes, on) stays as it was written
        known = {value for value, _ in choices}
        choices.extend((cell.text, cell.text) for cell in cells if cell.text not in known)
    label, text = (one.label, one.help) if one else ("", "")
    return VariedSetting(path, label, text, shared or "nothing", cells)


def _lines(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if line.strip())
    return {path.strip(): value.strip() for path, _, value in pairs}


def _of(recipe: Recipe, condition: ConditionSettings) -> dict[str, Any]:
    """The settings of one condition."""
    data: dict[str, Any] = recipe.model_dump(mode="json", exclude={"conditions", "scales"})
    for path, value in condition.overrides.items():
        data = replaced(data, path, value)
    return data


def _dumped(recipe: Recipe) -> list[dict[str, Any]]:
    return [condition.model_dump(mode="json") for condition in recipe.conditions]


def _with_conditions(recipe: Recipe, conditions: list[dict[str, Any]]) -> dict[str, Any]:
    return {**recipe.model_dump(mode="json"), "conditions": conditions}


def _without(overrides: dict[str, Any], path: str) -> dict[str, Any]:
    return {one: value for one, value in overrides.items() if one != path}


def _new(recipe: Recipe) -> dict[str, Any]:
    """Another condition, with a name of its own and nothing replaced."""
    names = {condition.name for condition in recipe.conditions}
    number = next(n for n in range(len(names) + 1, 2 * len(names) + 2) if f"condition_{n}" not in names)
    return {"name": f"condition_{number}", "overrides": {}}
