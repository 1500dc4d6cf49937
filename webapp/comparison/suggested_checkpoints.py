"""Checkpoints that can be compared at once: the conditions of recent experiments after the last stage that two of them finished."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from django.db.models import Exists, F, OuterRef

from webapp.comparison.checkpoints import MOST
from webapp.experiments.models import Experiment
from webapp.results.models import Evaluation
from webapp.runs.models import StageRun, State

LOOKED_AT = 30  # of the newest experiments


@dataclass(frozen=True)
class SuggestedCheckpoints:
    """Checkpoints of one experiment, stage and seed, in the order of the conditions."""

    experiment: Experiment
    runs: tuple[StageRun, ...]

    @property
    def chosen(self) -> list[tuple[str, str]]:
        """What the page that compares them is asked for, a pair a field: across()."""
        return [
            field
            for place, run in enumerate(self.runs, 1)
            for field in ((f"experiment{place}", self.experiment.name), (f"run{place}", str(run.pk)))
        ]


def suggested(most: int = 6) -> list[SuggestedCheckpoints]:
    """Of up to so many experiments, the newest first. Two queries."""
    newest = Experiment.objects.filter(archived_at=None).order_by("-pk").values_list("pk", flat=True)
    has_one = Exists(
        Evaluation.objects.filter(
            attempt__stage_run=OuterRef("pk"),
            benchmark=OuterRef("experiment__primary_metric"),
            problems__gt=0,
        )
    )
    runs = (
        StageRun.objects.filter(has_one, experiment__in=list(newest[:LOOKED_AT]), state=State.SUCCEEDED)
        .select_related("experiment", "stage", "condition")
        .defer("spec", "experiment__recipe", "experiment__notes")
        .order_by(F("experiment").desc(), F("stage__position").desc(), "seed", "condition__position")
    )
    found: list[SuggestedCheckpoints] = []
    for _, of_experiment in groupby(runs, lambda run: run.experiment_id):
        by_seed = groupby(of_experiment, lambda run: (run.stage_id, run.seed))
        beside: Sequence[list[StageRun]] = [list(group) for _, group in by_seed]
        several = next((group for group in beside if len({run.computed_by for run in group}) > 1), None)
        if several:
            found.append(SuggestedCheckpoints(several[0].experiment, tuple(several[:MOST])))
    return found[:most]
