"""Which kind of column holds what a row of the journal says, so that files have every column that training records."""

from collections.abc import Mapping
from types import UnionType
from typing import get_args, get_type_hints

KIND_OF: Mapping[object, str] = {
    str: "text", list[str]: "texts", int: "integer", float: "number", dict[str, float]: "numbers",
    list[float]: "figures", bool: "truth", list[bool]: "truths",
}  # fmt: skip


def kinds_of(row: type) -> dict[str, str]:
    """Column → its kind, of the rows that a TypedDict describes. Raises TypeError for a type that is none of KIND_OF."""
    kinds = {}
    for name, annotation in get_type_hints(row).items():  # without NotRequired
        options = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
        (of_value,) = [option for option in options if option is not type(None)]
        if of_value not in KIND_OF:
            raise TypeError(
                f"{row.__name__}.{name} is {of_value}, which no kind of column holds; add it to KIND_OF"
            )
        kinds[name] = KIND_OF[of_value]
    return kinds
