"""What the rules read of one stage run: its metrics, a few rollouts, its evaluations; each loaded once, when asked for."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from django.db.models import Max, Min, QuerySet, Sum

from training.settings.shared import Learns
from webapp.diagnosis.changes import BenchmarkChange, paired_changes
from webapp.diagnosis.dynamics import COMPONENT, MEASURES, trend_of
from webapp.diagnosis.finding import Link
from webapp.experiments.planned_question import paired_test
from webapp.results.outcome_counts import Tally, latest_tallies
from webapp.runs.models import OVER, StageRun
from webapp.statistics.intervals import Interval
from webapp.statistics.proportions import mean_share
from webapp.statistics.trends import Trend, onset
from webapp.telemetry.models import Metric, Rollout
from webapp.telemetry.series import Series, rollouts, series

TOGETHER = 2_000_000  # points that are loaded at once (48 MB); beyond, one metric at a time
SAMPLE = 200  # completions at either end of a run, for what only texts show
GRADED = 2_000  # rollouts of the last steps, for what only their rewards' components show


class RunRecords:
    """One stage run's records; a rule asks for what it needs. A reused run was trained elsewhere: it has that run's curves."""

    def __init__(self, run: StageRun) -> None:
        self.run = run
        self.trained = run.computed_by  # the run whose metrics and rollouts these are
        self._series: dict[str, Series | None] = {}
        self._trends: dict[str, Trend | None] = {}

    @property
    def by_end(self) -> str:
        """What the last tenth of the points is called: a run that goes on has no end yet, but a place on the way there."""
        if self.run.state in OVER:
            return "at the end"
        done, steps = self.run.progress_done, self.run.progress_total
        counted = steps and self.run.progress_unit == "steps" and not self.run.preparing
        return f"so far, step {done:,} of {steps:,}" if counted else "so far"

    @property
    def learns(self) -> Learns:
        """What its stage learns from."""
        return self.run.stage.settings_class.learns

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The stage's resolved settings; empty for imported runs."""
        return (self.run.spec or {}).get("settings") or {}

    @property
    def injects(self) -> bool:
        """Whether its condition learns mul-tokens, as far as that is recorded."""
        return bool(((self.run.spec or {}).get("mul_tokens") or {}).get("inject"))

    def times(self, key: str, factor: float, *, instead_of_0: float = 0.0) -> tuple[tuple[str, Any], ...]:
        """A setting of the stage, as advice changes it: so many times what it is; nothing where it is not known."""
        keys = key.split(".")
        value: Any = self.settings
        for one in keys:
            value = value.get(one) if isinstance(value, dict) else None
        if not isinstance(value, int | float):
            return ()
        other = float(f"{value * factor:.3g}") or instead_of_0
        return ((key, other),) if other and other != value else ()

    @cached_property
    def contamination(self) -> list[dict[str, Any]]:
        """journal.ContaminationRow of each of its sources and benchmark; empty where none was recorded."""
        found = self.run.attempts.filter(contamination__isnull=False).order_by("-number")
        return found.values_list("contamination", flat=True).first() or []

    @property
    def primary(self) -> str:
        """The experiment's deciding benchmark."""
        return self.run.experiment.primary_metric

    @cached_property
    def recorded(self) -> dict[str, int]:
        """Metric → how many points it has."""
        counted = Metric.objects.filter(attempt__stage_run=self.trained).values_list("name")
        return dict(counted.annotate(Sum("chunks__points")))

    def series(self, name: str) -> Series | None:
        """A metric's points that count; None where it was not recorded."""
        if name not in self.recorded:
            return None
        if name not in self._series:
            together = [one for one in self.recorded if one in MEASURES or one.startswith(COMPONENT)]
            wanted = [one for one in {name: None, **dict.fromkeys(together)} if one not in self._series]
            if sum(self.recorded[one] for one in wanted) > TOGETHER:
                wanted = [name]
            found = series([self.trained], wanted)
            self._series |= {one: found.get((self.trained, one)) for one in wanted}
        return self._series[name]

    def trend(self, name: str) -> Trend | None:
        """Where a metric of dynamics.MEASURES went."""
        if name not in self._trends:
            points = self.series(name)
            self._trends[name] = trend_of(name, points) if points else None
        return self._trends[name]

    @property
    def rollouts_per_step(self) -> int:
        """Of one optimizer step; 1 where the settings do not tell."""
        return _per_step(self.settings)

    @property
    def groups_per_step(self) -> int:
        """Of one optimizer step; 1 where the settings do not tell."""
        return max(1, self.rollouts_per_step // int(self.settings.get("group_size", 1)))

    def last_share(self, name: str, per_step: int) -> Interval | None:
        """Wilson's 95 % interval of a share of rollouts or groups in the last tenth of the points, `per_step` of them a step.

        Those of one step share a policy and may share prompts, so the interval goes by how the points scatter: it has the
        number of independent ones that would scatter so (proportions.mean_share), at most all of them.
        """
        points = self.series(name)
        if points is None or not (values := points.values[np.isfinite(points.values)]).size:
            return None
        last = values[-max(1, len(values) // 10) :].clip(0, 1)
        return mean_share(last, per_step * int(self.settings.get("log_every", 1)))

    @cached_property
    def learnt_length(self) -> float | None:
        """Mean tokens, prompt included, of the examples that taught it or its parent whole completions; None: not recorded."""
        for run in (self.run, self.run.parent):
            if run is None or run.stage.settings_class.learns != "completions":
                continue
            trained, settings = run.computed_by, (run.spec or {}).get("settings") or {}
            points = series([trained], ["tokens"]).get((trained, "tokens"))
            if points is not None and points.values.size and "batch_size" in settings:
                examples = int(points.steps[-1]) * _per_step(settings)
                return float(points.values[-1]) / examples
        return None

    @cached_property
    def children_cut(self) -> dict[str, float]:
        """Stage that samples from this run's checkpoint → share of its first rollouts that are cut, the least of its runs."""
        children = StageRun.objects.filter(parent=self.run).values_list("pk", "reused_from", "stage__name")
        stage_of = {reused or pk: stage for pk, reused, stage in children}
        found: dict[str, float] = {}
        for (pk, _), points in series(stage_of, ["hit_limit"]).items() if stage_of else ():
            first = trend_of("hit_limit", points)
            if first is not None:
                found[stage_of[pk]] = min(first.start, found.get(stage_of[pk], 1.0))
        return found

    def since(self, name: str, level: float, *, below: bool = False) -> int | None:
        """The step from which a metric stays beyond a level."""
        points = self.series(name)
        return onset(points.steps, points.values, level, below=below) if points else None

    def left_start(self, name: str, part: float = 0.25) -> int | None:
        """The step from which a metric has left its start by a part of its whole change, for good."""
        found = self.trend(name)
        if found is None or found.start == found.end:
            return None
        level = found.start + part * (found.end - found.start)
        return self.since(name, level, below=found.end < found.start)

    @cached_property
    def components(self) -> dict[str, Series]:
        """The reward's components that were recorded."""
        names = [name for name in self.recorded if name.startswith(COMPONENT)]
        found = {name.removeprefix(COMPONENT): self.series(name) for name in names}
        return {name: points for name, points in found.items() if points is not None}

    @cached_property
    def last_groups(self) -> list[list[dict[str, float]]]:
        """The reward's components of each rollout in the last steps that were recorded, a group each. One query, of at most GRADED."""
        rows = self.rollouts.order_by("-step", "-group").values_list("attempt", "step", "group", "components")
        groups: dict[tuple[int, int, int], list[dict[str, float]]] = {}
        found = list(rows[:GRADED])
        for attempt, step, group, components in found:
            groups.setdefault((attempt, step, group), []).append(components)
        if len(found) == GRADED:
            groups.popitem()  # which may be cut
        return list(groups.values())

    @cached_property
    def rollouts(self) -> QuerySet[Rollout]:
        """The run's rollouts that count, to be narrowed further."""
        return rollouts([self.trained])

    def first_rollouts(self) -> tuple[int, int]:
        """(correct, all) among the rollouts of the first tenth of the steps; (0, 0) without any."""
        points = self.series("accuracy")
        if points is None or len(points.steps) == 0:
            return 0, 0
        last = int(points.steps[max(0, len(points.steps) // 10 - 1)])
        rows = self.rollouts.filter(step__lte=last).values_list("correct", flat=True)
        found = list(rows[:20_000])  # more do not move a share
        return sum(found), len(found)

    def completions(self) -> tuple[list[str], list[str]]:
        """Completions of the first and of the last steps, as many of both, at most SAMPLE."""
        ends = self.rollouts.aggregate(first=Min("step"), last=Max("step"))
        if ends["first"] is None or ends["first"] == ends["last"]:
            return [], []
        middle = (ends["first"] + ends["last"]) / 2
        texts = self.rollouts.values_list("completion", flat=True)
        first = list(texts.filter(step__lt=middle).order_by("step", "pk")[:SAMPLE])
        last = list(texts.filter(step__gt=middle).order_by("-step", "-pk")[:SAMPLE])
        fewer = min(len(first), len(last))
        return first[:fewer], last[:fewer]

    @cached_property
    def benchmarks(self) -> list[str]:
        """Those that ran on this stage's checkpoint."""
        planned = [item["benchmark"] for item in (self.run.spec or {}).get("benchmarks") or []]
        return list(dict.fromkeys([self.primary, *planned]))

    @property
    def tallies(self) -> dict[str, Tally]:
        """Benchmark → this stage's complete result."""
        return self._tallies[self.run.pk]

    @property
    def tallies_before(self) -> dict[str, Tally]:
        """Benchmark → the complete result of the stage that this one started from."""
        return self._tallies[self.run.parent_id] if self.run.parent_id else {}

    @cached_property
    def _tallies(self) -> dict[int, dict[str, Tally]]:
        found: dict[int, dict[str, Tally]] = {pk: {} for pk in (self.run.pk, self.run.parent_id) if pk}
        for name in self.benchmarks:
            for pk, tally in latest_tallies(found, name).items():
                if tally.complete:
                    found[pk][name] = tally
        return found

    @cached_property
    def changes(self) -> list[BenchmarkChange]:
        """What this stage changed, benchmark by benchmark, where the two can be paired."""
        experiment = self.run.experiment
        children = StageRun.objects.filter(experiment=experiment, parent__isnull=False).count()
        planned = max(1, children * len(self.benchmarks))
        return paired_changes(
            self.tallies_before,
            self.tallies,
            alpha=experiment.alpha,
            planned=planned,
            test=paired_test(experiment),
        )

    # Where evidence is to be seen

    def chart(self, name: str) -> Link:
        """The chart of a metric on the run's page."""
        title = "Reward by component" if name == "components" else MEASURES[name].title
        key = "components" if name == "components" else MEASURES[name].chart
        return Link(f"chart: {title}", "run", self.trained, f"#chart-{key}")

    def texts(self, step: int | None, mark: str = "", label: str = "") -> tuple[Link, ...]:
        """The rollouts (that have a mark) of the last step up to `step` (None: of all); nothing without any."""
        found = self.rollouts.all()
        if step is not None:
            found = found.filter(step__lte=step)
        at = found.order_by("-step").values_list("step", flat=True).first()
        if at is None:
            return ()
        tail = f"?from_step={at}&to_step={at}" + (f"&{mark}=on" if mark else "")
        return (Link(label or f"rollouts of step {at:,}", "rollouts", self.trained, tail),)

    def problems(self, tally: Tally, only: str = "", label: str = "") -> Link:
        """The problems behind a result."""
        return Link(label or "problems", "evaluation", tally.evaluation, f"?only={only}" if only else "")


def _per_step(settings: Mapping[str, Any]) -> int:
    """Examples or rollouts of one optimizer step; 1 where the settings do not tell."""
    return int(settings.get("batch_size", 1)) * int(settings.get("gradient_accumulation", 1))
