"""A recipe: what could be run, checked, and resolved into one frozen spec a stage run (no torch)."""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from training.benchmarks import BENCHMARKS
from training.did_you_mean import nearest
from training.recipes import planned_question
from training.recipes.files import names, read, shipped
from training.recipes.planned_question import Design, PairedTest, PlannedQuestion
from training.recipes.specs import RunSpec, StageSpec, with_most_problems
from training.recipes.stage_order import check_order, parents_first, refuse_doubles
from training.recipes.validation import check_validation
from training.settings.base import Settings
from training.settings.changes import parse_change, replaced
from training.settings.errors import RecipeError, error_at, problem
from training.settings.queue_names import DEFAULT, check_queue_name
from training.settings.shared import (
    BenchmarkSettings,
    ModelSettings,
    MulTokenSettings,
    TextForm,
    TextSettings,
    TokenizerSettings,
)
from training.stages import STAGES, AnyStage

SHARED = (
    "name",
    "conditions",
    "queue",
    "seeds",
    "tokenizer",
    "primary",
    "test",
    "alpha",
    "go_threshold",
    "scale",
    "scales",
)
MOST_STEPS = 10**15
FULL = "full"  # the scale of a recipe as it is written
DESCRIPTION = "description"  # of a scale: no setting, but what the size is for


class ConditionSettings(Settings):
    """What an experiment compares: the recipe with some settings replaced."""

    name: str = Field(
        ..., pattern=r"^[a-z][a-z0-9_]*$", max_length=40, description="Unique; small letters, digits, _"
    )
    overrides: dict[str, Any] = Field(
        default_factory=dict, description="Dotted path of a setting → its value in this condition"
    )


class Recipe(Settings):
    """What could be run: conditions × stages × seeds."""

    name: str = Field(
        ...,
        pattern=r"^[a-z][a-z0-9_]*$",
        max_length=40,
        description="The recipe's name; experiments are <name>-1 …",
    )
    title: str = Field(..., min_length=1, max_length=200, description="One line for lists")
    question: str = Field("", description="What the experiment asks")
    prediction: str = Field("", description="What its author expects, fixed at launch")
    primary: PlannedQuestion = Field(
        ...,
        description="The one question that is tested at the full level; everything else is secondary or exploratory",
    )
    alpha: float = Field(0.05, ge=1e-6, lt=0.5, description="Significance level of the planned question")
    test: PairedTest = Field(
        "midp",
        description="McNemar's test of one seed's right and wrong",
        json_schema_extra={
            "options": {
                "midp": "agrees best with the interval beside it",
                "exact": "never above its level, and less able to show a difference",
            }
        },
    )
    go_threshold: float | None = Field(
        None,
        gt=-1,
        lt=1,
        description="Go when the interval of a condition's accuracy minus the baseline's lies above it, no-go when "
        "below; 0.05 is 5 points. Empty: no such decision",
    )
    expected_accuracy: list[float] = Field(
        [],
        description="Accuracies that are expected at the end, the baseline's first; of fewer than there are conditions the last "
        "one holds for the rest. The plan's power goes by them; nothing is tested against them. Empty: not said",
    )
    queue: str = Field(
        DEFAULT,
        description="Queue that its runs wait in; a worker takes from those that its option --queues names",
    )
    seeds: list[int] = Field([0], min_length=1, description="Each seed runs every condition and stage")
    model: ModelSettings = Field(ModelSettings(), description="Architecture and size")
    tokenizer: TokenizerSettings = Field(TokenizerSettings(), description="Same for all conditions")
    mul_tokens: MulTokenSettings = Field(MulTokenSettings(), description="The intervention")
    text: TextSettings = Field(TextSettings(), description="How solutions are written in training text")
    conditions: list[ConditionSettings] = Field(..., min_length=1, description="The first is the baseline")
    stages: list[AnyStage] = Field(..., min_length=1, description="The steps each condition goes through")
    benchmarks: list[BenchmarkSettings] = Field(..., description="Run after every stage")
    scale: str = Field(
        FULL,
        description="Size: full is the recipe as written, another one replaces some of its settings first",
    )
    scales: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Other sizes: name → dotted path of a setting → its value, and description → what it is for; empty once one is taken",
    )

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, data: Any) -> Any:
        """A stage that does not say what it follows, follows the one before it; an old key is read as the new one."""
        if not isinstance(data, dict):
            return data
        data = planned_question.from_old_key(data)
        if not isinstance(data.get("stages"), list):
            return data
        stages, before = [], None
        for stage in data["stages"]:
            if isinstance(stage, dict):
                stage = {"after": before, **stage}
                before = stage.get("name")
            stages.append(stage)
        return {**data, "stages": stages}

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is listed twice; list each once")
        if not all(0 <= seed < 2**31 for seed in seeds):
            raise ValueError("seeds are whole numbers from 0 to 2147483647")
        return seeds

    @field_validator("expected_accuracy")
    @classmethod
    def _accuracies_are_shares(cls, expected: list[float]) -> list[float]:
        if not all(0 <= share <= 1 for share in expected):
            raise ValueError("accuracies are shares from 0 to 1; write 0.04 for 4 %")
        return expected

    @field_validator("queue")
    @classmethod
    def _queue_has_a_name(cls, queue: str) -> str:
        return check_queue_name(queue)

    @field_validator("conditions")
    @classmethod
    def _conditions_differ(cls, conditions: list[ConditionSettings]) -> list[ConditionSettings]:
        refuse_doubles([c.name for c in conditions], "conditions")
        return conditions

    @field_validator("stages")
    @classmethod
    def _stages_form_a_tree(cls, stages: list[AnyStage]) -> list[AnyStage]:
        check_order(stages)
        return stages

    @model_validator(mode="after")
    def _scale_exists(self) -> "Recipe":
        """Where no scales are left, `scale` records which one was taken."""
        for name, replaces in self.scales.items():
            if not isinstance(replaces.get(DESCRIPTION, ""), str):
                raise error_at(f"scales.{name}.{DESCRIPTION}", "is a text that says what this size is for")
            if name == FULL or not re.fullmatch(r"[a-z0-9][a-z0-9_]{0,39}", name):
                text = (
                    "call a size by other words: small letters, digits and _; full is the recipe as written"
                )
                raise error_at(f"scales.{name}", text)
        if self.scales and self.scale not in (known := [FULL, *self.scales]):
            raise error_at("scale", f"there is no scale {self.scale!r}{nearest(self.scale, known)}")
        return self

    @model_validator(mode="after")
    def _benchmarks_exist(self) -> "Recipe":
        placed = self._benchmarks_by_path()
        for path, benchmark in placed:
            name = benchmark.benchmark
            if name not in BENCHMARKS:
                raise error_at(path, f"there is no benchmark {name!r}{nearest(name, BENCHMARKS)}")
            if benchmark.samples and BENCHMARKS[name].kind == "choice":
                text = f"{name} has the model choose among given endings: there is nothing to sample; leave it at 0"
                raise error_at(f"{path}.samples", text)
            if [other for other, _ in placed].count(path) > 1:  # one result a benchmark after a stage
                raise error_at(path, f"{name} is listed twice; list each benchmark once")
        for stage in self.stages:
            check_validation(stage, self.benchmarks if stage.benchmarks is None else stage.benchmarks)
        return self

    @model_validator(mode="after")
    def _question_can_be_answered(self) -> "Recipe":
        benchmarks = {one.benchmark for _, one in self._benchmarks_by_path()}
        if benchmarks:
            planned_question.check(self.primary, self.design, benchmarks, len(self.seeds))
        return self

    @property
    def design(self) -> Design:
        """What the planned question is about."""
        return Design(
            [condition.name for condition in self.conditions],
            {stage.name: stage.after for stage in self.stages},
            frozenset(stage.name for stage in self.stages if stage.leaves_checkpoint),
            {stage: one.samples for stage, one in self.primary_benchmark_by_stage.items()},
        )

    @property
    def primary_benchmark_by_stage(self) -> dict[str, BenchmarkSettings]:
        """The name of each stage that runs the planned question's benchmark → its settings there."""
        return {
            stage.name: one
            for stage in self.stages
            for one in (self.benchmarks if stage.benchmarks is None else stage.benchmarks)
            if one.benchmark == self.primary.benchmark
        }

    @model_validator(mode="after")
    def _steps_can_be_counted(self) -> "Recipe":
        for stage in self.stages:
            if (stage.planned_steps() or 0) > MOST_STEPS:
                text = f"has more than {MOST_STEPS:,} optimizer steps; nobody lives that long"
                raise error_at(f"stages.{stage.name}", text)
        return self

    @model_validator(mode="after")
    def _texts_fit_the_context(self) -> "Recipe":
        """A checkpoint to start from brings a context of its own, so only new models are checked."""
        if self.model.start_from is not None:
            return self
        context = self.model.n_positions
        limits = [(f"{path}.max_new_tokens", b.max_new_tokens + 1) for path, b in self._benchmarks_by_path()]
        for stage in self.stages:
            limits += [
                (f"stages.{stage.name}.{key}", tokens) for key, tokens in stage.context_needed().items()
            ]
        for path, tokens in limits:
            if tokens > context:
                raise error_at(path, f"does not fit the model's context; model.n_positions is {context}")
        return self

    @cached_property
    def by_condition(self) -> Mapping[str, "Recipe"]:
        """The name of each condition → the recipe as that condition has it, checked once. Raises RecipeError."""
        return {condition.name: _conditioned(self, condition) for condition in self.conditions}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's; the copy, whose settings may be others, makes `by_condition` anew."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("by_condition", None)
        return copied

    def _benchmarks_by_path(self) -> list[tuple[str, BenchmarkSettings]]:
        every = [(f"benchmarks.{b.benchmark}", b) for b in self.benchmarks]
        for stage in self.stages:
            path = f"stages.{stage.name}.benchmarks"
            every += [(f"{path}.{b.benchmark}", b) for b in stage.benchmarks or []]
        return every


def build(data: Mapping[str, Any] | Recipe, changes: Iterable[tuple[str, Any]] = ()) -> Recipe:
    """Check a recipe and apply changes (dotted path, value) to it, all before the check. Raises RecipeError.

    The change `scale` takes a size and comes first, whatever its place; the others are made to the recipe of that size.
    A Recipe, which was built before, is not checked again; neither are its conditions by `resolve`.
    """
    recipe = data if isinstance(data, Recipe) else _validate(Recipe, data)
    changes = [(planned_question.path_today(path), value) for path, value in changes]
    for value in [value for path, value in changes if path == "scale"][-1:]:
        recipe = _with_scale(recipe, value)
    recipe = _scaled(recipe)
    others = [(path, value) for path, value in changes if path != "scale"]
    if others:
        changed = recipe.model_dump(mode="json")
        for path, value in others:
            changed = replaced(changed, path, value)
        recipe = _validate(Recipe, changed)  # at once: two changes may be right only together
    if recipe is not data:
        _ = recipe.by_condition  # every condition is checked
    return recipe


def _with_scale(recipe: Recipe, scale: Any) -> Recipe:
    """The recipe with a scale chosen, but not yet applied."""
    if not recipe.scales and scale != recipe.scale:
        if recipe.scale != FULL:
            text = f"the recipe is of scale {recipe.scale!r} already; take another one from the recipe as shipped"
        else:
            text = f"there is no scale {scale!r}; this recipe has one size only"
        raise RecipeError([("scale", text)])
    return _validate(Recipe, {**recipe.model_dump(mode="json"), "scale": scale})


def _scaled(recipe: Recipe) -> Recipe:
    """The recipe with its scale applied; a taken scale leaves no others to take."""
    if recipe.scale not in recipe.scales:
        return recipe
    data: dict[str, Any] = recipe.model_dump(mode="json")
    for path, value in recipe.scales[recipe.scale].items():
        if path == DESCRIPTION:
            continue
        where = f"scales.{recipe.scale}.{path}"
        if path.split(".")[0] in ("name", "scale", "scales"):
            raise RecipeError([(where, "this is the same at every size; leave it out")])
        try:
            data = replaced(data, planned_question.path_today(path), value)
        except RecipeError as error:
            raise RecipeError([(where, text) for _, text in error.problems]) from None
    # checked, so that what a scale puts in place has all its settings too, for the changes that follow
    return _validate(Recipe, {**data, "scales": {}})


def resolve(recipe: Recipe) -> list[StageSpec]:
    """One spec for each condition × seed × stage, parents before children. Raises RecipeError."""
    specs = []
    corpus = [list(data) for stage in recipe.stages for data in stage.mixtures().values()]
    forms = _forms(recipe)
    for condition, own in recipe.by_condition.items():
        checked = with_most_problems([own.benchmarks, *(stage.benchmarks or [] for stage in own.stages)])
        for seed in own.seeds:
            for stage in parents_first(own.stages):
                specs.append(
                    StageSpec(
                        recipe=own.name,
                        condition=condition,
                        stage=stage.name,
                        seed=seed,
                        parent=stage.after,
                        model=own.model,
                        tokenizer=own.tokenizer,
                        mul_tokens=own.mul_tokens,
                        text=own.text,
                        settings=stage,
                        benchmarks=own.benchmarks if stage.benchmarks is None else stage.benchmarks,
                        forms=forms,
                        checked=checked,
                        corpus=corpus,
                    )
                )
    return specs


def _forms(recipe: Recipe) -> list[TextForm]:
    """How the conditions write an example, each way once, whatever their order."""
    every = [
        TextForm(inject=own.mul_tokens.inject, format=own.text.format) for own in recipe.by_condition.values()
    ]
    return sorted(set(every), key=lambda form: (form.inject, form.format))


def _conditioned(recipe: Recipe, condition: ConditionSettings) -> Recipe:
    data: Any = recipe.model_dump(mode="json")
    for path, value in condition.overrides.items():
        where = f"conditions.{condition.name}.overrides.{path}"
        if path.split(".")[0] in SHARED:
            raise RecipeError([(where, "this is shared by all conditions and cannot be overridden")])
        try:
            data = replaced(data, path, value)
        except RecipeError as error:
            raise RecipeError([(where, text) for _, text in error.problems]) from None
    try:
        return _validate(Recipe, data)
    except RecipeError as error:
        prefix = f"conditions.{condition.name}.overrides"
        raise RecipeError([(f"{prefix}.{path}", text) for path, text in error.problems]) from None


def _validate(model: type[Recipe], data: Any) -> Recipe:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise RecipeError([problem(e, data, model) for e in error.errors(include_url=False)]) from None


__all__ = [
    "STAGES",
    "ConditionSettings",
    "Recipe",
    "RecipeError",
    "RunSpec",
    "StageSpec",
    "build",
    "names",
    "parse_change",
    "read",
    "replaced",
    "resolve",
    "shipped",
]
