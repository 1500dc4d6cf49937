"""Changes to settings by dotted path, as conditions, scales, the form and --set make them (no torch)."""

from typing import Any

from training.did_you_mean import nearest
from training.settings.errors import RecipeError, item_name
from training.settings.yaml_text import UNREADABLE, DepthError, TwiceError, load_value


def parse_change(text: str) -> tuple[str, Any]:
    """Split `path=value`; the value is read as YAML. Raises RecipeError."""
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise RecipeError([(text, "write --set path=value, e.g. --set stages.pretrain.steps=100")])
    try:
        return path.strip(), load_value(value)
    except (TwiceError, DepthError) as error:
        raise RecipeError([(path.strip(), str(error))]) from None
    except UNREADABLE:
        return path.strip(), value


def replaced(data: Any, path: str, value: Any) -> Any:
    """Return a copy of nested settings with the one at a dotted path replaced. Raises RecipeError.

    Items of a list are found by their name (or benchmark, source, reward), or by position.
    """
    return _replaced(data, path.split("."), value, path)


def _replaced(data: Any, keys: list[str], value: Any, path: str) -> Any:
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if isinstance(data, dict):
        if key == "overrides" and rest:  # the one free mapping: its keys are dotted paths themselves
            return {**data, key: {**data[key], ".".join(rest): value}}
        if key not in data:
            raise RecipeError([(path, f"there is no setting {key!r}{nearest(key, data)}")])
        if key == "reward":  # another reward has other settings; the weight is what all have
            data = {name: data[name] for name in ("reward", "weight") if name in data}
        return {**data, key: _replaced(data[key], rest, value, path)}
    if isinstance(data, list):
        found = [i for i, item in enumerate(data) if key in (item_name(item), str(i))]
        if not found:
            raise RecipeError([(path, f"there is no {key!r}{nearest(key, map(item_name, data))}")])
        return [_replaced(x, rest, value, path) if i == found[0] else x for i, x in enumerate(data)]
    raise RecipeError([(path, f"nothing lies below a single value, so {key!r} matches nothing")])
