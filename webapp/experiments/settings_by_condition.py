"""Every setting of an experiment by its dotted path, as each condition has it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from training.settings.changes import replaced
from training.settings.errors import RecipeError, item_name

# Who it is and what it asks is told elsewhere; conditions are the columns, scales were chosen from.
LEFT_OUT = frozenset({"name", "title", "question", "prediction", "conditions", "scales"})


def by_condition(recipe: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Condition → dotted path → value, as stored: an old recipe need not be valid any more."""
    found = {}
    for condition in recipe.get("conditions", []):
        data: Any = dict(recipe)
        unknown = {}
        for path, value in condition.get("overrides", {}).items():
            try:
                data = replaced(data, path, value)
            except RecipeError:
                unknown[path] = _shown(value)
        flat = {
            path: value
            for key, part in data.items()
            if key not in LEFT_OUT
            for path, value in _flattened(part, key)
        }
        found[condition["name"]] = flat | unknown
    return found


def _flattened(data: Any, path: str) -> Iterator[tuple[str, str]]:
    """Single values by dotted path; items of a list by their name, where each has one of its own."""
    if isinstance(data, dict) and data:
        for key, part in data.items():
            yield from _flattened(part, f"{path}.{key}")
    elif isinstance(data, list) and data and all(isinstance(one, dict) for one in data):
        names = [item_name(one) or str(place) for place, one in enumerate(data)]
        for place, one in enumerate(data):
            name = names[place] if names.count(names[place]) == 1 else str(place)
            yield from _flattened(one, f"{path}.{name}")
    else:
        yield path, _shown(data)


def _shown(value: Any) -> str:
    """A value as a recipe writes it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and not any(isinstance(one, dict | list) for one in value):
        return ", ".join(map(_shown, value)) or "[]"
    return json.dumps(value, ensure_ascii=False)
