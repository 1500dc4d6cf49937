"""Drafts: the settings that a launch form starts from, a recipe's or those of an experiment."""

from dataclasses import dataclass
from typing import Any

from webapp.experiments.models import Experiment
from webapp.experiments.reuse import Fork, refuse_imported


@dataclass(frozen=True)
class Draft:
    """What the form is filled in with, and where that comes from."""

    name: str  # of the recipe, or of the experiment
    data: dict[str, Any]
    origin: Experiment | None = None
    fork: Fork | None = None


def draft_from(experiment: Experiment, stage: str | None, *, other_seeds: bool = False) -> Draft:
    """The draft of a clone, or of a fork at a stage. Raises RecipeError where the experiment was imported."""
    refuse_imported(experiment)
    data = dict(experiment.recipe)
    if other_seeds:
        first = max(experiment.seeds) + 1
        data["seeds"] = list(range(first, first + len(experiment.seeds)))
    fork = Fork(experiment, stage) if stage is not None else None
    return Draft(experiment.name, data, None if fork else experiment, fork)
