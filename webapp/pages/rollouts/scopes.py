"""What a list of rollouts is about: one run, or every run of an experiment that samples."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.shortcuts import get_object_or_404
from django.urls import reverse

from training.stages import kinds_where
from webapp.experiments.models import Experiment
from webapp.runs.models import Attempt, StageRun


@dataclass(frozen=True)
class Scope:
    """The runs of a list, and under which addresses it is found."""

    experiment: Experiment
    runs: Sequence[StageRun]  # with stage and condition
    run: StageRun | None = None  # the one, where it is a run's own list

    @property
    def address(self) -> str:
        """The page of the list."""
        return self._url("rollouts", "experiment_rollouts")

    @property
    def rows(self) -> str:
        """The fragment with the list as it is now."""
        return self._url("group_rows", "experiment_group_rows")

    @property
    def live(self) -> str:
        """The stream of what is new."""
        about = f"run={self.run.pk}" if self.run else f"experiment={self.experiment.name}"
        return f"{reverse('live')}?{about}&rollouts=1"

    @property
    def name(self) -> str:
        """What a file of it is called."""
        return f"{self.experiment.name}-run-{self.run.pk}" if self.run else self.experiment.name

    @property
    def over(self) -> bool:
        """Whether nothing comes any more."""
        return all(run.finished_at for run in self.runs)

    @property
    def reused(self) -> list[StageRun]:
        """The runs that were taken over: what they sampled lies where they were trained."""
        return [run for run in self.runs if run.reused_from_id is not None]

    def cursor(self) -> dict[int, int]:
        """How far each attempt's journal is in."""
        attempts = Attempt.objects.filter(stage_run__in=[run.pk for run in self.runs])
        return dict(attempts.values_list("id", "journal_seq"))

    def _url(self, of_run: str, of_experiment: str) -> str:
        return (
            reverse(of_run, args=[self.run.pk])
            if self.run
            else reverse(of_experiment, args=[self.experiment.name])
        )


def of_run(run_id: int) -> Scope:
    """One run's rollouts. Raises Http404."""
    run = get_object_or_404(StageRun.objects.select_related("stage", "condition", "experiment"), pk=run_id)
    return Scope(run.experiment, [run], run)


def of_experiment(name: str) -> Scope:
    """The rollouts of all conditions, stages and seeds of an experiment. Raises Http404."""
    experiment = get_object_or_404(Experiment, name=name)
    sampling = kinds_where(lambda kind: kind.records_rollouts)
    runs = StageRun.objects.filter(experiment=experiment, stage__kind__in=sampling)
    ordered = runs.select_related("stage", "condition").order_by(
        "stage__position", "condition__position", "seed"
    )
    return Scope(experiment, list(ordered))
