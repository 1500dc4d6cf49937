"""Queues from the command line: what is in them, pause, resume, move."""

import argparse
import json
from typing import Any

from webapp.runs import queues, workers
from webapp.runs.queues import Move
from workers.cli.commands import access, database
from workers.cli.commands.listing import find


def queue(options: argparse.Namespace) -> int:
    """Pause or resume a queue or move an experiment in it, then show every queue."""
    database.connect()
    if options.pause is not None:
        queues.pause(queue=options.pause, by=access.OPERATOR)
    if options.resume is not None:
        queues.resume(queue=options.resume, by=access.OPERATOR)
    for to in Move:
        if (name := getattr(options, to)) is not None:
            _move(name, to)
    views = workers.queue_views()
    if options.json:
        print(json.dumps([_as_json(view) for view in views], indent=1))
        return 0
    for view in views:
        paused = (
            f"paused by {view.paused_by} at {view.paused_at:%Y-%m-%d %H:%M} UTC" if view.paused_at else "open"
        )
        print(f"{view.name}: {paused}; {view.workers} workers take from it; {view.ready} runs queued")
        for place, one in enumerate(view.line, 1):
            print(
                f"{place:>4}  {one.experiment.name:<24} {one.ready} queued, {one.waiting} waiting, {one.running} running"
            )
    return 0


def _move(name: str, to: Move) -> None:
    """In each queue in which the experiment has runs to come: mostly that is one."""
    experiment = find(name)
    places = workers.queue_places(experiment)
    if not places:
        raise ValueError(f"{name} has no run left in a queue; there is nothing to move")
    for place in places:
        queues.move(experiment=experiment, queue=place.queue, to=to, by=access.OPERATOR)


def _as_json(view: workers.QueueView) -> dict[str, Any]:
    return {
        "name": view.name,
        "paused_at": view.paused_at.isoformat(timespec="seconds") if view.paused_at else None,
        "paused_by": view.paused_by,
        "workers": view.workers,
        "experiments": [
            {
                "name": one.experiment.name,
                "ready": one.ready,
                "waiting": one.waiting,
                "running": one.running,
                "next": [run.pk for _, run in one.runs],
            }
            for one in view.line
        ],
    }
