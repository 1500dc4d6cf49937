"""Launching: from a checked recipe to rows that workers take."""

import subprocess
from importlib.metadata import version

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models.functions import Now

from training.data.availability import check_data
from training.recipe import Recipe, StageSpec, resolve
from webapp.celery import announce
from webapp.experiments.models import Condition, Experiment, Stage
from webapp.runs import lifecycle
from webapp.runs.models import StageRun, State


def launch(*, recipe: Recipe, owner: User) -> Experiment:
    """Freeze a recipe as an experiment, queue its first runs and announce them on commit. Raises RecipeError."""
    specs = resolve(recipe)
    check_data(recipe, settings.MULBERRY_DATA)
    with transaction.atomic():
        experiment = Experiment.objects.create(
            name=_next_name(recipe.name),
            title=recipe.title,
            recipe_name=recipe.name,
            recipe=recipe.model_dump(mode="json"),
            question=recipe.question,
            prediction=recipe.prediction,
            primary_metric=recipe.primary_metric,
            alpha=recipe.alpha,
            seeds=recipe.seeds,
            code_version=code_version(),
            owner=owner,
        )
        _create_runs(
            experiment, specs, _create_conditions(experiment, recipe), _create_stages(experiment, recipe)
        )
    return experiment


def code_version() -> str:
    """The commit that this code stands at, marked + when files differ from it; else the package's version."""
    if not (settings.ROOT / ".git").exists():
        return version("mulberry")
    try:
        command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12"]
        done = subprocess.run(
            command, cwd=settings.ROOT, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):  # no git here, or a folder that git does not trust
        return version("mulberry")
    return done.stdout.strip()[:100]


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
    experiment: Experiment, specs: list[StageSpec], conditions: dict[str, Condition], stages: dict[str, Stage]
) -> None:
    """One row a spec, parents first; the roots are ready and announced on commit."""
    made: dict[tuple[str, int, str], StageRun] = {}
    for spec in specs:
        parent = made[spec.condition, spec.seed, spec.parent] if spec.parent else None
        state = State.WAITING if parent else State.READY
        run = StageRun.objects.create(
            experiment=experiment,
            condition=conditions[spec.condition],
            stage=stages[spec.stage],
            seed=spec.seed,
            parent=parent,
            spec=spec.model_dump(mode="json"),
            state=state,
            ready_at=None if parent else Now(),
            planned_steps=spec.settings.planned_steps() or 0,
            progress_total=spec.settings.planned_steps() or 0,
            progress_unit="steps",
        )
        made[spec.condition, spec.seed, spec.stage] = run
        lifecycle.record(run, "", state, "launched")
        if parent is None:
            transaction.on_commit(lambda queue=run.queue: announce(queue))  # type: ignore[misc]
