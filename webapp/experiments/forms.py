"""A recipe as a form: one field for each setting, made from the settings classes; only what changed is applied."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

import yaml
from django.http import QueryDict
from pydantic.fields import FieldInfo

from training import recipe as recipes
from training.benchmarks import BENCHMARKS
from training.recipe import Recipe, RecipeError
from training.recipe_errors import LISTED_BY
from training.rewards import REWARDS
from training.settings import Reward, Settings, StageSettings, TrainingStageSettings

Kind = Literal["int", "float", "text", "prose", "bool", "choice", "list", "yaml", "overrides"]
PROSE = ("question", "prediction", "instructions")
TAGS = ("kind", "source")
REGISTRIES = {"benchmark": BENCHMARKS, "primary_metric": BENCHMARKS, "reward": REWARDS}  # names that exist
BASICS = ("name", "title", "question", "prediction", "primary_metric", "alpha", "go_threshold", "seeds")


@dataclass
class Field:
    """One setting: its dotted path is the field's name."""

    path: str
    label: str
    kind: Kind
    value: str  # as shown and posted
    help: str = ""
    choices: list[tuple[str, str]] = field(default_factory=list)
    optional: bool = False
    errors: list[str] = field(default_factory=list)


@dataclass
class Group:
    """Settings that belong together: a fieldset, folded when it is a stage."""

    path: str
    title: str
    help: str = ""
    fields: list[Field] = field(default_factory=list)
    groups: list["Group"] = field(default_factory=list)
    folded: bool = False
    opened: bool = False  # though it can be folded
    errors: list[str] = field(default_factory=list)

    def every_field(self) -> Iterator[Field]:
        """The fields of this group and of those in it."""
        yield from self.fields
        for group in self.groups:
            yield from group.every_field()

    def every_group(self) -> Iterator["Group"]:
        """This group and those in it."""
        yield self
        for group in self.groups:
            yield from group.every_group()

    @property
    def compact(self) -> bool:
        """True for a few fields and nothing below: several such groups fit side by side."""
        return not self.groups and len(self.fields) <= 4

    @property
    def has_errors(self) -> bool:
        """True when something in it must be mended, so that it is shown unfolded."""
        return any(g.errors for g in self.every_group()) or any(f.errors for f in self.every_field())


class RecipeForm:
    """The form of one recipe; `recipe` is set when what was posted can be launched."""

    def __init__(
        self, data: Mapping[str, Any], posted: QueryDict | None = None, *, opened: str | None = None
    ) -> None:
        """Make the form of a recipe with one stage unfolded, and read what was posted. Raises RecipeError."""
        self.base = recipes.build(data)
        self.groups = list(_groups(self.base))
        for group in (group for top in self.groups for group in top.every_group()):
            group.opened = group.path == f"stages.{opened}"
        self.problems: list[tuple[str, str]] = []  # (where: id of a field or group, or "", what)
        self.recipe: Recipe | None = None
        if posted is not None:
            self._read(posted)

    def refuse(self, problems: Iterable[tuple[str, str]]) -> None:
        """Show problems (dotted path, what to do) beside their fields, or at the top where there is none."""
        self.recipe = None
        for path, text in problems:
            place = self._place(path)
            if place is None:
                self.problems.append(("", f"{path}: {text}" if path else text))
            else:
                place.errors.append(text)
                self.problems.append((place.path, text))

    def _read(self, posted: QueryDict) -> None:
        changes: list[tuple[str, Any]] = []
        problems: list[tuple[str, str]] = []
        for one in self._fields():
            text = posted.getlist(one.path)[-1].strip() if one.path in posted else one.value
            text = text.replace("\x00", "")  # PostgreSQL holds none
            if text.replace("\r\n", "\n") != one.value:
                one.value = text
                try:
                    changes.append((one.path, parsed(one, text)))
                except ValueError as error:
                    problems.append((one.path, str(error)))
        if problems:
            self.refuse(problems)
            return
        try:
            self.recipe = recipes.build(self.base.model_dump(mode="json"), _names_last(changes))
        except RecipeError as error:
            self.refuse(error.problems)

    def _fields(self) -> Iterator[Field]:
        for group in self.groups:
            yield from group.every_field()

    def _place(self, path: str) -> Field | Group | None:
        """The field of a path, or the nearest field or group above it."""
        places: dict[str, Field | Group] = {}
        for group in self.groups:
            places |= {g.path: g for g in group.every_group() if g.path}
        places |= {f.path: f for f in self._fields()}
        keys = path.split(".")
        above = (".".join(keys[:length]) for length in range(len(keys), 0, -1))
        return next((places[p] for p in above if p in places), None)


def parsed(one: Field, text: str) -> Any:
    """The value that a field's text stands for; what is no number stays text, so that the schema refuses it.

    Raises ValueError for lines of overrides that are not `path = value`.
    """
    if not text and one.optional:
        return None
    match one.kind:
        case "int" | "float":
            return _number(text)
        case "bool":
            return text == "true"
        case "list":
            return [_number(part.strip()) for part in text.split(",") if part.strip()]
        case "yaml":
            return _yaml(text)
        case "overrides":
            return dict(_override(line) for line in text.splitlines() if line.strip())
    return text


def _number(text: str) -> Any:
    plain = text.replace(",", "").replace("_", "")
    for read in (int, float):
        try:
            return read(plain)
        except ValueError:
            continue
    return text


def _yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise ValueError("cannot be read; write it as YAML, e.g. [a, b] or {name: value}") from None


def _override(line: str) -> tuple[str, Any]:
    path, equals, value = line.partition("=")
    if not equals or not path.strip() or not value.strip():
        raise ValueError(f"write one setting a line as path = value, not {line.strip()!r}")
    return path.strip(), _yaml(value)


def _names_last(changes: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Renaming comes last: the other changes go by the old names."""
    return sorted(changes, key=lambda change: change[0].rpartition(".")[2] in LISTED_BY)


def _groups(recipe: Recipe) -> Iterator[Group]:
    basics = _group(recipe, "", "Basics", keys=BASICS)
    if recipe.scales:
        basics.fields.insert(0, _size(recipe))
    yield basics
    for key, title in (
        ("conditions", "Conditions"),
        ("mul_tokens", "Mul-tokens"),
        ("text", "Text"),
        ("model", "Model"),
    ):
        yield _named(recipe, key, title)
    yield _named(recipe, "tokenizer", "Tokenizer")
    stages = _named(recipe, "stages", "Stages")
    for settings, group in zip(recipe.stages, stages.groups, strict=True):
        group.folded, group.help = True, digest(settings)
        for one in group.fields:
            if one.path.endswith(".after"):
                names = [s.name for s in recipe.stages if s is not settings]
                one.kind, one.choices = "choice", [("", "nothing"), *((name, name) for name in names)]
    yield stages
    yield _named(recipe, "benchmarks", "Benchmarks")


def _size(recipe: Recipe) -> Field:
    """The choice of a scale; it is applied before what was changed in the other fields."""
    titles = {name: settings["title"] for name, settings in recipe.scales.items() if "title" in settings}
    if titles:  # a size with a title of its own is a preset; what tells them apart is shown
        titles[recipes.FULL] = recipe.title
    sizes = [
        (name, f"{name}: {titles[name]}" if name in titles else name)
        for name in (recipes.FULL, *recipe.scales)
    ]
    text = "full: as below. Another size replaces some settings below first; those that you change stay as you have them"
    return Field("scale", "Size", "choice", recipe.scale, text, sizes)


def digest(stage: StageSettings) -> str:
    """A stage in one line: its kind, its steps, its learning rate."""
    parts = [stage.kind]
    if steps := stage.planned_steps():
        parts.append(f"{steps:,} steps")
    if isinstance(stage, TrainingStageSettings):
        parts.append(f"learning rate {stage.optimizer.learning_rate:g}")
    return " · ".join(parts)


def _named(recipe: Recipe, key: str, title: str) -> Group:
    """The group of one of the recipe's own settings."""
    info, value = Recipe.model_fields[key], getattr(recipe, key)
    if isinstance(value, Settings):
        group = _group(value, key, title)
        group.help = info.description or ""
        return group
    return Group(key, title, info.description or "", groups=_items(value, key))


def _group(settings: Settings, path: str, title: str, keys: Iterable[str] | None = None) -> Group:
    group = Group(path, title)
    for key in keys or _own_first(type(settings)):
        info, value = type(settings).model_fields[key], getattr(settings, key)
        if key in TAGS and len(get_args(info.annotation)) == 1:
            continue  # what kind of stage or source it is: another kind is another recipe
        below = f"{path}.{key}" if path else key
        if isinstance(value, Settings):
            group.groups.append(_group(value, below, _label(key)))
            group.groups[-1].help = info.description or ""
        elif isinstance(value, list | tuple) and value and isinstance(value[0], Settings):
            group.groups.append(
                Group(below, _label(key), info.description or "", groups=_items(value, below))
            )
        else:
            group.fields.append(_field(below, key, info, value))
    return group


def _items(items: Iterable[Settings], path: str) -> list[Group]:
    """One group an item of a list, by its name; by its position where two have the same one."""
    items = list(items)
    names = [_item_name(item) for item in items]
    keys = [name if names.count(name) == 1 else str(i) for i, name in enumerate(names)]
    groups = [
        _group(item, f"{path}.{key}", name or key) for item, key, name in zip(items, keys, names, strict=True)
    ]
    for item, group in zip(items, groups, strict=True):
        if isinstance(item, Reward):
            group.help = inspect.cleandoc(type(item).__doc__ or "")
    return groups


def _item_name(item: Settings) -> str:
    return next((str(getattr(item, key)) for key in LISTED_BY if key in type(item).model_fields), "")


def _own_first(settings: type[Settings]) -> list[str]:
    """Field names, the class's own before those that it shares with its relatives."""
    own = [key for key in settings.model_fields if key in settings.__annotations__]
    return own + [key for key in settings.model_fields if key not in own]


def _field(path: str, key: str, info: FieldInfo, value: Any) -> Field:
    annotation, optional = _plain(info.annotation)
    kind, choices = _kind(annotation, key)
    if key in REGISTRIES:
        kind, choices = "choice", [(name, name) for name in REGISTRIES[key]]
    if isinstance(info.json_schema_extra, dict) and "options" in info.json_schema_extra:
        meanings = cast("dict[str, str]", info.json_schema_extra["options"])
        choices = [(option, f"{option}: {meanings[option]}") for option, _ in choices]
    return Field(path, _label(key), kind, shown(value, kind), info.description or "", choices, optional)


def _plain(annotation: Any) -> tuple[Any, bool]:
    """X | None → (X, True)."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    options = [a for a in get_args(annotation) if a is not type(None)]
    if get_origin(annotation) in (Union, UnionType) and len(options) == 1:
        return options[0], True
    return annotation, False


def _kind(annotation: Any, key: str) -> tuple[Kind, list[tuple[str, str]]]:
    if annotation is bool:
        return "bool", []
    if annotation is int:
        return "int", []
    if annotation is float:
        return "float", []
    if annotation is str:
        return ("prose" if key in PROSE else "text"), []
    if get_origin(annotation) is Literal:
        return "choice", [(str(option), str(option)) for option in get_args(annotation)]
    if key == "overrides":
        return "overrides", []
    if get_origin(annotation) in (list, tuple) and set(get_args(annotation)) <= {int, float, Ellipsis}:
        return "list", []
    return "yaml", []


def shown(value: Any, kind: Kind) -> str:
    """A value as the text of its field."""
    match kind:
        case "list":
            return ", ".join(map(str, value or []))
        case "bool":
            return "true" if value else "false"
        case "overrides":
            return "\n".join(f"{path} = {_flow(one)}" for path, one in value.items())
        case "yaml" if value is not None:
            return _flow(value)
    return "" if value is None else str(value)


def _flow(value: Any) -> str:
    """YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _label(key: str) -> str:
    return key if key.startswith("n_") else key.replace("_", " ").capitalize()


def gallery(names: Iterable[str] | None = None) -> list[Recipe]:
    """The shipped recipes, in order of size."""
    found = [recipes.build(recipes.shipped(name)) for name in names or recipes.names()]
    return sorted(found, key=lambda recipe: (planned_steps(recipe), recipe.name))


def planned_steps(recipe: Recipe) -> int:
    """Optimizer steps of all stage runs together."""
    runs = len(recipe.conditions) * len(recipe.seeds)
    return runs * sum(stage.planned_steps() or 0 for stage in recipe.stages)
