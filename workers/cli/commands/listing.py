"""Experiments and their runs, listed. Of the models only those that are asked for are loaded: it answers fast."""

import argparse
import json
import sys
from collections import Counter
from typing import Any

from training.did_you_mean import nearest
from webapp.experiments.models import Experiment
from webapp.runs.models import StageRun, State
from workers.cli.commands import CommandError, database


def find(name: str) -> Experiment:
    """The experiment of this name. Raises CommandError with the nearest one."""
    found = Experiment.objects.filter(name=name).first()
    if found is None:
        known = list(Experiment.objects.values_list("name", flat=True))
        raise CommandError(f"there is no experiment {name!r}{nearest(name, known)}")
    return found


def list_all(options: argparse.Namespace) -> int:
    """Every experiment that is not in the archive, or what was asked for, the newest first."""
    database.connect()
    wanted = Experiment.objects.filter(archived_at__isnull=not options.archived)
    if options.tag:
        wanted = wanted.filter(tags__contains=[options.tag])
    if options.starred:
        wanted = wanted.filter(stars__person__username=options.user)
    rows: list[dict[str, Any]] = []
    for experiment in wanted.prefetch_related("runs"):
        states = Counter("imported" if experiment.imported else run.state for run in experiment.runs.all())
        rows.append(
            {
                "name": experiment.name,
                "title": experiment.title,
                "tags": experiment.tags,
                "archived": experiment.archived_at is not None,
                "created_at": experiment.created_at.isoformat(timespec="seconds"),
                "states": {state: states[state] for state in (*State.values, "imported") if states[state]},
            }
        )
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        summary = ", ".join(f"{count} {state}" for state, count in row["states"].items())
        tags = f"  [{', '.join(row['tags'])}]" if row["tags"] else ""
        at = row["created_at"][:16].replace("T", " ")
        print(f"{row['name']:<24} {at}  {summary:<32} {row['title']}{tags}")
    if not rows and (options.archived or options.tag or options.starred):
        print("no experiment fits", file=sys.stderr)
    elif not rows:
        print("no experiments yet; `mulberry launch RECIPE` starts one", file=sys.stderr)
    return 0


def status(options: argparse.Namespace) -> int:
    """Every run of one experiment."""
    database.connect()
    experiment = find(options.experiment)
    runs = StageRun.objects.filter(experiment=experiment).select_related("condition", "stage")
    rows = [
        {
            "run": run.pk,
            "condition": run.condition.name,
            "seed": run.seed,
            "stage": run.stage.name,
            "state": run.state,
            "attempt": run.attempt_number,
            "done": run.progress_done,
            "total": run.progress_total,
            "unit": run.progress_unit,
            "phase": run.progress_phase,
            "error": run.error,
        }
        for run in runs
    ]
    if options.json:
        print(json.dumps({"name": experiment.name, "title": experiment.title, "runs": rows}, indent=1))
        return 0
    print(f"{experiment.name}: {experiment.title}")
    for row in rows:
        where = f"{row['condition']} seed {row['seed']} {row['stage']}"
        print(
            f"{row['run']:>6}  {where:<44} {row['state']:<10} {row['done']}/{row['total']} {row['unit']}  {row['error']}"
        )
    return 0
