"""Published results as rows: an experiment whose runs have counts and nothing else."""

from dataclasses import dataclass
from datetime import UTC, datetime, time

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from webapp.experiments.models import Condition, Experiment, Stage
from webapp.results.models import Evaluation
from webapp.results.published import Publication, PublishedResult
from webapp.runs import lifecycle
from webapp.runs.models import Attempt, StageRun, State

SEED = 0  # published runs have one, which is not told


@dataclass(frozen=True)
class Imported:
    """The experiment, and whether this import made it."""

    experiment: Experiment
    new: bool
    results: int


def import_history(*, publication: Publication, owner: User) -> Imported:
    """Write a publication as an experiment whose runs are over; a second time nothing changes.

    Raises ValueError when another experiment has its name, or it was imported with other numbers.
    """
    record = publication.model_dump(mode="json")
    count = len(list(publication.results()))
    with transaction.atomic():
        with connection.cursor() as cursor:  # two imports of one name stand in line
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"import {publication.name}"]
            )
        known = Experiment.objects.filter(name=publication.name).first()
        if known is not None:
            _refuse_other(known, record)
            return Imported(known, False, count)
        experiment = Experiment.objects.create(
            name=publication.name,
            title=publication.title,
            recipe_name=publication.name,
            recipe=record,
            question=publication.question,
            primary_metric=publication.primary_metric,
            alpha=publication.alpha,
            seeds=[SEED],
            imported=True,
            owner=owner,
            created_at=publication_time(publication),
        )
        runs = _create_runs(experiment, publication)
        for stage, benchmark, condition, result in publication.results():
            _create_evaluation(runs[condition, stage], benchmark, result, publication)
    return Imported(experiment, True, count)


def _refuse_other(known: Experiment, record: dict[str, object]) -> None:
    if not known.imported:
        raise ValueError(
            f"an experiment that ran here has the name {known.name!r}; give the file another name"
        )
    if known.recipe != record:
        raise ValueError(
            f"{known.name} is there already, with other contents, and imports never change; "
            "give the file another name"
        )


def _create_runs(experiment: Experiment, publication: Publication) -> dict[tuple[str, str], Attempt]:
    """The attempts of all runs, by condition and stage: ended, with nothing but the word *imported*."""
    conditions = [
        Condition.objects.create(
            experiment=experiment, name=one.name, position=position, overrides=one.overrides
        )
        for position, one in enumerate(publication.conditions)
    ]
    stages: dict[str, Stage] = {}
    runs: dict[tuple[str, str], StageRun] = {}
    attempts = {}
    for position, one in enumerate(publication.stages):
        stage = stages[one.name] = Stage.objects.create(
            experiment=experiment,
            name=one.name,
            label=one.label,
            kind=one.kind,
            position=position,
            after=stages[one.after] if one.after else None,
        )
        for condition in conditions:
            run = runs[condition.name, one.name] = StageRun.objects.create(
                experiment=experiment,
                condition=condition,
                stage=stage,
                seed=SEED,
                parent=runs[condition.name, one.after] if one.after else None,
                spec={"benchmarks": [{"benchmark": name} for name in one.results]},
                state=State.SUCCEEDED,
                attempt_number=1,
            )
            attempts[condition.name, one.name] = Attempt.objects.create(
                stage_run=run, number=1, ended_at=timezone.now(), outcome="imported"
            )
            lifecycle.record(run, "", State.SUCCEEDED, "imported, counts only")
    return attempts


def _create_evaluation(
    attempt: Attempt, benchmark: str, result: PublishedResult, publication: Publication
) -> Evaluation:
    return Evaluation.objects.create(
        attempt=attempt,
        seq=attempt.evaluations.count() + 1,
        key=benchmark,
        benchmark=benchmark,
        step=0,
        problems=result.problems or 0,
        settings=publication.benchmarks[benchmark],
        published=result.numbers(),
        at=publication_time(publication),
    )


def publication_time(publication: Publication) -> datetime:
    """Midnight of the day of publication, UTC."""
    return datetime.combine(publication.date, time(), UTC)
