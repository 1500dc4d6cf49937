"""Experiments that are the same but for their seeds: one more experiment can put them together and train nothing."""

from dataclasses import dataclass

from django.db.models import F, Func, JSONField

from webapp.experiments.models import Experiment

APART = (
    "name",
    "title",
    "question",
    "prediction",
    "queue",
    "seeds",
)  # what may differ, beside `primary.seeds`
MOST = 20  # experiments that are named


@dataclass(frozen=True)
class OtherSeeds:
    """The experiments, oldest first, and the seeds of all of them with those of the one that was asked about."""

    experiments: list[tuple[str, list[int]]]
    together: list[int]


def with_other_seeds(found: Experiment) -> OtherSeeds | None:
    """None where there is no such experiment with a seed that `found` does not have. One query; none for imported ones."""
    if found.imported:
        return None
    own = {key: value for key, value in found.recipe.items() if key not in APART}
    own["primary"] = {key: value for key, value in (own.get("primary") or {}).items() if key != "seeds"}
    named = ", ".join(f"'{key}'" for key in APART)
    rest = Func(
        F("recipe"),
        template=f"((%(expressions)s - ARRAY[{named}]) #- '{{primary,seeds}}')",
        output_field=JSONField(),
    )
    others = (
        Experiment.objects.filter(recipe_name=found.recipe_name, imported=False, archived_at=None)
        .exclude(pk=found.pk)
        .annotate(rest=rest)
        .filter(rest=own)
        .order_by("pk")
        .values_list("name", "seeds")
    )
    more = [(name, seeds) for name, seeds in others[:MOST] if set(seeds) - set(found.seeds)]
    if not more:
        return None
    return OtherSeeds(more, sorted({*found.seeds, *(seed for _, seeds in more for seed in seeds)}))
