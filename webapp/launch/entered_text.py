"""What the text that is entered in a field stands for."""

import re
from typing import Any

from webapp.launch import text as recipe_text
from webapp.launch.fields import Field


def parsed(one: Field, text: str) -> Any:
    """The value that a field's text stands for; what is no number stays text, so that the schema refuses it.

    Raises ValueError for lines of overrides that are not `path = value`.
    """
    if not text and one.optional:
        return None
    match one.kind:
        case "int" | "float":
            return _number(text)
        case "bool":
            return text == "true"
        case "list":
            return [_number(part.strip()) for part in text.split(",") if part.strip()]
        case "yaml":
            return _yaml(text)
        case "overrides":
            return dict(_override(line) for line in text.splitlines() if line.strip())
    return text


THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")  # 12,000; in 0,001 the comma is no such


def _number(text: str) -> Any:
    plain = text.replace(",", "") if THOUSANDS.fullmatch(text.strip()) else text
    for read in (int, float):
        try:
            return read(plain)
        except ValueError:
            continue
    return text


def _yaml(text: str) -> Any:
    try:
        return recipe_text.value(text)
    except ValueError:
        raise ValueError("cannot be read; write it as YAML, e.g. [a, b] or {name: value}") from None


def _override(line: str) -> tuple[str, Any]:
    path, equals, value = line.partition("=")
    if not equals or not path.strip() or not value.strip():
        raise ValueError(f"write one setting a line as path = value, not {line.strip()!r}")
    return path.strip(), _yaml(value)
