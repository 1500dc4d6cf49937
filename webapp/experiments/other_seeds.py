"""Experiments that are the same but for their seeds: their results can be taken together, and one more trains nothing."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache

from webapp.experiments.models import Experiment
from webapp.experiments.settings_by_condition import by_condition

# What says who computes it and with which chance is left out; all else must be the same.
APART = frozenset({"seeds", "record_logprobs", "queue"})
MOST = 20  # newest experiments of a recipe that are looked at


@dataclass(frozen=True)
class OtherSeeds:
    """The experiments, oldest first, and the seeds of all of them with those of the one that was asked about."""

    experiments: list[tuple[str, list[int]]]
    together: list[int]


def with_other_seeds(found: Experiment) -> OtherSeeds | None:
    """None where no such experiment has a seed that `found` does not have. One query, two where one is new."""
    if found.imported:
        return None
    alike = Experiment.objects.filter(recipe_name=found.recipe_name, imported=False, archived_at=None)
    others = [
        one
        for one in alike.exclude(pk=found.pk).order_by("-pk").only("name", "seeds", "created_at")[:MOST]
        if set(one.seeds) - set(found.seeds)
    ]
    if not others:
        return None
    settings = settings_apart([found, *others])
    own = settings[found.pk]
    more = [(one.name, one.seeds) for one in others[::-1] if own and settings[one.pk] == own]
    if not more:
        return None
    return OtherSeeds(more, sorted({*found.seeds, *(seed for _, seeds in more for seed in seeds)}))


def settings_apart(experiments: Iterable[Experiment]) -> dict[int, str]:
    """A digest of the settings of each that the others must have, too; empty where they are not recorded. Kept: they never change."""
    keys = {f"settings-apart:{one.pk}:{one.created_at.timestamp()}": one.pk for one in experiments}
    kept: dict[str, str] = cache.get_many(keys)
    missing = {pk: key for key, pk in keys.items() if key not in kept}
    if missing:
        recipes = Experiment.objects.filter(pk__in=missing).order_by().values_list("pk", "recipe")
        new = {missing[pk]: _apart(recipe) for pk, recipe in recipes}
        cache.set_many(new)
        kept |= new
    return {keys[key]: text for key, text in kept.items()}


def _apart(recipe: Mapping[str, Any]) -> str:
    found = {
        condition: {path: value for path, value in settings.items() if not APART & set(path.split("."))}
        for condition, settings in by_condition(recipe).items()
    }
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest() if found else ""
