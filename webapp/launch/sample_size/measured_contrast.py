"""How the planned contrast scattered in an earlier experiment of this installation: between seeds, problems, and the rest."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from django.core.cache import cache
from django.db.models import Exists, OuterRef, Sum

from training.recipes.metric_names import AMOUNTS, PASS_AT
from training.recipes.planned_question import NEEDS_START, Design, contrasts
from training.recipes.recipe import Recipe
from webapp.experiments.models import Experiment
from webapp.results.marks import marked
from webapp.results.models import Evaluation
from webapp.results.outcome_counts import RATES, counted_tallies, latest_accuracies
from webapp.results.samples import sampled
from webapp.results.token_counts import Measured, measured
from webapp.runs.models import Attempt, StageRun
from webapp.statistics.new_problems import Components, components

FEWEST_SEEDS = 3  # that tell how seeds differ
LOOKED_AT = 10  # newest experiments of the recipe
KEPT_SECONDS = 24 * 3600
Term = tuple[int, str, str]  # sign, condition, stage


@dataclass(frozen=True)
class MeasuredContrast:
    """The scatter of one problem's difference, in the metric's unit (shares: 0 to 1)."""

    experiment: str
    seeds: int
    problems: int  # that each seed was asked
    scatter: float  # standard deviation between the problems of one seed
    mean_square: float  # of that difference; of two marks of yes or no the share that is discordant
    components: Components | None  # None: fewer than FEWEST_SEEDS

    def spread(self, problems: int) -> float | None:
        """Standard deviation between seeds of the mean over so many problems."""
        return None if self.components is None else self.components.spread(problems)


def measured_contrast(recipe: Recipe) -> MeasuredContrast | None:
    """What the newest experiment of the recipe at this size showed; one of FEWEST_SEEDS or more goes before.

    None where none has results of the contrast in which anything differed. Evaluations of different graders are neither
    paired nor taken together. Kept until more is recorded of them.
    """
    experiments = list(Experiment.objects.filter(recipe_name=recipe.name, imported=False)[:LOOKED_AT])
    for experiment in sorted(experiments, key=lambda one: len(one.seeds) < FEWEST_SEEDS):
        if found := _of_experiment(recipe, experiment):
            return found
    return None


def _of_experiment(recipe: Recipe, experiment: Experiment) -> MeasuredContrast | None:
    real = Attempt.objects.filter(stage_run=OuterRef("pk"), hostname__gt="")  # else made up (`mulberry seed`)
    runs = StageRun.objects.filter(
        Exists(real),
        experiment=experiment,
        spec__model__n_layer=recipe.model.n_layer,
        spec__model__n_embd=recipe.model.n_embd,
    )
    places = {pk: place for pk, *place in runs.values_list("pk", "condition__name", "stage__name", "seed")}
    results = {
        tuple(places[run]): one.evaluation
        for run, one in latest_accuracies(places, recipe.primary.benchmark).items()
        if one.complete
    }
    every = [
        _terms(recipe.primary.contrast, recipe.design, *place)
        for place in contrasts(recipe.primary, recipe.design)
    ]
    wanted = _graded_alike(
        {
            (seed, place): [(sign, results[condition, stage, seed]) for sign, condition, stage in terms]
            for place, terms in enumerate(every)
            for seed in experiment.seeds
            if all((condition, stage, seed) in results for _, condition, stage in terms)
        }
    )
    ids = sorted({one for terms in wanted.values() for _, one in terms})
    if not ids:
        return None
    read = Evaluation.objects.filter(pk__in=ids).aggregate(news=Sum("attempt__journal_seq"))["news"]
    key = f"measured-contrast-2:{recipe.primary.metric}:{recipe.primary.contrast}:{hash((*ids, read))}"
    known = cache.get(key)
    if known is None:
        values = _values(ids, recipe.primary.metric)
        tables = [
            [_combined([(sign, values.get(one)) for sign, one in terms]) for (_, at), terms in wanted.items() if at == place]
            for place in range(len(every))
        ]  # fmt: skip
        known = _summed([[row for row in rows if row is not None] for rows in tables], experiment.name) or ""
        cache.set(key, known, KEPT_SECONDS)
    return known or None


def _terms(contrast: str, design: Design, stage: str, condition: str) -> list[Term]:
    """What a contrast adds and takes away."""
    baseline, start = design.conditions[0], design.start_of(stage)
    if contrast not in NEEDS_START or start is None:
        return [(-1, baseline, stage), (1, condition, stage)]
    gain = [(-1, condition, start), (1, condition, stage)]
    return gain if contrast == "gain" else [*gain, (1, baseline, start), (-1, baseline, stage)]


def _graded_alike(
    wanted: Mapping[tuple[int, int], list[tuple[int, int]]],
) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """The (seed, contrast) all of whose evaluations have one grader, which is the one that most of them have."""
    ids = {one for terms in wanted.values() for _, one in terms}
    grader = dict(Evaluation.objects.filter(pk__in=ids).values_list("pk", "settings__grader"))
    used = {place: {grader[one] for _, one in terms} for place, terms in wanted.items()}
    alike = Counter(name for names in used.values() if len(names) == 1 for name in names if name is not None)
    most = {name for name, _ in alike.most_common(1)}
    return {place: terms for place, terms in wanted.items() if used[place] == most}


def _values(evaluations: Sequence[int], metric: str) -> dict[int, Measured]:
    """What the metric counts, problem by problem; of pass@k where as many samples are there."""
    if metric in AMOUNTS:
        return measured(evaluations, metric.removesuffix("_per_response"))
    if PASS_AT.fullmatch(metric):
        k = int(metric.removeprefix("pass_at_"))
        found = sampled(counted_tallies(Evaluation.objects.filter(pk__in=evaluations)))
        return {pk: Measured(one.problems, one.pass_at(k)) for pk, one in found.items() if one.least >= k}
    return marked(evaluations, next((column for column, rate in RATES.items() if rate == metric), "correct"))


def _combined(terms: Sequence[tuple[int, Measured | None]]) -> Measured | None:
    """One difference a problem; None where one is missing, or they did not ask the same problems."""
    there = [(sign, one) for sign, one in terms if one is not None]
    problems = {one.problems for _, one in there}
    if len(there) < len(terms) or len(problems) > 1:
        return None
    return Measured(problems.pop(), np.sum([sign * one.values for sign, one in there], axis=0))


def _summed(tables: Sequence[Sequence[Measured]], experiment: str) -> MeasuredContrast | None:
    """The mean over the contrasts in which anything differed; their seeds are rows on the same problems."""
    arrays = [
        np.array([row.values for row in rows if row.problems == rows[0].problems]) for rows in tables if rows
    ]
    arrays = [rows for rows in arrays if rows.shape[1] > 1 and rows.any()]
    if not arrays:
        return None
    found = [components(rows) for rows in arrays if len(rows) >= FEWEST_SEEDS]
    return MeasuredContrast(
        experiment,
        max(len(rows) for rows in arrays),
        arrays[0].shape[1],
        sqrt(float(np.mean([rows.var(axis=1, ddof=1).mean() for rows in arrays]))),
        float(np.mean([(rows**2).mean() for rows in arrays])),
        Components(*np.mean(found, axis=0).tolist()) if found else None,
    )
