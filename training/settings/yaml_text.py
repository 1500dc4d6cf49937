"""YAML as people write it: nothing that is written is lost without a word (no torch)."""

from collections import Counter
from typing import Any

import yaml

DEEPEST = 50  # brackets or indentations within each other; both of PyYAML's loaders go down by recursion
Loader = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # libyaml's, ten times as fast, where PyYAML was built with it

# What PyYAML raises: its own, and ValueError for 2024-13-45 and numbers of thousands of digits, others for !!bool x.
UNREADABLE = (yaml.YAMLError, ValueError, LookupError, AttributeError)


class TwiceError(ValueError):
    """A mapping has a key twice, of which PyYAML would keep the last."""


class DepthError(ValueError):
    """Brackets or indentations lie deeper than any settings."""


def load(text: str, loader: Any = Loader) -> Any:
    """What the text says. Raises TwiceError and DepthError, which name the line, and what UNREADABLE names."""
    reading = loader(text)
    try:
        root = _root(text, reading)
        return None if root is None else reading.construct_document(root)
    finally:
        reading.dispose()


def load_value(text: str) -> Any:
    """One setting's value: as `load`, but ` #` in a value without quotes belongs to it and begins no comment."""
    reading = yaml.SafeLoader(text)
    try:
        root = _root(text, reading)
        if swallows(root, text):
            return text.strip()
        return None if root is None else reading.construct_document(root)  # type: ignore[no-untyped-call]
    finally:
        reading.dispose()  # type: ignore[no-untyped-call]


def swallows(root: yaml.Node | None, text: str) -> bool:
    """Whether a single value without quotes is followed by what YAML takes for a comment. Marks of SafeLoader only."""
    if root is None:
        return bool(text.strip())
    plain = isinstance(root, yaml.ScalarNode) and root.style is None
    return plain and bool(text[root.end_mark.index :].strip())


def check_depth(text: str, loader: Any = Loader) -> None:
    """Raise DepthError where the text goes deeper than DEEPEST; its events come without recursion."""
    depth = 0
    for event in yaml.parse(text, loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                line = event.start_mark.line + 1 if event.start_mark else 0
                raise DepthError(f"line {line} lies too deep in brackets or indentation")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _root(text: str, reading: Any) -> Any:
    check_depth(text, type(reading))
    root = reading.get_single_node()
    if root is not None:
        _check_keys(root)
    return root


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
                    same = [one for one in keys if (one.tag, one.value) == (key.tag, key.value)]
                    first, last = same[0].start_mark.line + 1, same[-1].start_mark.line + 1
                    where = f"in line {first}" if first == last else f"in line {first} and in line {last}"
                    raise TwiceError(f"{key.value!r} is written twice, {where}; keep one")
            nodes += [value for _, value in node.value]
