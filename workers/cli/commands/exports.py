"""The long tables that `mulberry export` writes. The command line offers them before there is Django: see EXPORTS."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from training.did_you_mean import nearest
from workers.cli.commands import CommandError

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from webapp.experiments.models import Experiment
    from webapp.files.long_tables import LongTable
    from webapp.results.models import Evaluation
    from webapp.runs.models import StageRun

    Export = Callable[[Experiment, QuerySet[StageRun], str], LongTable]


def _outcomes(experiment: "Experiment", runs: "QuerySet[StageRun]", benchmark: str) -> "LongTable":
    from webapp.results import outcome_files

    return outcome_files.rows(experiment, _evaluations(experiment, runs, benchmark))


def _rollouts(experiment: "Experiment", runs: "QuerySet[StageRun]", benchmark: str) -> "LongTable":
    from webapp.telemetry import rollout_files

    return rollout_files.rows(experiment, runs)


def _points(experiment: "Experiment", runs: "QuerySet[StageRun]", benchmark: str) -> "LongTable":
    from webapp.telemetry import point_files

    return point_files.rows(experiment, runs.select_related("condition", "stage"))


EXPORTS: "dict[str, Export]" = {"outcomes": _outcomes, "rollouts": _rollouts, "points": _points}


def _evaluations(experiment: "Experiment", runs: "QuerySet[StageRun]", benchmark: str) -> "list[Evaluation]":
    """Those that count, of these runs and of this benchmark (empty: of all). Raises CommandError."""
    from webapp.results import outcome_files

    found = outcome_files.counted_evaluations(experiment)
    known = sorted({one.benchmark for one in found})
    if benchmark and benchmark not in known:
        raise CommandError(
            f"{experiment.name} has no outcomes of benchmark {benchmark!r}{nearest(benchmark, known)}"
        )
    wanted = set(runs.values_list("pk", flat=True))
    return [
        one
        for one in found
        if (not benchmark or one.benchmark == benchmark) and one.attempt.stage_run_id in wanted
    ]
