"""Recipes as they are written: those that are shipped, and YAML files (no torch)."""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from training.did_you_mean import nearest
from training.settings.changes import UNREADABLE
from training.settings.errors import RecipeError

RECIPES = Path(__file__).parent / "shipped"
Loader = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # libyaml's, ten times as fast, where PyYAML was built with it


def names() -> list[str]:
    """Names of the shipped recipes."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def shipped(name: str) -> dict[str, Any]:
    """Return a shipped recipe as written; never another file, whatever the name. Raises RecipeError."""
    if name not in names():
        raise RecipeError([("recipe", f"there is no recipe {name!r}{nearest(name, names())}")])
    return _read(RECIPES / f"{name}.yaml", name)


def blank_text() -> str:
    """A small recipe that says what each part of it is: what a person's own begins with."""
    return (RECIPES.parent / "blank.yaml").read_text(encoding="utf-8")


def read(name: str) -> dict[str, Any]:
    """Return a shipped recipe, or one from a YAML file, as written. Raises RecipeError."""
    return _read(Path(name), name) if name.endswith((".yaml", ".yml")) else shipped(name)


def _read(path: Path, name: str) -> dict[str, Any]:
    try:
        data = _loaded(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            [("recipe", f"cannot read {name} ({_why(error)}); give a text file in YAML")]
        ) from None
    except TwiceError as error:
        raise RecipeError([("recipe", f"{name}: {error}")]) from None
    except UNREADABLE as error:
        raise RecipeError([("recipe", f"{name} is not YAML: {error}".replace("\n", " "))]) from None
    if not isinstance(data, dict):
        raise RecipeError([("recipe", f"{name} holds no mapping of settings")])
    return data


class TwiceError(ValueError):
    """A mapping has a key twice, of which PyYAML would keep the last."""


def _loaded(text: str) -> Any:
    """What the YAML says. Raises TwiceError and what UNREADABLE names."""
    loader = Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _check_keys(root)
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _check_keys(root: yaml.Node) -> None:
    nodes, seen = [root], set[int]()
    while nodes:
        node = nodes.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            written = Counter((key.tag, key.value) for key in keys)
            for key in keys[::-1]:
                if written[key.tag, key.value] > 1:
                    line = key.start_mark.line + 1
                    raise TwiceError(
                        f"{key.value!r} is written twice, the second time in line {line}; keep one"
                    )
            nodes += [value for _, value in node.value]


def _why(error: OSError | UnicodeDecodeError) -> str:
    return str(error.strerror) if isinstance(error, OSError) else error.reason
