"""Conditions whose settings are the same, between which nothing can be found."""

from collections.abc import Sequence

from training.recipes.recipe import StageSpec
from training.settings.work_estimate import Caution


def same_conditions(specs: Sequence[StageSpec]) -> list[Caution]:
    """A warning for each set of conditions that a resolved recipe computes alike, seed by seed."""
    settings: dict[str, list[str]] = {}
    for spec in specs:
        if spec.seed == specs[0].seed:
            without = set(spec.settings.without_effect)
            text = spec.model_dump_json(exclude={"condition": True, "settings": without})
            settings.setdefault(spec.condition, []).append(text)
    alike: dict[tuple[str, ...], list[str]] = {}
    for condition, said in settings.items():
        alike.setdefault(tuple(said), []).append(condition)
    return [
        Caution(
            f"{', '.join(names[:-1])} and {names[-1]} have the same settings, so their results are the same: "
            "change a setting of one, or remove it.",
            warns=True,
        )
        for names in alike.values()
        if len(names) > 1
    ]
