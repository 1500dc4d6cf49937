"""Conditions side by side: the settings in which they differ, one column each, and conditions added and removed."""

from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from training.did_you_mean import nearest
from training.recipes.recipe import ConditionSettings, Recipe, RecipeError, replaced
from training.recipes.sweep import parse_sweep, swept
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


@dataclass(frozen=True)
class VariedSetting:
    """A setting in which conditions differ."""

    path: str
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
    paths: list[str]  # settings that conditions may differ in

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


def table(form: RecipeForm) -> ConditionTable:
    """What a form says of its conditions; also while something in it must be fixed."""
    every = {one.path: one for one in form.fields()}
    columns, texts = [], {}
    for name in (condition.name for condition in form.base.conditions):
        overrides = every[f"conditions.{name}.overrides"]
        columns.append(ConditionColumn(name, every[f"conditions.{name}.name"], overrides.errors))
        texts[name] = _lines(overrides.value)
    paths = list(dict.fromkeys([*(path for lines in texts.values() for path in lines), *form.rows]))
    rows = [_row(path, texts, every, form.base) for path in paths]
    free = [path for path in every if path.split(".")[0] not in (*SHARED, "conditions", "tokenizer")]
    return ConditionTable(
        columns, rows, len(free) - len(rows), warnings(form.base), sorted(set(free) - set(paths))
    )


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
    """What cannot be told apart: conditions that differ from the first in more than one setting, or in none."""
    first, *others = recipe.conditions
    base, said = _of(recipe, first), []
    for other in others:
        paths = [edit.path for edit in edits(base, _of(recipe, other))]
        if not paths:
            said.append(f"{other.name} is the same as {first.name}: they differ in no setting.")
        elif len(paths) > 1:
            listed = ", ".join(paths[:6]) + (f" and {len(paths) - 6} more" if len(paths) > 6 else "")
            text = f"{first.name} and {other.name} differ in {len(paths)} settings ({listed}): "
            said.append(f"{text}the comparison can’t say which of them did it.")
    return said


def do(form: RecipeForm, what: str, posted: QueryDict) -> None:
    """Do what a button of the table says: add, remove, differ, same or sweep. Says in the form what cannot be done."""
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
                parts = [part for part in posted.get("sweep", "").split(";") if part.strip()]
                values = [parse_sweep(part) for part in parts or [""]]
                for path, _ in values:
                    _known(form, path, swept=True)
                form.replace(swept(form.recipe, values).model_dump(mode="json"))
                form.rows = []
            case "same":
                form.rows = [path for path in form.rows if path != which]
                kept = [
                    {**one, "overrides": _without(one["overrides"], which)} for one in _dumped(form.recipe)
                ]
                form.replace(_with_conditions(form.recipe, kept))
    except RecipeError as error:
        form.refuse(error.problems)


def _known(form: RecipeForm, path: str, *, swept: bool = False) -> str:
    """A setting that conditions may differ in; one that is `swept` may be one in which they differ already. Raises RecipeError."""
    found = table(form)
    free = [*found.paths, *(row.path for row in found.rows if swept)]
    if path not in free:
        if path.split(".")[0] in SHARED:
            raise RecipeError(
                [("conditions", f"{path} is shared by all conditions; they cannot differ in it")]
            )
        said = (
            f"there is no setting {path!r}{nearest(path, free)}" if path else "say which setting is to differ"
        )
        raise RecipeError([("conditions", said if len(said) < 300 else f"there is no setting {path!r}")])
    return path


def _row(
    path: str, texts: dict[str, dict[str, str]], every: dict[str, Field], recipe: Recipe
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
    cells = [
        SettingCell(condition, f"conditions.{condition}.overrides.{path}", lines.get(path, ""), choices)
        for condition, lines in texts.items()
    ]
    if choices:  # what was written another way (yes, on) stays as it was written
        known = {value for value, _ in choices}
        choices.extend((cell.text, cell.text) for cell in cells if cell.text not in known)
    return VariedSetting(path, one.help if one else "", shared or "nothing", cells)


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
