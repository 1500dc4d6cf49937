"""A recipe as YAML text: written without what goes without saying, and read safely, with the line of every setting."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import yaml

from training.recipes.recipe import FULL, Recipe
from training.settings.base import Settings
from training.settings.errors import LISTED_BY, TAGS
from training.settings.yaml_text import UNREADABLE, swallows
from webapp.launch.syntax import in_words

MOST_BYTES = 200_000  # the longest shipped recipe has 9,000
MOST_NODES = 20_000  # aliases counted as often as they are used, so that few lines cannot fill the memory
DEEPEST = 30
CORE = {
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map", "merge")
}


class TextError(ValueError):
    """A text that is no YAML of settings; `line` counts from 1, 0: none in particular."""

    def __init__(self, text: str, line: int = 0) -> None:
        self.line = line
        super().__init__(text)


@dataclass
class ParsedText:
    """What a text says, and where."""

    data: dict[str, Any]
    lines: dict[str, int] = field(default_factory=dict)  # dotted path, items by name → line from 1

    def line(self, path: str) -> int:
        """The line of a setting, else of the nearest one above it; 1 where there is none."""
        keys = path.split(".")
        above = (".".join(keys[:length]) for length in range(len(keys), 0, -1))
        return next((self.lines[one] for one in above if one in self.lines), 1)


class _Loader(yaml.SafeLoader):
    """Plain data only; dates stay text."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag in CORE]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse what lies so deep that reading it would exhaust the stack."""
        if self.depth > DEEPEST:
            raise _at(self.peek_event(), "lies too deep in brackets or indentation")  # type: ignore[no-untyped-call]
        self.depth += 1
        try:
            return super().compose_node(parent, index)  # type: ignore[no-untyped-call]
        finally:
            self.depth -= 1


class _Dumper(yaml.SafeDumper):
    """Writes equal parts out each time: no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Always."""
        return True


def _str(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    """Long prose is folded over lines."""
    style = ">" if len(text) > 100 and "\n" not in text and text == text.strip() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.Node:
    """Lists of single values on one line."""
    single = all(not isinstance(item, list | dict) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=single)


_Dumper.add_representer(str, _str)
_Dumper.add_representer(list, _list)


def write(recipe: Recipe, *, sizes: bool = False) -> str:
    """A recipe in YAML: every setting that is not as the schema has it; the other sizes where they are asked for."""
    data = _spoken(recipe)
    if not sizes:
        data.pop("scales", None)
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _spoken(settings: Settings) -> dict[str, Any]:
    """Settings that differ from their defaults, and those that say which class it is."""
    dumped, spoken = settings.model_dump(mode="json"), {}
    for key, info in type(settings).model_fields.items():
        value = getattr(settings, key)
        if (
            key in TAGS
            or key == "after"
            or info.is_required()
            or value != info.get_default(call_default_factory=True)
        ):
            spoken[key] = _spoken_value(value, dumped[key])
    return spoken


def _spoken_value(value: Any, dumped: Any) -> Any:
    if isinstance(value, Settings):
        return _spoken(value)
    if isinstance(value, list | tuple) and any(isinstance(item, Settings) for item in value):
        return [_spoken_value(item, one) for item, one in zip(value, dumped, strict=True)]
    return dumped


def read(text: str) -> ParsedText:
    """What a text of a recipe says. Raises TextError with what to do."""
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise TextError(f"the text is longer than {MOST_BYTES // 1000} kB; a recipe needs a tenth of that")
    found = ParsedText({})
    data = _read(text, found.lines)
    if not isinstance(data, dict):
        raise TextError("holds no mapping of settings; begin with name: …", 1)
    found.data = data
    return found


def value(text: str) -> Any:
    """One setting's value, written in YAML. Raises TextError."""
    if len(text) > MOST_BYTES:
        raise TextError("is too long")
    return _read(text, {}, single=True)


def with_sizes(data: dict[str, Any], scales: dict[str, Any]) -> dict[str, Any]:
    """A text leaves the other sizes out: what is of full size still comes in them."""
    full = data.get("scale", FULL) == FULL and "scales" not in data
    return {**data, "scales": scales} if full and scales else data


def _read(text: str, lines: dict[str, int], *, single: bool = False) -> Any:
    """`single`: one value, to which ` #` without quotes belongs: a person who fills in a field means no comment."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if single and swallows(node, text):
            return text.strip()
        if node is None:
            return None
        _measure(node, {}, 0)
        for path, line in _places(loader, node, ""):
            lines.setdefault(path, line)
        return loader.construct_document(node)  # type: ignore[no-untyped-call]
    except yaml.MarkedYAMLError as error:
        what, line = in_words(error)
        raise TextError(f"this is no YAML yet: {what}", line) from None
    except yaml.YAMLError as error:
        raise TextError(f"this is no YAML: {str(error).splitlines()[0]}") from None


def _at(where: Any, text: str) -> TextError:
    return TextError(text, where.start_mark.line + 1)


def _measure(node: yaml.Node, known: dict[int, tuple[int, int]], depth: int) -> tuple[int, int]:
    """(nodes, height) of a tree with its aliases written out. Raises TextError for what is too large, or holds itself."""
    if id(node) not in known:
        if depth > DEEPEST:
            raise _at(node, "lies too deep in brackets or indentation, or holds itself")
        below = []
        if isinstance(node, yaml.SequenceNode):
            below = list(node.value)
        elif isinstance(node, yaml.MappingNode):
            below = [one for pair in node.value for one in pair]
        sizes = [_measure(one, known, depth + 1) for one in below]
        known[id(node)] = (
            1 + sum(size for size, _ in sizes),
            1 + max((height for _, height in sizes), default=0),
        )
    size, height = known[id(node)]
    if size > MOST_NODES or depth + height > DEEPEST + 2:
        raise _at(node, f"has more than {MOST_NODES:,} parts, or lies too deep; write less of it")
    return size, height


def _places(loader: _Loader, node: yaml.Node, path: str) -> Iterator[tuple[str, int]]:
    """The line of every setting, as errors name it. Raises TextError for what no setting can be."""
    if node.tag not in CORE:
        raise _at(
            node,
            f"there are no values with the tag {node.tag.rpartition(':')[2]!r} in a recipe; leave it out",
        )
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, below in node.value:
            name = str(_scalar(loader, key))
            if name in seen:
                raise _at(key, f"{name!r} is written twice; keep one")
            seen.add(name)
            where = f"{path}.{name}" if path else name
            yield where, key.start_mark.line + 1
            yield from _places(loader, below, where)
    elif isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            where = f"{path}.{_name(item) or i}"
            yield where, item.start_mark.line + 1
            yield from _places(loader, item, where)
    else:
        _scalar(loader, node)


def _name(item: yaml.Node) -> str:
    """What a dotted path calls an item of a list."""
    if not isinstance(item, yaml.MappingNode):
        return ""
    texts = {key.value: one.value for key, one in item.value if isinstance(one, yaml.ScalarNode)}
    return next((str(texts[key]) for key in LISTED_BY if key in texts), "")


def _scalar(loader: _Loader, node: yaml.Node) -> Any:
    """A single value. Raises TextError for what the database could not hold."""
    if not isinstance(node, yaml.ScalarNode):
        raise _at(node, "a setting's name is a single word")
    try:
        value = (
            loader.construct_object(node) if node.tag in CORE - {"tag:yaml.org,2002:merge"} else node.value
        )  # type: ignore[no-untyped-call]
        str(value).encode()
    except UNREADABLE:
        raise _at(node, "this value cannot be read; is it a number, or a text in quotes?") from None
    if isinstance(value, float) and not isfinite(value):
        raise _at(node, "this is no finite number")
    if "\x00" in str(value):
        raise _at(node, "this text holds a character that cannot be stored")
    return value
