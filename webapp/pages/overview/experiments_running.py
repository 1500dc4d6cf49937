"""Experiments that are under way, each as a tile: how far it is, the newest accuracy of each condition, when it will be done."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from webapp.experiments.models import Experiment
from webapp.pages.experiments import querysets
from webapp.pages.experiments.querysets import ConditionResult, RunGrid
from webapp.runs import querysets as runs
from webapp.runs.models import Queue, StageRun, State

SHOWN = 6
RUNS_SHOWN = 6  # of each


@dataclass(frozen=True)
class RunUnderWay:
    """A run in its experiment's tile."""

    run: StageRun
    state: str
    device: str
    host: str
    seconds_left: float | None = None  # by its experiment's estimate; None: nothing to go by yet


@dataclass(frozen=True)
class RunningExperiment:
    """A tile."""

    experiment: Experiment
    grid: RunGrid  # its boxes, and the time left; neither rows nor accuracies
    conditions: Sequence[ConditionResult]
    paused: bool  # a queue that it has runs in
    runs: Sequence[RunUnderWay]  # the first RUNS_SHOWN
    more_runs: int

    @property
    def percent(self) -> int:
        """Of all its runs, those that go on counted by their progress."""
        boxes = self.grid.boxes
        return round(100 * sum(querysets.share_done(box) for box in boxes) / len(boxes)) if boxes else 0


def running_experiments(running: Sequence[RunUnderWay] = ()) -> list[RunningExperiment]:
    """Those with a run under way, the oldest first; `running`: these runs. Seven queries at most, one where nothing runs."""
    under_way = StageRun.objects.filter(state=State.RUNNING).values("experiment")
    found = list(Experiment.objects.filter(pk__in=under_way).order_by("pk").defer("recipe", "notes")[:SHOWN])
    if not found:
        return []
    grids = querysets.boxes_of(found)
    paused = set(Queue.objects.filter(paused_at__isnull=False).values_list("name", flat=True))
    tiles = []
    for summary in querysets.summaries(found):
        grid = grids[summary.experiment.pk]
        own = [one for one in running if one.run.experiment_id == summary.experiment.pk]
        tiles.append(
            RunningExperiment(
                summary.experiment,
                grid,
                summary.conditions,
                any(
                    box.run.queue in paused and box.run.state in (State.READY, State.WAITING)
                    for box in grid.boxes
                ),
                [replace(one, seconds_left=grid.lengths_left.get(one.run.pk)) for one in own[:RUNS_SHOWN]],
                max(
                    0, summary.states[State.RUNNING] + summary.states[runs.CANCELLING] - len(own[:RUNS_SHOWN])
                ),
            )
        )
    return tiles
