"""Launching: from a checked recipe to rows that workers take."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction

from training.code_version import code_version
from training.recipes.availability import check_data
from training.recipes.identity import Key, key
from training.recipes.recipe import Recipe
from webapp.celery import announce
from webapp.experiments.changed_settings import differences
from webapp.experiments.models import Condition, Experiment, Stage
from webapp.launch.reuse import Fork, LaunchPlan, plan_launch
from webapp.runs import lifecycle
from webapp.runs.models import StageRun, State
from webapp.runs.reuse import take_over


def launch(
    *,
    recipe: Recipe,
    owner: User,
    reuse: bool = True,
    fork: Fork | None = None,
    origin: Experiment | None = None,
    plan: LaunchPlan | None = None,
) -> Experiment:
    """Freeze a recipe as an experiment, queue its first runs and announce them on commit. Raises RecipeError.

    With `reuse`, runs of an identity that is finished elsewhere take that over, and what conditions share is computed
    once. A fork takes over what stands above it. `origin` is the experiment whose settings were cloned.
    `plan` is what `plan_launch` made of the recipe with this `reuse` and `fork`, where the caller has it already.
    """
    plan = plan or plan_launch(recipe, reuse=reuse, fork=fork)
    check_data(recipe, settings.MULBERRY_DATA, plan.specs)
    code = code_version()  # asked before the lock on the name is held: it may run git
    experiment = Experiment(
        title=recipe.title,
        recipe_name=recipe.name,
        recipe=recipe.model_dump(mode="json"),
        question=recipe.question,
        prediction=recipe.prediction,
        primary_metric=recipe.primary.benchmark,
        alpha=recipe.alpha,
        seeds=recipe.seeds,
        code_version=code,
        owner=owner,
        **_origin(fork, origin),
    )
    experiment.differences = differences(experiment)
    with transaction.atomic():
        experiment.name = _next_name(recipe.name)
        experiment.save(force_insert=True)
        conditions, stages = _create_conditions(experiment, recipe), _create_stages(experiment, recipe)
        _create_runs(experiment, plan, recipe.queue, conditions, stages)
    return experiment


def _origin(fork: Fork | None, origin: Experiment | None) -> dict[str, Any]:
    """Where the settings come from, in words that outlive the experiment they name."""
    if fork is not None:
        return {"origin": fork.experiment, "origin_note": f"fork of {fork.experiment.name} at {fork.stage}"}
    return {"origin": origin, "origin_note": f"clone of {origin.name}"} if origin is not None else {}


def _next_name(recipe_name: str) -> str:
    """`<recipe>-<n>`; launches of one recipe stand in line for the number until they commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"launch {recipe_name}"])
    taken = Experiment.objects.filter(name__regex=rf"^{recipe_name}-[0-9]+$").values_list("name", flat=True)
    return f"{recipe_name}-{1 + max((int(name.rpartition('-')[2]) for name in taken), default=0)}"


def _create_conditions(experiment: Experiment, recipe: Recipe) -> dict[str, Condition]:
    conditions = [
        Condition(experiment=experiment, name=c.name, position=position, overrides=c.overrides)
        for position, c in enumerate(recipe.conditions)
    ]
    return {c.name: c for c in Condition.objects.bulk_create(conditions)}


def _create_stages(experiment: Experiment, recipe: Recipe) -> dict[str, Stage]:
    stages = {
        s.name: Stage(experiment=experiment, name=s.name, kind=s.kind, position=position)
        for position, s in enumerate(recipe.stages)
    }
    Stage.objects.bulk_create(stages.values())
    for settings_ in recipe.stages:
        if settings_.after is not None:
            stages[settings_.name].after = stages[settings_.after]
    Stage.objects.bulk_update(stages.values(), ["after"])
    return stages


def _create_runs(
    experiment: Experiment,
    plan: LaunchPlan,
    queue: str,
    conditions: dict[str, Condition],
    stages: dict[str, Stage],
) -> None:
    """One row a spec, parents first; what is ready is announced on commit. Nine queries, whatever their number."""
    made: dict[Key, StageRun] = {}
    before: dict[Key, Key] = {}  # what a run waits for
    for spec in plan.specs:
        place = key(spec)
        twin, offered = plan.twins.get(place), plan.offers.get(place)
        # What another condition computes is waited for like a parent: it ends, fails and is retried before this one.
        if first := twin or ((spec.condition, spec.parent, spec.seed) if spec.parent else None):
            before[place] = first
        if offered is not None and not offered.missing:
            state = State.SUCCEEDED
        else:
            state = State.READY if not first or made[first].state == State.SUCCEEDED else State.WAITING
        steps = spec.settings.planned_steps() or 0
        made[place] = StageRun(
            experiment=experiment,
            condition=conditions[spec.condition],
            stage=stages[spec.stage],
            seed=spec.seed,
            spec=spec.model_dump(mode="json"),
            identity=plan.identities[place].sha256,
            planned_steps=0 if offered or twin else steps,
            progress_total=steps,
            progress_unit="steps",
            queue=queue,
            **lifecycle.first(state),
        )
        if state is State.READY:
            transaction.on_commit(lambda: announce(queue))
    StageRun.objects.bulk_create(made.values())
    for place, first in before.items():
        made[place].parent = made[first]
    for place, twin in plan.twins.items():
        made[place].reused_from = made[twin]
    StageRun.objects.bulk_update(made.values(), ["parent", "reused_from"])
    take_over([(made[place], offered) for place, offered in plan.offers.items()])
    lifecycle.record_new([(run, _first_words(plan, place, run)) for place, run in made.items()])


def _first_words(plan: LaunchPlan, place: Key, run: StageRun) -> str:
    """What the first event of a run says."""
    if place in plan.twins:
        return f"waits for {place[1]} of {plan.twins[place][0]}, which is the same"
    if place not in plan.offers:
        return "launched"
    missing = plan.offers[place].missing
    return f"reused from {run.reused_note}" + (
        f"; still to evaluate: {', '.join(missing)}" if missing else ""
    )
