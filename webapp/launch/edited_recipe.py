"""A recipe's settings as they stand and the edits that led to them: what a form and a text are two views of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from training.recipes import recipe as recipes
from training.recipes.recipe import Recipe
from training.settings.errors import LISTED_BY
from webapp.launch import text as recipe_text
from webapp.launch.edits import Edit, applied, edits


class Original:
    """The recipe that settings are edited from; each of its sizes is validated once, when it is first asked for."""

    def __init__(self, data: Mapping[str, Any], *, own: bool = False) -> None:
        """`own`: settings that a person brought, which is the only place where their other sizes are written."""
        self.data, self.own = data, own
        self._sizes: dict[str, Recipe] = {}

    @classmethod
    def brought(cls, recipe: Recipe) -> "Original":
        """A person's own settings: the recipe that they are edited from is themselves."""
        made = cls(recipe.model_dump(mode="json"), own=True)
        made.__dict__["recipe"] = recipe  # checked already
        return made

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe as it is written. Raises RecipeError."""
        return recipes.build(self.data)

    @property
    def title(self) -> str:
        """The title of the recipe as it is written."""
        return str(self.data.get("title", ""))

    @property
    def scales(self) -> dict[str, dict[str, Any]]:
        """The other sizes, as they are written; none where one is taken already."""
        return self.data.get("scales") or {} if self.data.get("scale", recipes.FULL) == recipes.FULL else {}

    def of_size(self, size: str) -> Recipe:
        """The recipe in one of its sizes. Raises RecipeError for a size that it does not have."""
        if size == self.recipe.scale:
            return self.recipe
        if size not in self._sizes:
            self._sizes[size] = recipes.build(self.recipe, [("scale", size)])
        return self._sizes[size]


@dataclass(frozen=True)
class EditedRecipe:
    """Checked settings as they stand, and what they were edited from."""

    original: Original
    recipe: Recipe

    @property
    def pristine(self) -> Recipe:
        """The original in the size of these settings; as it is written where it has no such size."""
        size = self.recipe.scale
        return self.original.of_size(size) if size in self.original.scales else self.original.recipe

    @cached_property
    def edits(self) -> list[Edit]:
        """Every setting that is not as the original has it in this size."""
        before, after = (
            one.model_dump(mode="json", exclude={"scale", "scales"}) for one in (self.pristine, self.recipe)
        )
        return list(edits(before, after))

    @cached_property
    def text(self) -> str:
        """The settings in YAML."""
        return recipe_text.write(self.recipe, sizes=self.original.own)

    def changed(self, changes: Iterable[tuple[str, Any]]) -> "EditedRecipe":
        """With changes (dotted path, value) made, all before they are checked. Raises RecipeError."""
        changes = sorted(changes, key=_renames)  # the other changes go by the old names
        return replace(self, recipe=recipes.build(self.recipe, changes)) if changes else self

    def with_settings(self, data: Mapping[str, Any]) -> "EditedRecipe":
        """Other settings, edited from the same original. Raises RecipeError."""
        return replace(self, recipe=recipes.build(data))

    def resized(self, size: str) -> tuple["EditedRecipe", list[Edit]]:
        """Another size with the edits made to it, and those that have no place there. Raises RecipeError."""
        other = self.original.of_size(size)
        if not self.edits:
            return replace(self, recipe=other), []
        data, lost = applied(other.model_dump(mode="json"), self.edits)
        return self.with_settings(data), lost


def _renames(change: tuple[str, Any]) -> bool:
    return change[0].rpartition(".")[2] in LISTED_BY
