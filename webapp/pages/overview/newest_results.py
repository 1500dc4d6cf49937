"""The newest results in one line each: what was planned, or the last stages' differences, and its verdict."""

from dataclasses import dataclass
from datetime import datetime

from webapp.comparison.answers import kept_answers
from webapp.comparison.answers.planned_answers import ContrastResult
from webapp.experiments.models import Experiment
from webapp.results.models import AS_IT_RAN, Evaluation
from webapp.results.outcome_counts import PRIMARY

SHOWN = 5
LOOKED_AT = 80  # newest evaluations: one experiment of many seeds has a dozen of its last stages


@dataclass(frozen=True)
class LastResult:
    """An experiment whose last stages were evaluated lately."""

    experiment: Experiment
    at: datetime
    contrasts: tuple[ContrastResult, ...]


def last_results() -> list[LastResult]:
    """The experiments with the newest evaluations of last stages on their primary metric."""
    newest = Evaluation.objects.filter(
        attempt__stage_run__stage__followers=None,
        attempt__stage_run__experiment__imported=False,
        attempt__stage_run__experiment__archived_at=None,
        benchmark=PRIMARY,
        grading=AS_IT_RAN,
    ).order_by("-pk")
    found: dict[int, datetime] = {}
    for experiment, at in newest.values_list("attempt__stage_run__experiment", "at")[:LOOKED_AT]:
        if len(found) < SHOWN or experiment in found:
            found.setdefault(experiment, at)
    experiments = Experiment.objects.in_bulk(list(found))
    known = kept_answers.answers(list(experiments.values()))[0]
    return [LastResult(experiments[pk], at, known[pk].contrasts) for pk, at in found.items() if pk in known]
