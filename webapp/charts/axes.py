"""What stands on the x axis: step, rollouts, tokens or time, for every run in the same unit, and where it resumed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from webapp.charts.curves import Floats
from webapp.runs.models import Attempt, StageRun
from webapp.telemetry.series import Series

TOKENS = "tokens"  # the metric: tokens since the stage began
UNITS = (
    (10_800.0, 3_600.0, "hours"),
    (180.0, 60.0, "minutes"),
    (0.0, 1.0, "seconds"),
)  # from so many seconds on


@dataclass(frozen=True)
class ResumeMark:
    """Where an attempt resumed."""

    number: int
    step: int
    x: float

    @property
    def text(self) -> str:
        """What it says when pointed at."""
        return f"attempt {self.number} {'resumed at' if self.step else 'began again at'} step {self.step:,}"


class Axis:
    """The x axis of all charts of a run's page; `x` falls back to steps where the run has not recorded it."""

    def __init__(self, x: str, own: StageRun, runs: Iterable[StageRun], tokens: Mapping[int, Series]) -> None:
        self.tokens = tokens
        self.x = x if x in available(own, own.pk in tokens) else "step"
        self.runs = {run.pk: run for run in runs}
        self.attempts: dict[int, list[Attempt]] = {run: [] for run in self.runs}
        for attempt in Attempt.objects.filter(stage_run__in=self.runs, first_step__isnull=False).order_by(
            "number"
        ):
            self.attempts[attempt.stage_run_id].append(attempt)
        self.seconds, self.unit = self._unit(own)
        self.end: float | None = None  # where the axis of every chart ends

    @property
    def title(self) -> str:
        """What it counts."""
        return f"{self.unit} since the run began" if self.x == "time" else self.x

    def of(self, run: int, points: Series) -> Floats | None:
        """The x of a run's points; None where the run does not tell."""
        return self._at(run, points.steps, points.times)

    def reach(self, found: Iterable[tuple[int, Series]]) -> None:
        """Let the axis of every chart end where the last of these runs' points stands."""
        every = [(run, points) for run, points in found if run in self.runs and len(points.steps)]
        ends = [float(x[-1]) for run, points in every if (x := self.of(run, points)) is not None]
        self.end = max(ends, default=None)

    def marks(self, run: int, points: Series) -> list[ResumeMark]:
        """Where the run's attempts after the first went on, as far as their points count."""
        attempts = self.attempts[run]
        lowest: list[ResumeMark] = []
        for attempt in attempts[1:]:
            step = attempt.first_step or 0
            lowest = [mark for mark in lowest if mark.step < step]
            after = np.flatnonzero(points.steps > step)
            times = points.times[after[:1]] if len(after) else np.asarray([attempt.started_at.timestamp()])
            x = self._at(run, np.asarray([step]), times)
            if x is not None:
                lowest.append(ResumeMark(attempt.number, step, float(x[0])))
        return lowest

    def _at(self, run: int, steps: np.ndarray, times: Floats) -> Floats | None:
        if self.x == "time":
            began = self.attempts[run][0].started_at.timestamp() if self.attempts[run] else times[0]
            return np.asarray((times - began) / self.seconds)
        if self.x == "rollouts":
            return np.asarray(steps * rollouts_of_a_step(self.runs[run]))
        if self.x == "tokens":
            if (read := self.tokens.get(run)) is None:
                return None
            counted: Floats = np.interp(steps, np.append(0, read.steps), np.append(0.0, read.values))
            return counted
        return np.asarray(steps, dtype=float)

    def _unit(self, own: StageRun) -> tuple[float, str]:
        attempts = self.attempts.get(own.pk, [])
        ends = [(one.ended_at or one.heartbeat_at).timestamp() for one in attempts]
        took = max(ends) - attempts[0].started_at.timestamp() if attempts else 0.0
        return next((per, unit) for least, per, unit in UNITS if took >= least or not least)


def available(run: StageRun, has_tokens: bool) -> tuple[str, ...]:
    """What the x axis of this run may count."""
    rolls = ("rollouts",) if rollouts_of_a_step(run) else ()
    return ("step", *rolls, *(("tokens",) if has_tokens else ()), "time")


def rollouts_of_a_step(run: StageRun) -> float:
    """Rollouts sampled for an optimizer step, by the run's settings; 0 for what is not sampled step by step."""
    settings = (run.spec or {}).get("settings") or {}
    if not run.stage.settings_class.samples_every_step or "batch_size" not in settings:
        return 0.0
    rows = settings["batch_size"] * settings.get("gradient_accumulation", 1)
    return float(rows / settings.get("iterations", 1))
