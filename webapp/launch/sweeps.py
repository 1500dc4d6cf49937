"""Sweeps in the form: settings with their values, what they would make, and what that does to the verdict."""

from collections.abc import Callable, Sequence

from django.http import QueryDict

from training.recipes.planned_question import contrasts
from training.recipes.recipe import Recipe, RecipeError
from training.recipes.sweep import parse_sweep, swept
from webapp.launch.sample_size.measured_contrast import measured_contrast
from webapp.launch.sample_size.power import power

Entered = tuple[str, str]  # a setting and its values, as a person wrote them


def entered(posted: QueryDict) -> list[Entered]:
    """The rows that something was written in: fields sweep.path and sweep.values, one of each a row."""
    rows = zip(posted.getlist("sweep.path"), posted.getlist("sweep.values"), strict=False)
    return [(path.strip(), values.strip()) for path, values in rows if path.strip() or values.strip()]


def swept_by(recipe: Recipe, rows: Sequence[Entered], known: Callable[[str], str]) -> Recipe:
    """The recipe with a condition for each combination of values; `known` tells the setting that is meant. Raises RecipeError."""
    if not rows:
        raise RecipeError([("conditions", "name a setting to sweep, and two values of it or more")])
    return swept(recipe, [parse_sweep(f"{known(path)}={values}") for path, values in rows])


def said(recipe: Recipe) -> list[str]:
    """What the conditions of a sweep take and what their number does to the verdict, a sentence each."""
    conditions, seeds, stages = len(recipe.conditions), len(recipe.seeds), len(recipe.stages)
    runs = conditions * seeds * stages
    counted = [
        f"{conditions} conditions",
        f"{seeds} seed{'s' * (seeds > 1)}",
        f"{stages} stage{'s' * (stages > 1)}",
    ]
    sentences = [f"{' × '.join(counted)} = {runs:,} stage runs, before any is reused."]
    if len(contrasts(recipe.primary, recipe.design)) > 1:
        found = power(recipe, measured=measured_contrast(recipe))
        if found is not None and found.sharing:
            sentences.append(found.sharing)
    return sentences
