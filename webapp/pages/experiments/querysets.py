"""Experiments as pages show them: the list with its sums, and one experiment's grid of stages and conditions."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

from django.db.models import Case, CharField, Count, F, Q, Value, When
from django.utils import timezone

from webapp.experiments.models import Condition, Experiment, Stage
from webapp.files.number_text import percent, plain, points
from webapp.pages.experiments.estimate import RunProgress, lengths_left, seconds_left
from webapp.results.models import Evaluation
from webapp.results.outcome_counts import PRIMARY, Accuracy, latest_accuracies
from webapp.runs import querysets as runs
from webapp.runs.models import OVER, StageRun, State

TRAINED = 0.95  # share of a run that is done when its benchmarks begin; rough, as the whole estimate is
ORDER = (State.RUNNING, State.READY, State.FAILED, State.CANCELLED, State.WAITING)  # what is said of a whole


@dataclass(frozen=True)
class ConditionResult:
    """A condition's newest result: accuracy on the primary metric, mean over seeds, after its furthest stage."""

    condition: Condition
    stage: str | None
    rate: float | None
    empty: bool = False  # the stage was evaluated, but on no problem
    problems: int = 0  # that each seed was asked; 0 where that is not the same for all
    seeds: int = 0  # that the mean is over


@dataclass(frozen=True)
class Summary:
    """An experiment in one line of the list."""

    experiment: Experiment
    states: Counter[str]
    conditions: list[ConditionResult]

    @property
    def state(self) -> str:
        """One word for all its runs."""
        return "imported" if self.experiment.imported else overall(self.states)

    @property
    def done(self) -> int:
        """Stage runs that succeeded."""
        return self.states[State.SUCCEEDED]

    @property
    def total(self) -> int:
        """Stage runs in all."""
        return self.states.total()


@dataclass(frozen=True)
class Box:
    """One stage run in the grid."""

    run: StageRun
    state: str
    accuracy: Accuracy | None
    seconds: float | None  # it took, or takes so far
    baseline: Accuracy | None = (
        None  # of the same stage and seed in the first condition; None where that is the same run
    )

    @property
    def difference(self) -> str:
        """How many points its accuracy is above the baseline's; empty until both are evaluated, and of the same run."""
        own, first = self.accuracy, self.baseline
        if own is None or first is None or own.evaluation == first.evaluation:
            return ""
        if not (own.complete and first.complete) or own.rate is None or first.rate is None:
            return ""
        return points(own.rate - first.rate, own.digits)

    @property
    def reached(self) -> str:
        """Its accuracy in words, which opens the run; empty while it runs and where there is none."""
        if self.accuracy is None or self.accuracy.empty or self.run.state == State.RUNNING:
            return ""
        rate = self.accuracy.rate
        return "" if rate is None else plain(percent(rate, self.accuracy.digits))


@dataclass(frozen=True)
class RunGridCell:
    """A stage in one condition: a box a seed, and what the seeds say together."""

    boxes: list[Box]

    @property
    def mean(self) -> str:
        """The mean accuracy over the seeds in words; empty before all of several are evaluated."""
        rates = [one.rate for box in self.boxes if (one := box.accuracy) and one.complete]
        known = [rate for rate in rates if rate is not None]
        return plain(percent(fmean(known), 1)) if len(known) == len(self.boxes) > 1 else ""

    @property
    def mean_difference(self) -> str:
        """How many points that is above the baseline's mean; empty where a seed has no difference."""
        if not self.mean or not all(box.difference for box in self.boxes):
            return ""
        pairs = [(box.accuracy, box.baseline) for box in self.boxes]
        return points(fmean(own.rate - first.rate for own, first in pairs))  # type: ignore[union-attr, operator]


@dataclass(frozen=True)
class RunGridRow:
    """A stage with a cell for each condition."""

    stage: Stage
    cells: list[RunGridCell]


@dataclass(frozen=True)
class RunGrid:
    """Stages × conditions × seeds of one experiment, as they stand now."""

    conditions: list[Condition]
    rows: list[RunGridRow]
    boxes: list[Box]
    seconds_left: float | None
    seeds: Sequence[int] = field(default_factory=list)
    lengths_left: Mapping[int, float] = field(default_factory=dict)  # run → its own seconds, where known

    @property
    def states(self) -> Counter[str]:
        """How many runs are in each shown state."""
        return Counter(box.state for box in self.boxes)

    @property
    def state(self) -> str:
        """One word for all runs."""
        if any(box.run.experiment.imported for box in self.boxes):
            return "imported"
        return overall(
            Counter(
                runs.CANCELLING if runs.is_cancelling(box.run) else str(box.run.state) for box in self.boxes
            )
        )

    @property
    def done(self) -> int:
        """Runs that succeeded."""
        return sum(box.run.state == State.SUCCEEDED for box in self.boxes)

    @property
    def evaluated(self) -> bool:
        """True when a run has its number."""
        return any(box.accuracy is not None and box.accuracy.complete for box in self.boxes)

    @property
    def over(self) -> bool:
        """True when nothing moves any more."""
        return all(box.run.state in OVER for box in self.boxes)

    @property
    def running(self) -> bool:
        """True when a run goes on now."""
        return any(box.run.state == State.RUNNING for box in self.boxes)

    @property
    def finishes_at(self) -> datetime | None:
        """When the last run will end, by what is left; None where that is not known or nothing runs."""
        if self.seconds_left is None or not self.running:
            return None
        return timezone.now() + timedelta(seconds=self.seconds_left)

    @property
    def samples(self) -> bool:
        """True when a stage records rollouts."""
        return any(row.stage.settings_class.records_rollouts for row in self.rows)

    @property
    def may_cancel(self) -> bool:
        """True when there is something to cancel."""
        return runs.may_cancel(box.run for box in self.boxes)

    @property
    def may_retry(self) -> bool:
        """True when there is something to start again."""
        return any(runs.may_retry(box.run) for box in self.boxes)

    @property
    def seconds(self) -> float | None:
        """From the first start to the last end, or to now."""
        started = [box.run.started_at for box in self.boxes if box.run.started_at]
        ended = [box.run.finished_at for box in self.boxes if box.run.finished_at]
        if not started:
            return None
        return ((max(ended) if self.over and ended else timezone.now()) - min(started)).total_seconds()


def overall(states: Counter[str]) -> str:
    """One word for many states: the one that says most about what happens next."""
    if states[runs.CANCELLING] and not states[State.RUNNING]:
        return runs.CANCELLING
    return next((str(state) for state in ORDER if states[state]), str(State.SUCCEEDED))


def summaries(experiments: Iterable[Experiment]) -> list[Summary]:
    """A line of the list for each experiment. Four queries, whatever their number."""
    experiments = list(experiments)
    states: dict[int, Counter[str]] = defaultdict(Counter)
    asked = Case(
        When(Q(state=State.RUNNING, cancel_requested_at__isnull=False), then=Value(runs.CANCELLING)),
        default=F("state"),
        output_field=CharField(),
    )
    every = (
        StageRun.objects.filter(experiment__in=[one.pk for one in experiments])
        .order_by()
        .annotate(said=asked)
    )
    for experiment, state, count in every.values_list("experiment_id", "said").annotate(Count("pk")):
        states[experiment][state] = count
    results_of: dict[int, list[ConditionResult]] = defaultdict(list)
    for result in _furthest_results(experiments):
        results_of[result.condition.experiment_id].append(result)
    return [Summary(e, states[e.pk], results_of[e.pk]) for e in experiments]


def _furthest_results(experiments: list[Experiment]) -> list[ConditionResult]:
    """Each condition with its result after the furthest stage that has one on the primary metric. Three queries."""
    furthest: dict[int, tuple[str | None, set[int]]] = {}  # condition → stage, and its runs with a result
    evaluated = Evaluation.objects.filter(
        attempt__stage_run__experiment__in=experiments, benchmark=PRIMARY
    ).order_by("attempt__stage_run__stage__position")
    for of, after, run in evaluated.values_list(
        "attempt__stage_run__condition_id", "attempt__stage_run__stage__name", "attempt__stage_run_id"
    ):
        known = furthest.get(of)
        furthest[of] = (after, {run} | (known[1] if known and known[0] == after else set()))
    accuracies = latest_accuracies({run for _, runs_ in furthest.values() for run in runs_}, PRIMARY)
    results = []
    for condition in Condition.objects.filter(experiment__in=experiments):
        stage, runs_ = furthest.get(condition.pk, (None, set()))
        found = [accuracies[run] for run in runs_ if run in accuracies]
        rates = [one.rate for one in found if one.rate is not None]
        asked = {one.counted for one in found if one.rate is not None}
        results.append(
            ConditionResult(
                condition,
                stage,
                sum(rates) / len(rates) if rates else None,
                empty=not rates and any(one.empty for one in found),
                problems=asked.pop() if len(asked) == 1 else 0,
                seeds=len(rates),
            )
        )
    return results


def grid(experiment: Experiment) -> RunGrid:
    """The grid of one experiment. Four queries."""
    found = list(runs.for_pages().filter(experiment=experiment))
    accuracies = latest_accuracies([run.pk for run in found], experiment.primary_metric)
    conditions = list(experiment.conditions.all())
    of_baseline = {(run.stage_id, run.seed): run for run in found if run.condition_id == conditions[0].pk}

    def beside(run: StageRun) -> Accuracy | None:
        """What the baseline reached where it computed something else."""
        first = of_baseline.get((run.stage_id, run.seed))
        if first is None or first.computed_by == run.computed_by:
            return None
        return accuracies.get(first.pk)

    boxes = [
        Box(
            run,
            runs.shown_state(run),
            accuracies.get(run.pk),
            runs.seconds_taken(run),
            beside(run),
        )
        for run in found
    ]
    cells: dict[tuple[int, int], list[Box]] = defaultdict(list)
    for box in boxes:
        cells[box.run.stage_id, box.run.condition_id].append(box)
    rows = [
        RunGridRow(stage, [RunGridCell(cells[stage.pk, c.pk]) for c in conditions])
        for stage in experiment.stages.all()
    ]
    return RunGrid(conditions, rows, boxes, **_time_left(boxes), seeds=experiment.seeds)


def boxes_of(experiments: Sequence[Experiment]) -> dict[int, RunGrid]:
    """Of each experiment its boxes without accuracies, and the time left. One query, whatever their number."""
    boxes: dict[int, list[Box]] = {one.pk: [] for one in experiments}
    for run in runs.for_pages().filter(experiment__in=experiments):
        boxes[run.experiment_id].append(Box(run, runs.shown_state(run), None, runs.seconds_taken(run)))
    return {pk: RunGrid([], [], every, **_time_left(every)) for pk, every in boxes.items()}


def share_done(box: Box) -> float:
    """How much of a run is done, 0 to 1."""
    return 1.0 if box.run.state in OVER else _work(box).share


def _time_left(boxes: Sequence[Box]) -> dict[str, Any]:
    """Of the whole grid and of each run, from the same figures."""
    work = [_work(box) for box in boxes]
    return {"seconds_left": seconds_left(work), "lengths_left": lengths_left(work)}


def _work(box: Box) -> RunProgress:
    run = box.run
    share = run.progress_done / run.progress_total if run.progress_total else 0.0
    if run.preparing:
        share = 0.0
    elif run.planned_steps and run.progress_unit != "steps":
        share = TRAINED + (1 - TRAINED) * share
    return RunProgress(
        run=run.pk,
        parent=run.parent_id,
        stage=run.stage.name,
        steps=run.planned_steps,
        seconds=box.seconds or 0.0,
        share=share,
        over=run.state in OVER or run.reused_from_id is not None,  # at most benchmarks are left of it
        running=run.state == State.RUNNING,
        preparing=run.state == State.RUNNING and run.preparing,
    )
