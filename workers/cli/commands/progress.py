"""Progress of an experiment in a terminal: one bar a condition and seed, or a line a change where there is no terminal."""

import sys
import time
from collections.abc import Iterator
from itertools import groupby
from typing import TextIO

from django.db import close_old_connections
from django.db.utils import OperationalError

from webapp.experiments.models import Experiment
from webapp.runs.models import OVER, StageRun, State
from workers.cli.commands import database

WIDTH = 28  # characters of a bar


def follow(experiment: Experiment, out: TextIO = sys.stderr) -> Iterator[list[StageRun]]:
    """Draw until every run is over; yields the runs after each look, twice a second.

    A database that is away for a moment (it may be starting again) is waited for.
    """
    drawn, states = 0, dict[int, str]()
    while True:
        close_old_connections()
        try:
            runs = list(
                StageRun.objects.filter(experiment=experiment)
                .select_related("condition", "stage")
                .order_by("condition__position", "seed", "stage__position")
            )
        except OperationalError:
            database.find_again()
            time.sleep(0.5)
            continue
        if out.isatty():
            drawn = _redraw(runs, drawn, out)
        else:
            _tell_changes(runs, states, out)
        yield runs
        if all(run.state in OVER for run in runs):
            return
        time.sleep(0.5)


def _redraw(runs: list[StageRun], drawn: int, out: TextIO) -> int:
    lines = bars(runs)
    up = f"\x1b[{drawn}A" if drawn else ""
    out.write(up + "".join(f"\x1b[2K{line}\n" for line in lines))
    out.flush()
    return len(lines)


def bars(runs: list[StageRun]) -> list[str]:
    """One line a condition and seed, `runs` being ordered by them."""
    lines = []
    width = max((len(run.condition.name) for run in runs), default=0)
    for (condition, seed), group in groupby(runs, key=lambda run: (run.condition.name, run.seed)):
        stages = list(group)
        share = sum(done_share(run) for run in stages) / len(stages)
        full = round(WIDTH * share)
        bar = "█" * full + "·" * (WIDTH - full)
        lines.append(f"{condition:<{width}}  seed {seed}  {bar} {share:4.0%}  {now(stages)}")
    return lines


def done_share(run: StageRun) -> float:
    """How much of a run is done, 0 to 1; one that is over counts whole, whatever became of it."""
    if run.state in OVER:
        return 1.0
    if run.preparing:
        return 0.0
    return min(1.0, run.progress_done / run.progress_total) if run.progress_total else 0.0


def now(stages: list[StageRun]) -> str:
    """What happens in one condition and seed, in words."""
    if bad := [run for run in stages if run.state == State.FAILED]:
        return f"{bad[0].stage.name} failed: {bad[0].error or 'see its log'}"
    running = [run for run in stages if run.state == State.RUNNING]
    if running:
        return ", ".join(
            f"{run.stage.name} {run.progress_phase} {run.progress_done}/{run.progress_total} {run.progress_unit}"
            for run in running
        )
    for state in (State.READY, State.CANCELLED):
        if found := [run for run in stages if run.state == state]:
            return f"{found[0].stage.name} {'queued' if state == State.READY else 'cancelled'}"
    return "done"


def _tell_changes(runs: list[StageRun], states: dict[int, str], out: TextIO) -> None:
    for run in runs:
        if run.state != states.get(run.pk) and run.state != State.WAITING:
            why = f": {run.error}" if run.error else ""
            print(
                f"{run.condition.name} seed {run.seed} {run.stage.name} {run.state}{why}",
                file=out,
                flush=True,
            )
        states[run.pk] = run.state
