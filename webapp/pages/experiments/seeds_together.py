"""What experiments say together that differ in their seed alone: exploratory, for nobody planned to take them together."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from webapp.comparison.answers.planned_answers import ContrastResult, ExperimentAnswer
from webapp.experiments.models import Experiment
from webapp.experiments.other_seeds import settings_apart
from webapp.files.number_text import p_is, points, points_interval
from webapp.statistics.seeds import over_seeds


@dataclass(frozen=True)
class SeedsTogether:
    """Experiments of one seed each, otherwise the same, and their differences taken together."""

    recipe: str
    experiments: tuple[str, ...]
    seeds: tuple[int, ...]
    contrast: ContrastResult  # of one of them: what is compared
    delta: str
    interval: str  # Student's, 95 %; empty where the seeds show no spread
    p: str


def seeds_together(
    experiments: Sequence[Experiment], answers: Mapping[int, ExperimentAnswer]
) -> list[SeedsTogether]:
    """Those of these experiments that can be taken together, a line for each such group of two or more. One query.

    Each is of one seed, finished, and asked as many problems after the same stage; of two with one seed the newer counts.
    """
    first = {
        one.pk: answers[one.pk].contrasts[0]
        for one in experiments
        if len(one.seeds) == 1 and not one.imported and one.pk in answers and _usable(answers[one.pk])
    }
    apart = settings_apart([one for one in experiments if one.pk in first])
    groups: dict[Hashable, dict[int, Experiment]] = defaultdict(dict)
    for one in experiments:
        if one.pk in first and (settings := apart[one.pk]):
            found = first[one.pk]
            key = one.recipe_name, settings, found.stage, found.condition, found.against, found.problems
            kept = groups[key].setdefault(one.seeds[0], one)
            groups[key][one.seeds[0]] = max(kept, one, key=lambda each: each.pk)
    return [
        _together([by_seed[seed] for seed in sorted(by_seed)], first)
        for by_seed in groups.values()
        if len(by_seed) > 1
    ]


def _usable(answer: ExperimentAnswer) -> bool:
    """Whether its first contrast is a finished difference of shares between two checkpoints."""
    return (
        answer.share
        and bool(answer.contrasts)
        and answer.contrasts[0].one_seed
        and answer.contrasts[0].number is not None
    )


def _together(experiments: Sequence[Experiment], first: Mapping[int, ContrastResult]) -> SeedsTogether:
    contrasts = [first[one.pk] for one in experiments]
    found = over_seeds([one.number / 100 for one in contrasts if one.number is not None])
    return SeedsTogether(
        experiments[0].recipe_name,
        tuple(one.name for one in experiments),
        tuple(one.seeds[0] for one in experiments),
        contrasts[0],
        points(found.mean),
        points_interval(found.interval) if found.interval else "",
        p_is(found.p) if found.p is not None else "",
    )
