"""The fields of a form: one for each setting of a recipe, made from the settings classes, and what their texts stand for."""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic.fields import FieldInfo

from training.benchmarks import BENCHMARKS
from training.recipes import recipe as recipes
from training.recipes.metric_names import metric_names
from training.recipes.recipe import Recipe
from training.recipes.validation import SPLITS
from training.rewards import REWARDS
from training.settings.base import Settings
from training.settings.errors import LISTED_BY
from training.settings.reward import Reward
from training.settings.shared import StageSettings, TrainingStageSettings
from webapp.launch.edits import flow
from webapp.launch.labels import label

Kind = Literal["int", "float", "text", "prose", "bool", "choice", "list", "yaml", "overrides"]
PROSE = ("question", "prediction", "instructions")
FIXED = ("kind", "source")  # another kind of stage or source is another recipe
REGISTRIES = {"benchmark": BENCHMARKS, "reward": REWARDS, "evaluate_benchmark": SPLITS}  # names that exist
BASICS = ("title", "seeds", "name", "queue")
ASKED = ("question", "prediction", "primary", "alpha", "test", "go_threshold", "expected_accuracy")
# Of the question, what most leave out: it is folded.
SELDOM = ("go_threshold", "expected_accuracy", "primary.margin", "primary.interim")
FIRST = ("name", "after", "steps", "examples", "batch_size")  # of a stage
REFINEMENTS = (
    "sampling",
    "reference",
    "entropy",
)  # of a stage's sampling and loss, which most leave as they are: folded
CALLED = {"primary.seeds": "Seeds that decide"}  # beside the seeds that run
# Settings whose label says all that their description says.
PLAIN = (
    "title",
    "question",
    "prediction",
    "alpha",
    *(f"primary.{key}" for key in ("benchmark", "metric", "contrast")),
)


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
    was: str | None = None  # what the recipe has, as shown; None: the recipe has no such setting
    elsewhere: list[tuple[str, str]] = field(default_factory=list)  # condition → what it has instead

    @property
    def changed(self) -> bool:
        """Whether it is no longer as the recipe has it."""
        return self.was is not None and self.was != self.value


@dataclass
class FieldGroup:
    """Settings that belong together: a fieldset, folded when it is a stage."""

    path: str
    title: str
    help: str = ""
    fields: list[Field] = field(default_factory=list)
    groups: list["FieldGroup"] = field(default_factory=list)
    folded: bool = False  # most people leave it as it is
    opened: bool = False  # though it can be folded
    rows: bool = False  # its groups are items of a few settings, one a row
    errors: list[str] = field(default_factory=list)

    def every_field(self) -> Iterator[Field]:
        """The fields of this group and of those in it."""
        yield from self.fields
        for group in self.groups:
            yield from group.every_field()

    def every_group(self) -> Iterator["FieldGroup"]:
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
        """True when something in it must be fixed, so that it is shown unfolded."""
        return any(g.errors for g in self.every_group()) or any(f.errors for f in self.every_field())

    @property
    def is_open(self) -> bool:
        """Whether it is shown unfolded: what a person changed, or must fix, is to be seen."""
        return self.opened or self.has_errors or any(one.changed for one in self.every_field())

    @property
    def differing(self) -> int:
        """Settings in it that some condition has another value of."""
        return sum(bool(one.elsewhere) for one in self.every_field())


def groups(
    recipe: Recipe, sizes: Sequence[tuple[str, str]] = (), described: Mapping[str, str] = MappingProxyType({})
) -> Iterator[FieldGroup]:
    """The groups of a recipe's form; `sizes` are the scales that it comes in, with their words; `described` what each is for."""
    basics = _group(recipe, "", "Basics", keys=BASICS)
    if sizes:
        text = "The settings below are those of this size; what you changed stays changed in another one"
        if own := described.get(recipe.scale):
            text = f"{recipe.scale} is {own}. {text}"
        basics.fields.insert(0, Field("scale", "Size", "choice", recipe.scale, text, list(sizes)))
    _drop_plain_hints(basics)
    yield basics
    yield _named(recipe, "conditions", "Conditions")
    yield _stages(recipe)
    yield _asked(recipe)
    for key, title in (
        ("mul_tokens", "Mul-tokens"),
        ("text", "Text"),
        ("model", "Model"),
        ("tokenizer", "Tokenizer"),
        ("benchmarks", "Benchmarks"),
    ):
        yield _named(recipe, key, title)


def _stages(recipe: Recipe) -> FieldGroup:
    """A folded group for each stage."""
    stages = _named(recipe, "stages", "Stages")
    for settings, group in zip(recipe.stages, stages.groups, strict=True):
        group.folded, group.help = True, digest(settings)
        for one in group.fields:
            if one.path.endswith(".after"):
                names = [s.name for s in recipe.stages if s is not settings]
                one.kind, one.choices = "choice", [("", "nothing"), *((name, name) for name in names)]
        _divide(group, settings.sections)
    return stages


def _divide(group: FieldGroup, sections: Mapping[str, Sequence[str]]) -> None:
    """Put a stage's settings below the headings that its kind gives them."""
    fields = {one.path.rpartition(".")[2]: one for one in group.fields}
    groups = {one.path.rpartition(".")[2]: one for one in group.groups}
    made = [
        FieldGroup(
            "",
            title,
            fields=[fields.pop(key) for key in keys if key in fields],
            groups=[groups.pop(key) for key in keys if key in groups],
        )
        for title, keys in sections.items()
    ]
    for one in made:
        for below in one.groups:
            if below.path.rpartition(".")[2] in REFINEMENTS:
                below.folded = True
                below.help = below.help or f"{len(list(below.every_field()))} settings"
    group.fields = sorted(fields.values(), key=lambda one: _place(one.path.rpartition(".")[2]))
    learning = [groups.pop(key) for key in ("optimizer",) if key in groups]
    group.groups = [*learning, *(one for one in made if one.fields), *groups.values()]


def _place(key: str) -> int:
    """Where a setting stands among those of a stage that are below no heading: what names it first."""
    return FIRST.index(key) if key in FIRST else len(FIRST)


def _asked(recipe: Recipe) -> FieldGroup:
    """The question and how it is decided; what most questions leave out is folded, unless something is set there."""
    asked = _group(recipe, "", "What is asked", keys=ASKED)
    asked.help = "frozen at launch: it is shown beside the outcome and cannot be changed afterwards"
    _offer_names(asked, recipe)
    for one in asked.every_field():
        one.label = CALLED.get(one.path, one.label)
    _drop_plain_hints(asked)
    more = FieldGroup("decision", "More about the decision", folded=True)
    more.help = "go threshold, expected accuracy, equivalence margin, interim look"
    for group in asked.every_group():
        more.fields += [one for one in group.fields if one.path in SELDOM]
        group.fields = [one for one in group.fields if one.path not in SELDOM]
    more.opened = any(one.value for one in more.fields)
    asked.groups.append(more)
    return asked


def _drop_plain_hints(group: FieldGroup) -> None:
    for one in group.every_field():
        if one.path in PLAIN:
            one.help = ""


def _offer_names(asked: FieldGroup, recipe: Recipe) -> None:
    """Let what the planned question names be chosen from what the recipe has."""
    samples = max(recipe.design.samples.values(), default=0)
    stages, conditions = recipe.design.parents, recipe.design.conditions
    offered = {
        "primary.benchmark": [(name, name) for name in BENCHMARKS],
        "primary.metric": [(name, name) for name in metric_names(samples)],
        "primary.stage": [("", "each last stage"), *((name, name) for name in stages)],
        "primary.condition": [("", "each"), *((name, name) for name in conditions)],
    }
    for one in asked.every_field():
        if one.path in offered:
            one.kind, one.choices = "choice", offered[one.path]


def sizes(title: str, scales: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The sizes that a recipe of this title comes in, each with its words; none where there is one only."""
    if not scales:
        return []
    titles = {name: settings["title"] for name, settings in scales.items() if "title" in settings}
    words = {recipes.FULL: "as the recipe is written"} | descriptions(scales)
    if titles:  # a size with a title of its own is a preset; what tells them apart is shown
        words |= {**titles, recipes.FULL: title}
    return [(name, f"{name}: {words[name]}" if words.get(name) else name) for name in (recipes.FULL, *scales)]


def descriptions(scales: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What each size is for, and its seeds where it has its own."""
    found = {}
    for name, settings in scales.items():
        said = [str(settings.get(recipes.DESCRIPTION, ""))]
        if isinstance(seeds := settings.get("seeds"), list):
            said.append(f"{len(seeds)} seed{'s' * (len(seeds) != 1)}")
        found[name] = "; ".join(filter(None, said))
    return found


def digest(stage: StageSettings) -> str:
    """A stage in one line: its kind, its steps, its learning rate."""
    parts = [stage.kind]
    if steps := stage.planned_steps():
        parts.append(f"{steps:,} steps")
    if isinstance(stage, TrainingStageSettings):
        parts.append(f"learning rate {stage.peak_rates_text()}")
    return " · ".join(parts)


def _named(recipe: Recipe, key: str, title: str) -> FieldGroup:
    """The group of one of the recipe's own settings."""
    info, value = Recipe.model_fields[key], getattr(recipe, key)
    if isinstance(value, Settings):
        group = _group(value, key, title)
        group.help, group.folded = info.description or "", True
        return group
    folded = key == "benchmarks"
    return FieldGroup(key, title, info.description or "", groups=_items(value, key), folded=folded)


def _group(settings: Settings, path: str, title: str, keys: Iterable[str] | None = None) -> FieldGroup:
    group = FieldGroup(path, title)
    for key in keys or _own_first(type(settings)):
        info, value = type(settings).model_fields[key], getattr(settings, key)
        if key in FIXED and len(get_args(info.annotation)) == 1:
            continue
        below = f"{path}.{key}" if path else key
        if isinstance(value, Settings):
            group.groups.append(_group(value, below, label(key)))
            group.groups[-1].help = info.description or ""
        elif isinstance(value, list | tuple) and value and isinstance(value[0], Settings):
            items = FieldGroup(below, label(key), info.description or "", groups=_items(value, below))
            if isinstance(value[0], Reward):
                _in_rows(items)
            group.groups.append(items)
        else:
            group.fields.append(_field(below, key, info, value))
    return group


def _items(items: Iterable[Settings], path: str) -> list[FieldGroup]:
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


def _in_rows(items: FieldGroup) -> None:
    """A row a component: what is said of each weight is said once."""
    items.rows = True
    weights = [one for one in items.every_field() if one.path.endswith(".weight")]
    said = dict.fromkeys(f"{one.label}: {one.help[:1].lower()}{one.help[1:]}" for one in weights)
    items.help = ". ".join([items.help, *said])
    for one in weights:
        one.help = ""


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
    if kind == "choice" and optional:
        choices = [
            ("", "empty"),
            *choices,
        ]  # as descriptions call it; without it a browser would post the first one
    return Field(path, label(key), kind, shown(value, kind), info.description or "", choices, optional)


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
            return "\n".join(f"{path} = {flow(one)}" for path, one in value.items())
        case "yaml" if value is not None:
            return flow(value)
    return "" if value is None else str(value)
