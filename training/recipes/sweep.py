"""A sweep: several values of a setting, or of several, each combination a condition of one experiment (no torch)."""

import re
from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

from training.recipes.recipe import Recipe, build
from training.settings.errors import RecipeError
from training.settings.yaml_text import UNREADABLE, load

MOST = 24  # conditions of a sweep
LONGEST = 40  # characters of a condition's name
Values = tuple[str, list[Any]]  # path of a setting, its values


def parse_sweep(text: str) -> Values:
    """Split `path=value,value,…`; the values are read as YAML. Raises RecipeError."""
    path, equals, written = (part.strip() for part in text.partition("="))
    if not equals or not path:
        raise RecipeError(
            [("conditions", "write a sweep as path=value,value, e.g. stages.grpo.beta=0.02,0.1")]
        )
    try:
        values = load(f"[{written}]")
    except UNREADABLE:
        raise RecipeError([(path, f"{written!r} is no list of values; separate them by commas")]) from None
    if len(values) > MOST:
        raise RecipeError(
            [(path, f"{len(values):,} values are as many conditions; a sweep has {MOST} at most")]
        )
    if len(values) < 2:
        raise RecipeError([(path, "a sweep has two values or more; set a single one as it is")])
    if any(one in values[:place] for place, one in enumerate(values)):
        raise RecipeError([(path, f"{written!r} has a value twice; list each once")])
    return path, values


def swept(recipe: Recipe, values: Sequence[Values]) -> Recipe:
    """The recipe with a condition for each combination of values, in place of its own conditions.

    Each starts from the overrides of the recipe's first condition; the first combination is the baseline that the others
    are compared with. Question and prediction were about the recipe's own conditions, so the question names the sweep
    and there is no prediction. Raises RecipeError.
    """
    paths = [path for path, _ in values]
    if twice := next((path for place, path in enumerate(paths) if path in paths[:place]), ""):
        raise RecipeError([(twice, "is swept twice; list all of its values once")])
    if (count := prod(len(of) for _, of in values)) > MOST:
        text = (
            f"{count:,} combinations are as many conditions; a sweep has {MOST} at most, so list fewer values"
        )
        raise RecipeError([(paths[-1], text)])
    combinations = list(product(*(of for _, of in values)))
    first = recipe.conditions[0]
    names = list(_names(paths, combinations))
    conditions = [
        {"name": name, "overrides": {**first.overrides, **dict(zip(paths, combination, strict=True))}}
        for name, combination in zip(names, combinations, strict=True)
    ]
    listed = "; ".join(f"{path} = {', '.join(map(_written, of))}" for path, of in values)
    changes: list[tuple[str, Any]] = [
        ("conditions", conditions),
        ("question", f"What changes with {listed}?"),
        ("prediction", ""),
        ("expected_accuracy", recipe.expected_accuracy[:1]),
        ("primary.condition", None),
    ]
    return build(recipe, changes)


def _names(paths: Sequence[str], combinations: Sequence[tuple[Any, ...]]) -> Iterator[str]:
    """A name for each combination, such as beta_0_02; numbered where that would be too long or no name."""
    keys = [path.split(".")[-1] for path in paths]
    if len(set(keys)) < len(keys):
        keys = ["_".join(path.split(".")[-2:]) for path in paths]
    names = [
        "_".join(_plain(f"{key}_{_written(value)}") for key, value in zip(keys, combination, strict=True))
        for combination in combinations
    ]
    fit = len(set(names)) == len(names) and all(
        len(name) <= LONGEST and re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names
    )
    yield from names if fit else (f"sweep_{number}" for number in range(1, len(names) + 1))


def _written(value: Any) -> str:
    return (
        f"{value:g}"
        if isinstance(value, float)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def _plain(text: str) -> str:
    """Small letters, digits and _ alone: 'beta_1e-05' → 'beta_1e_05'."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
