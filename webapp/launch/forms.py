"""A recipe as a form or as text: what was entered is read, checked, and shown again beside what the recipe has."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.http import QueryDict

from training.recipes import recipe as recipes
from training.recipes.recipe import Recipe, RecipeError
from training.settings.errors import LISTED_BY
from webapp.launch import fields, text as recipe_text
from webapp.launch.edits import Edit, applied, edits
from webapp.launch.fields import Field, Group, parsed
from webapp.launch.text import TextError


class RecipeForm:
    """The form of one recipe; `recipe` is set when what was posted can be launched, and is what then is shown."""

    as_text = False

    def __init__(
        self,
        data: Mapping[str, Any],
        posted: QueryDict | None = None,
        *,
        opened: str | None = None,
        shipped: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the form of a recipe with one stage unfolded, and read what was posted. Raises RecipeError.

        `shipped` is what the settings are compared with, and where other sizes come from; none: `data`.
        """
        self.opened = opened
        self.shipped = recipes.build(data if shipped is None else shipped)
        self.problems: list[tuple[str, str]] = []  # (where: id of a field or group, or "", what)
        self.lost: list[Edit] = []  # what was changed and has no place in the size that was chosen
        self.rows: list[str] = []  # settings that conditions are to differ in, beside those that they do
        self.recipe: Recipe | None = None
        self._show(recipes.build(data))
        if posted is not None:
            self.rows = posted.getlist("row")
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

    def prefill(self, changes: list[tuple[str, Any]]) -> None:
        """Make changes as if a person had entered them; those that cannot be are shown with what is wrong."""
        try:
            self._show(recipes.build(self.base.model_dump(mode="json"), _names_last(changes)))
        except RecipeError as error:
            by_path = {one.path: one for one in self.fields()}
            for path, value in changes:
                if path in by_path:
                    by_path[path].value = fields.shown(value, by_path[path].kind)
            self.refuse(error.problems)

    def replace(self, data: Mapping[str, Any]) -> None:
        """Show other settings of the same recipe. Raises RecipeError."""
        self._show(recipes.build(data))
        self.recipe = self.base

    @property
    def sizes(self) -> list[tuple[str, str]]:
        """The sizes that can be chosen."""
        return fields.sizes_of(self.shipped)

    @property
    def changes(self) -> list[Edit]:
        """What is not as the recipe has it."""
        return _changes(self.pristine, self.base)

    @property
    def text(self) -> str:
        """The settings as they are shown, in YAML: what the next post is compared with."""
        return recipe_text.write(self.base)

    def fields(self) -> Iterator[Field]:
        """Every field."""
        for group in self.groups:
            yield from group.every_field()

    def _show(self, recipe: Recipe) -> None:
        self.base, self.pristine = recipe, _of_size(self.shipped, recipe.scale)
        self.groups = list(fields.groups(recipe, self.sizes))
        was = {one.path: one.value for group in fields.groups(self.pristine) for one in group.every_field()}
        for one in self.fields():
            one.was = None if one.path == "scale" else was.get(one.path)
        for group in (group for top in self.groups for group in top.every_group()):
            group.opened = group.path == f"stages.{self.opened}"

    def _read(self, posted: QueryDict) -> None:
        changes: list[tuple[str, Any]] = []
        problems: list[tuple[str, str]] = []
        size = self.base.scale
        for one in self.fields():
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
            self.recipe = recipes.build(self.base.model_dump(mode="json"), _names_last(changes))
            if size != self.base.scale:
                self.recipe = self._resized(self.recipe, size)
        except RecipeError as error:
            self.refuse(error.problems)
        else:
            self._show(self.recipe)

    def _resized(self, recipe: Recipe, size: str) -> Recipe:
        """The recipe of another size with what a person changed. Raises RecipeError."""
        other = recipes.build(self.shipped.model_dump(mode="json"), [("scale", size)])
        data, self.lost = applied(other.model_dump(mode="json"), _changes(self.pristine, recipe))
        return recipes.build(data)

    def _place(self, path: str) -> Field | Group | None:
        """The field of a path, or the nearest field or group above it."""
        places: dict[str, Field | Group] = {}
        for group in self.groups:
            places |= {g.path: g for g in group.every_group() if g.path}
        places |= {f.path: f for f in self.fields()}
        keys = path.split(".")
        above = (".".join(keys[:length]) for length in range(len(keys), 0, -1))
        return next((places[p] for p in above if p in places), None)


class RecipeText:
    """One recipe as YAML text; `recipe` is set when it can be launched."""

    as_text = True

    def __init__(self, text: str, *, shipped: Mapping[str, Any]) -> None:
        """Read a text; `shipped` is where other sizes come from."""
        self.text = text.replace("\r\n", "\n")
        self.shipped = recipes.build(shipped)
        self.problems: list[tuple[str, str]] = []
        self.marks: list[tuple[int, str, str]] = []  # (line, dotted path, what is wrong)
        self.lost: list[Edit] = []
        self.recipe: Recipe | None = None
        self._read = recipe_text.Text({})
        try:
            self._read = recipe_text.read(self.text)
            self.recipe = recipes.build(recipe_text.with_sizes(self._read.data, self.shipped.scales))
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
    def base(self) -> Recipe:
        """What the page's title and sizes come from."""
        return self.recipe or self.shipped

    @property
    def lines(self) -> range:
        """The numbers of the lines."""
        return range(1, self.text.count("\n") + 2)

    @property
    def changes(self) -> list[Edit]:
        """What is not as the recipe has it."""
        return _changes(_of_size(self.shipped, self.base.scale), self.base)


def _of_size(shipped: Recipe, size: str) -> Recipe:
    """A recipe of one of its sizes; of a size that it does not know, it stays as it is."""
    if size == shipped.scale or size not in shipped.scales:
        return shipped
    return recipes.build(shipped.model_dump(mode="json"), [("scale", size)])


def _changes(before: Recipe, after: Recipe) -> list[Edit]:
    without = {"scale", "scales"}
    return list(
        edits(before.model_dump(mode="json", exclude=without), after.model_dump(mode="json", exclude=without))
    )


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


def _names_last(changes: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Renaming comes last: the other changes go by the old names."""
    return sorted(changes, key=lambda change: change[0].rpartition(".")[2] in LISTED_BY)
