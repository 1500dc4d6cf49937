"""Edits: how one recipe's settings differ from another's, item by item, and the same edits made to a third."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from training.recipes.recipe import RecipeError, replaced
from training.settings.errors import TAGS, item_name


@dataclass(frozen=True)
class Edit:
    """One setting that is another, or one item of a list that came or went."""

    path: str
    action: Literal["set", "add", "remove"]
    value: Any = None

    def __str__(self) -> str:
        """In a line: stages.grpo.beta = 0.1."""
        if self.action == "remove":
            return f"{self.path} removed"
        if self.action == "add":
            return f"{self.path} added"
        return f"{self.path} = {flow(self.value)}"


def flow(value: Any) -> str:
    """YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def edits(before: Any, after: Any, path: str = "") -> Iterator[Edit]:
    """What was done to get from one set of settings (as JSON has them) to another."""
    if before == after:
        return
    if (
        isinstance(before, dict)
        and isinstance(after, dict)
        and (path.endswith(".overrides") or _alike(before, after))
    ):
        for key in [*before, *(key for key in after if key not in before)]:
            below = f"{path}.{key}" if path else key
            if key not in after:
                yield Edit(below, "remove")
            elif key not in before:
                yield Edit(below, "set", after[key])
            else:
                yield from edits(before[key], after[key], below)
        return
    olds, news = _by_name(before), _by_name(after)
    if olds is None or news is None:
        yield Edit(path, "set", after)
        return
    if [name for name in olds if name in news] != [name for name in news if name in olds]:
        yield Edit(path, "set", after)  # another order: of conditions, the baseline is another one
        return
    for name in [name for name in olds if name not in news]:
        yield Edit(f"{path}.{name}", "remove")
    for name, item in news.items():
        if name in olds:
            yield from edits(olds[name], item, f"{path}.{name}")
        else:
            yield Edit(f"{path}.{name}", "add", item)


def applied(data: dict[str, Any], made: Iterable[Edit]) -> tuple[dict[str, Any], list[Edit]]:
    """Settings with edits made to them, and those that found no place there."""
    lost = []
    for edit in made:
        try:
            data = _applied(data, edit)
        except RecipeError:
            lost.append(edit)
    return data, lost


def _applied(data: dict[str, Any], edit: Edit) -> dict[str, Any]:
    if edit.action == "set":
        return replaced(data, edit.path, edit.value)  # type: ignore[no-any-return]
    head, found, rest = edit.path.partition(".overrides.")
    if found and edit.action == "remove":
        overrides = _at(data, f"{head}.overrides")
        return replaced(data, f"{head}.overrides", {k: v for k, v in overrides.items() if k != rest})  # type: ignore[no-any-return]
    above, _, name = edit.path.rpartition(".")
    items = _at(data, above)
    if not isinstance(items, list):
        raise RecipeError([(above, "is no list here")])
    left = [item for item in items if item_name(item) != name]
    if edit.action == "remove" and len(left) == len(items):
        raise RecipeError([(edit.path, "is not there")])
    return replaced(data, above, [*left, edit.value] if edit.action == "add" else left)  # type: ignore[no-any-return]


def _at(data: Any, path: str) -> Any:
    """The settings at a dotted path. Raises RecipeError."""
    for key in path.split("."):
        if isinstance(data, list):
            data = {item_name(item): item for item in data}
        if not isinstance(data, dict) or key not in data:
            raise RecipeError([(path, "is not there")])
        data = data[key]
    return data


def _alike(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Settings of one class: the same names, and the same kind."""
    return before.keys() == after.keys() and all(before.get(tag) == after.get(tag) for tag in TAGS)


def _by_name(items: Any) -> dict[str, Any] | None:
    """The items of a list by their names; None where that is no list of named items."""
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return None
    named = {item_name(item): item for item in items}
    return named if len(named) == len(items) and "" not in named else None
