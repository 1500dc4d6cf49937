"""A recipe as a form or as text: what was entered is read, checked, and shown again beside what the recipe has."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from django.http import QueryDict

from training.recipes import recipe as recipes
from training.recipes.recipe import Recipe, RecipeError
from webapp.launch import fields, text as recipe_text
from webapp.launch.edited_recipe import EditedRecipe, Original
from webapp.launch.edits import Edit
from webapp.launch.entered_text import parsed
from webapp.launch.fields import Field, FieldGroup
from webapp.launch.text import TextError


class RecipeForm:
    """The form of edited settings; `recipe` is set when what was posted can be launched, and is what then is shown."""

    as_text = False

    def __init__(
        self,
        settings: Mapping[str, Any] | EditedRecipe,
        posted: QueryDict | None = None,
        *,
        opened: str | None = None,
    ) -> None:
        """Make the form of settings with one stage unfolded, and read what was posted.

        A mapping is a recipe in which nothing is edited yet. Raises RecipeError when it is none.
        """
        if not isinstance(settings, EditedRecipe):
            original = Original(settings)
            settings = EditedRecipe(original, original.recipe)
        self.opened = opened
        self.problems: list[tuple[str, str]] = []  # (where: id of a field or group, or "", what)
        self.lost: list[Edit] = []  # what was changed and has no place in the size that was chosen
        self.rows: list[str] = []  # settings that conditions are to differ in, beside those that they do
        self.sweep: list[
            tuple[str, str]
        ] = []  # settings with values, as they were written and not yet made conditions
        self.cells: list[str] = []  # what was posted for one setting of one condition, by field name
        self.recipe: Recipe | None = None
        self._show(settings)
        if posted is not None:
            self.rows = posted.getlist("row")
            self.cells = [name for name in posted if ".overrides." in name]
            self._read(posted)

    def refuse(self, problems: Iterable[tuple[str, str]]) -> None:
        """Show problems (dotted path, what to do) beside their fields, or at the top where there is none."""
        self.recipe = None
        for path, text in problems:
            place = self._place(path)
            if place is None:
                self.problems.append(("", f"{path}: {text}" if path else text))
            elif cell := next((name for name in self.cells if f"{path}.".startswith(f"{name}.")), None):
                self.problems.append((cell, text))
            else:
                place.errors.append(text)
                self.problems.append((place.path, text))

    def prefill(self, changes: list[tuple[str, Any]]) -> None:
        """Make changes as if a person had entered them; those that cannot be are shown with what is wrong."""
        try:
            self._show(self.edited.changed(changes))
        except RecipeError as error:
            by_path = {one.path: one for one in self._entries()}
            for path, value in changes:
                if path in by_path:
                    by_path[path].value = fields.shown(value, by_path[path].kind)
            self.refuse(error.problems)

    def replace(self, data: Mapping[str, Any]) -> None:
        """Show other settings of the same recipe. Raises RecipeError."""
        self._show(self.edited.with_settings(data))
        self.recipe = self.base

    @property
    def base(self) -> Recipe:
        """The settings that are shown."""
        return self.edited.recipe

    @property
    def changes(self) -> list[Edit]:
        """What is not as the recipe has it."""
        return self.edited.edits

    @property
    def first_changed(self) -> str:
        """Path of the first field that is not as the recipe has it; of a condition's that of all; empty where there is none."""
        path = next((one.path for one in self.fields() if one.changed), "")
        return "conditions" if path.startswith("conditions.") else path

    @property
    def text(self) -> str:
        """The settings as they are shown, in YAML: what the next post is compared with."""
        return self.edited.text

    @cached_property
    def groups(self) -> list[FieldGroup]:
        """The fields in their groups, each beside what the recipe has."""
        pristine = fields.groups(self.edited.pristine)
        was = {one.path: one.value for group in pristine for one in group.every_field()}
        for one in self._entries():
            one.was = None if one.path == "scale" else was.get(one.path)
        return self._groups

    def fields(self) -> Iterator[Field]:
        """Every field."""
        for group in self.groups:
            yield from group.every_field()

    def _entries(self) -> Iterator[Field]:
        """Every field, maybe not yet beside what the recipe has: to read a post takes the settings shown alone."""
        for group in self._groups:
            yield from group.every_field()

    @cached_property
    def _groups(self) -> list[FieldGroup]:
        original = self.edited.original
        sizes = fields.sizes(original.title, original.scales)
        groups = list(fields.groups(self.base, sizes, fields.descriptions(original.scales)))
        for group in (group for top in groups for group in top.every_group()):
            group.opened = group.path == f"stages.{self.opened}"
        return groups

    def _show(self, edited: EditedRecipe) -> None:
        self.edited = edited
        for made in ("groups", "_groups"):  # of what was shown before
            self.__dict__.pop(made, None)

    def _read(self, posted: QueryDict) -> None:
        changes: list[tuple[str, Any]] = []
        problems: list[tuple[str, str]] = []
        size = self.base.scale
        for one in self._entries():
            text = _entered(one, posted)
            if text.replace("\r\n", "\n") == one.value:
                continue
            one.value = text
            if one.path == "scale":
                size = text
                continue
            try:
                changes.append((one.path, parsed(one, text)))
            except ValueError as error:
                problems.append((one.path, str(error)))
        if problems:
            self.refuse(problems)
            return
        try:
            edited = self.edited.changed(changes)
            if size != edited.recipe.scale:
                edited, self.lost = edited.resized(size)
        except RecipeError as error:
            self.refuse(error.problems)
        else:
            self.recipe = edited.recipe
            if edited is not self.edited:
                self._show(edited)

    def _place(self, path: str) -> Field | FieldGroup | None:
        """The field of a path, or the nearest field or group above it."""
        places: dict[str, Field | FieldGroup] = {}
        for group in self._groups:
            places |= {g.path: g for g in group.every_group() if g.path}
        places |= {f.path: f for f in self._entries()}
        keys = path.split(".")
        above = (".".join(keys[:length]) for length in range(len(keys), 0, -1))
        return next((places[p] for p in above if p in places), None)


class RecipeText:
    """Edited settings as YAML text; `recipe` is set when it can be launched."""

    as_text = True

    def __init__(self, text: str, original: Original, *, recipe: Recipe | None = None) -> None:
        """Read a text of settings that were edited from a recipe, which brings the other sizes.

        `recipe` is what the text says, where that is known: then it is not checked again.
        """
        self.text = text.replace("\r\n", "\n")
        self.original = original
        self.problems: list[tuple[str, str]] = []
        self.marks: list[tuple[int, str, str]] = []  # (line, dotted path, what is wrong)
        self.lost: list[Edit] = []
        self.recipe = recipe
        self._read = recipe_text.ParsedText({})
        try:
            self._read = recipe_text.read(self.text)
            if recipe is None:
                self.recipe = recipes.build(recipe_text.with_sizes(self._read.data, original.scales))
        except TextError as error:
            self.problems.append(("", str(error)))
            self.marks.append((error.line, "", str(error)))
        except RecipeError as error:
            self.refuse(error.problems)

    def refuse(self, problems: Iterable[tuple[str, str]]) -> None:
        """Show problems at their lines."""
        self.recipe = None
        for path, text in problems:
            self.problems.append((path, text))
            self.marks.append((self._read.line(path) if path else 0, path, text))

    @property
    def edited(self) -> EditedRecipe:
        """What the text says; the recipe as it is written while it says nothing that can be launched."""
        original = Original.brought(self.recipe) if self.original.own and self.recipe else self.original
        return EditedRecipe(original, self.recipe or original.recipe)

    @property
    def base(self) -> Recipe:
        """What the page's title and sizes come from."""
        return self.edited.recipe

    @property
    def lines(self) -> range:
        """The numbers of the lines."""
        return range(1, self.text.count("\n") + 2)

    @property
    def rows(self) -> int:
        """Lines that its box shows: all, and some to write on."""
        return len(self.lines) + 3

    @property
    def first_wrong(self) -> int:
        """The first line in which something is wrong; 0: none in particular."""
        return min((line for line, _, _ in self.marks if line), default=0)

    @property
    def changes(self) -> list[Edit]:
        """What is not as the recipe has it."""
        return self.edited.edits


def _entered(one: Field, posted: QueryDict) -> str:
    """What was posted for a field; a condition's overrides come in one text, or each on its own."""
    if one.path in posted:
        return posted.getlist(one.path)[-1].strip()
    if one.kind == "overrides":
        below = {name: posted.getlist(name)[-1].strip() for name in posted if name.startswith(f"{one.path}.")}
        if below:
            start = len(one.path) + 1
            return "\n".join(f"{name[start:]} = {text}" for name, text in below.items() if text)
    return one.value
