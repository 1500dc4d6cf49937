"""Outcomes of evaluations as a long table: one row a completion, the greedy ones of an evaluation first."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import Q

from training.process.journal import OutcomeRow
from webapp.experiments.models import Experiment
from webapp.files.column_kinds import kinds_of
from webapp.files.long_tables import CHUNK, LongTable
from webapp.results.models import GREEDY, Evaluation
from webapp.results.outcome_counts import latest_tallies
from webapp.runs.code_versions import Versions, of_experiment
from webapp.runs.models import StageRun
from webapp.runs.origin import origin

RELATED = ("attempt__stage_run__condition", "attempt__stage_run__stage", "attempt__stage_run__experiment")
OF_THE_EVALUATION = {
    "experiment": "text", "code_version": "text", "condition": "text", "stage": "text", "seed": "integer",
    "run": "integer", "evaluation": "integer", "benchmark": "text", "problems_sha256": "text", "step": "integer",
}  # fmt: skip
RECORDED = {"sample": "integer", **kinds_of(OutcomeRow)}


def counted_evaluations(experiment: Experiment, benchmark: str = "") -> list[Evaluation]:
    """The evaluations that the stage tables of an experiment are made of, in their order; of one benchmark or of all."""
    runs = StageRun.objects.filter(experiment=experiment).values_list("pk", flat=True)
    every = Evaluation.objects.filter(attempt__stage_run__experiment=experiment, published__isnull=True)
    names = {benchmark} if benchmark else set(every.values_list("benchmark", flat=True))
    chosen = [tally.evaluation for name in names for tally in latest_tallies(runs, name).values()]
    order = ("benchmark", "attempt__stage_run__stage__position", "attempt__stage_run__condition__position")
    return list(
        every.filter(pk__in=chosen).select_related(*RELATED).order_by(*order, "attempt__stage_run__seed")
    )


def rows(experiment: Experiment, evaluations: Iterable[Evaluation], only: Q | None = None) -> LongTable:
    """Every completion of these evaluations of one experiment; of the greedy ones those that `only` holds, if given."""
    evaluations = list(evaluations)
    hashes = sorted({str(one.settings.get("problems_sha256", "not recorded")) for one in evaluations})
    provenance = origin(experiment, {"Problems (SHA-256)": ", ".join(hashes) or "none yet"})
    versions = of_experiment(experiment)
    chunks = (chunk for one in evaluations for chunk in _chunks(versions, experiment, one, only))
    return LongTable(OF_THE_EVALUATION | RECORDED, chunks, provenance)


def _chunks(
    versions: Versions, experiment: Experiment, evaluation: Evaluation, only: Q | None
) -> Iterator[Sequence[Sequence[Any]]]:
    run, digest = evaluation.attempt.stage_run, evaluation.settings.get("problems_sha256")
    names = (experiment.name, versions.of_attempt(evaluation.attempt), run.condition.name, run.stage.name)
    which = (evaluation.pk, evaluation.benchmark, digest, evaluation.step)
    whose = (*names, run.seed, run.pk, *which)
    found = evaluation.outcomes.order_by("sample", "problem")
    if only is not None:
        found = found.filter(only, sample=GREEDY)
    sample, problem = GREEDY, ""
    while True:
        after = found.filter(sample__gte=sample).exclude(sample=sample, problem__lte=problem)
        if not (read := list(after.values_list(*RECORDED)[:CHUNK])):
            return
        yield [whose + row for row in read]
        sample, problem = read[-1][:2]
