"""Drafts: the settings that a launch page starts from: a recipe's or an experiment's, and what a link asks to change."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from django.http import QueryDict

from training.recipes import files, recipe as recipes
from training.recipes.recipe import Recipe, RecipeError
from webapp.experiments.models import Experiment
from webapp.launch import text as recipe_text
from webapp.launch.edited_recipe import EditedRecipe, Original
from webapp.launch.forms import RecipeForm, RecipeText
from webapp.launch.reuse import Fork, refuse_imported
from webapp.launch.text import TextError

LEAST = 3  # seeds that can support a claim about conditions


@dataclass(frozen=True)
class Draft:
    """What the form is filled in with, and where that comes from."""

    name: str  # of the recipe, or of the experiment
    data: dict[str, Any]
    origin: Experiment | None = None
    fork: Fork | None = None
    scale: str = ""  # the size to begin with; empty: as the data have it
    changes: list[tuple[str, Any]] = field(default_factory=list)  # dotted path → value
    problems: list[tuple[str, str]] = field(default_factory=list)  # with what the link asks

    @cached_property
    def original(self) -> Original:
        """What the settings are edited from."""
        return Original(self.data)

    def asked(self, query: QueryDict) -> "Draft":
        """The draft with what a link's query asks: ?scale=tiny&set=stages.grpo.beta=0.1&set=seeds=[0,1,2]."""
        changes, problems = [], []
        for text in query.getlist("set"):
            path, equals, value = text.partition("=")
            try:
                if not equals or not path.strip():
                    raise TextError("write set=path=value, e.g. set=stages.grpo.beta=0.1")
                changes.append((path.strip(), recipe_text.value(value)))
            except TextError as error:
                problems.append(("", f"{text[:200]!r} in the address: {error}"))
        return replace(
            self, scale=query.get("scale", ""), changes=[*self.changes, *changes], problems=problems
        )

    def form(self) -> RecipeForm:
        """The form as it is opened, with what is wrong with the link's wishes. Raises RecipeError for the data's own faults."""
        problems, recipe = list(self.problems), self.original.recipe
        if self.scale:
            try:
                recipe = self.original.of_size(self.scale)
            except RecipeError as error:
                problems += error.problems
        form = self.view(recipe)
        if self.changes:
            form.prefill(self.changes)
        if problems:
            form.refuse(problems)
        return form

    def read(self, posted: QueryDict) -> RecipeForm | RecipeText:
        """What was posted: a text, or the fields of a form. Raises RecipeError, TextError when it is of no form of ours."""
        if "yaml" in posted:
            return RecipeText(str(posted["yaml"]), self.original)
        if "working" in posted:
            working = recipe_text.read(str(posted["working"])).data
            recipe = recipes.build(recipe_text.with_sizes(working, self.original.scales))
        else:
            recipe = self.form().base
        return self.view(recipe, posted)

    def view(self, recipe: Recipe, posted: QueryDict | None = None) -> RecipeForm:
        """The form of settings that were edited from the draft's, with what was posted."""
        opened = self.fork.stage if self.fork else None
        return RecipeForm(EditedRecipe(self.original, recipe), posted, opened=opened)

    def text(self, form: RecipeForm) -> RecipeText:
        """A form's settings as text."""
        return RecipeText(form.text, self.original, recipe=form.base)


@dataclass(frozen=True)
class OwnDraft(Draft):
    """Settings that a person brings as text, and a blank recipe before there are any; nothing in them counts as changed."""

    @cached_property
    def original(self) -> Original:
        """The blank recipe."""
        return Original(self.data, own=True)

    def view(self, recipe: Recipe, posted: QueryDict | None = None) -> RecipeForm:
        """The form of a person's own settings, with what was posted."""
        return RecipeForm(EditedRecipe(Original.brought(recipe), recipe), posted)

    def text(self, form: RecipeForm) -> RecipeText:
        """A form's settings as text; the blank recipe with what it explains."""
        if form.base == self.original.recipe:
            return RecipeText(files.blank_text(), self.original, recipe=form.base)
        return super().text(form)


def own_draft() -> OwnDraft:
    """The draft of a person's own text, which begins with the blank recipe."""
    return OwnDraft("own", dict(recipe_text.read(files.blank_text()).data))


def draft_from(experiment: Experiment, stage: str | None, *, more_seeds: bool = False) -> Draft:
    """The draft of a clone, or of a fork at a stage. Raises RecipeError where the experiment was imported.

    `more_seeds` keeps its seeds, whose stages are reused, and adds as many, but enough for three; several still decide alone.
    """
    refuse_imported(experiment)
    changes: list[tuple[str, Any]] = []
    if more_seeds:
        first = max(experiment.seeds) + 1
        more = range(first, first + max(len(experiment.seeds), LEAST - len(experiment.seeds)))
        changes.append(("seeds", [*experiment.seeds, *more]))
        if len(experiment.seeds) > 1 and (experiment.recipe.get("primary") or {}).get("seeds") is None:
            changes.append(
                ("primary.seeds", len(experiment.seeds))
            )  # they were planned: the verdict stays theirs
    fork = Fork(experiment, stage) if stage is not None else None
    return Draft(
        experiment.name, dict(experiment.recipe), None if fork else experiment, fork, changes=changes
    )
