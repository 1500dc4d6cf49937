"""What a registry's one tuple of settings classes gives: each class by its name, and the union that recipes are checked by."""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Annotated, Any, TypeVar, get_args

from pydantic import Field

from training.settings.base import Settings

Kind = TypeVar("Kind", bound=Settings)


def by_name(tag: str, classes: Iterable[type[Kind]]) -> dict[str, type[Kind]]:
    """Return name → class in the given order; a class's name is the one value of its field `tag`, a Literal.

    Raises TypeError where a class has no such name, or where two have the same one.
    """
    found: dict[str, type[Kind]] = {}
    for one in classes:
        field = one.model_fields.get(tag)
        names = get_args(field.annotation) if field else ()
        if len(names) != 1:
            raise TypeError(f'{one.__name__} has no name; give it the line `{tag}: Literal["<its name>"]`')
        if names[0] in found:
            raise TypeError(f"{one.__name__} and {found[names[0]].__name__} both are called {names[0]!r}")
        found[names[0]] = one
    return found


def union(tag: str, classes: Iterable[type[Settings]]) -> Any:
    """Return the annotation of a setting that is one of the classes, told apart by the field `tag`."""
    return Annotated[reduce(or_, classes), Field(discriminator=tag)]
