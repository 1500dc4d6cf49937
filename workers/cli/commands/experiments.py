"""Experiments from the command line: launch, cancel, retry, regrade, report, import."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from training.recipes import recipe as recipes
from training.recipes.sweep import parse_sweep, swept
from webapp.comparison import table
from webapp.comparison.decisions import decisions
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.tables.stage_sheets import stage_sheet
from webapp.experiments.models import Experiment
from webapp.files.table import Statement
from webapp.launch.planning import site
from webapp.launch.reuse import Fork, check_fork
from webapp.reports.report import report
from webapp.runs import services as run_services
from webapp.runs.models import StageRun, State
from webapp.runs.recomputing import recompute
from workers.cli.commands import CommandError, access, database, plan, progress
from workers.cli.commands.listing import find


def build_recipe(name: str, changes: list[str]) -> recipes.Recipe:
    """A shipped recipe or a YAML file with `path=value` changes applied. Raises RecipeError."""
    return recipes.build(recipes.read(name), [recipes.parse_change(change) for change in changes])


def launch(options: argparse.Namespace) -> int:
    """Queue a recipe, as the form in the browser does; or only show its plan."""
    from webapp.launch.launch import launch as launch_experiment

    recipe, fork = _what_to_launch(options)
    if options.dry_run:
        return plan.show(recipe, fork, options)
    database.connect()
    reuse = not options.no_reuse
    launch_plan = None if options.yes else plan.ask(recipe, fork, reuse=reuse)
    experiment = launch_experiment(
        recipe=recipe, owner=access.person(options.user), reuse=reuse, fork=fork, plan=launch_plan
    )
    if unserved := site(recipe.queue).unserved:
        print(f"mulberry: warning: {unserved}", file=sys.stderr)
    runs = StageRun.objects.filter(experiment=experiment)
    reused = runs.exclude(reused_note="").select_related("condition", "stage")
    if options.json:
        print(json.dumps({"name": experiment.name, "runs": runs.count(), "reused": reused.count()}))
    else:
        queued = runs.exclude(state=State.SUCCEEDED).count()
        print(f"{experiment.name}: {queued} runs queued" + (f", {len(reused)} reused" if reused else ""))
        for run in reused:
            print(
                f"  {run.stage.name} of {run.condition.name}, seed {run.seed}: reused from {run.reused_note}"
            )
    return wait(experiment) if options.wait else 0


def _what_to_launch(options: argparse.Namespace) -> tuple[recipes.Recipe, Fork | None]:
    """The recipe with its changes, or the settings of the experiment to fork. Raises CommandError, RecipeError."""
    if (options.fork is None) == (options.recipe is None) or (options.fork is None) != (options.at is None):
        raise CommandError("name a recipe, or an experiment and a stage: --fork EXPERIMENT --at STAGE")
    fork = None
    if options.fork is None:
        recipe = build_recipe(options.recipe, options.set)
    else:
        database.connect()
        fork = Fork(find(options.fork), options.at)
        check_fork(fork)
        recipe = recipes.build(fork.experiment.recipe, map(recipes.parse_change, options.set))
    return (swept(recipe, list(map(parse_sweep, options.sweep))) if options.sweep else recipe), fork


def wait(experiment: Experiment) -> int:
    """Show progress until the experiment is over; 1 when a run failed or was cancelled."""
    runs: list[StageRun] = []
    for runs in progress.follow(experiment):  # noqa: B007  (the last look is what counts)
        pass
    return outcome(runs)


def outcome(runs: list[StageRun]) -> int:
    """Name what did not succeed on standard error; 1 when there is something."""
    bad = [run for run in runs if run.state != State.SUCCEEDED]
    for run in bad:
        why = f": {run.error}" if run.error else ""
        print(f"{run.condition.name} seed {run.seed} {run.stage.name} {run.state}{why}", file=sys.stderr)
    return 1 if bad else 0


def cancel(options: argparse.Namespace) -> int:
    """Cancel an experiment, or one run of it."""
    database.connect()
    experiment = find(options.experiment)
    if options.run is None:
        count = run_services.cancel_experiment(experiment=experiment, by=access.OPERATOR)
        print(f"{experiment.name}: {count} runs cancelled")
    else:
        run_services.cancel(run=_run_of(experiment, options.run), by=access.OPERATOR)
        print(f"{experiment.name}: run {options.run} cancelled")
    return 0


def retry(options: argparse.Namespace) -> int:
    """Start what failed or was cancelled again, from its newest checkpoint."""
    database.connect()
    experiment = find(options.experiment)
    if options.recompute and options.run is None:
        raise CommandError("--recompute is for one run: say which with --run N")
    if options.recompute:
        recompute(run=_run_of(experiment, options.run), by=access.OPERATOR)
        print(f"{experiment.name}: run {options.run} is computed again")
    elif options.run is None:
        count = run_services.retry_experiment(experiment=experiment, by=access.OPERATOR)
        print(f"{experiment.name}: {count} runs started again")
    else:
        run_services.retry(run=_run_of(experiment, options.run), by=access.OPERATOR)
        print(f"{experiment.name}: run {options.run} started again")
    return wait(experiment) if options.wait else 0


def _run_of(experiment: Experiment, number: int) -> StageRun:
    run = StageRun.objects.filter(experiment=experiment, pk=number).first()
    if run is None:
        raise CommandError(
            f"{experiment.name} has no run {number}; `mulberry status {experiment.name}` lists them"
        )
    return run


def show_results(experiment: Experiment, folder: Path, say: Callable[[str], None]) -> None:
    """Print the primary benchmark's table, write the report into `folder`, and say where it lies."""
    built = table.stage_table(experiment)
    say(stage_sheet(built).grid.markdown(aligned=True))
    said: list[Statement] = [*decisions(built), *verdict_sentences(built)]
    for one in said:
        say(f"\n{one.text}")
    folder.mkdir(parents=True, exist_ok=True)
    say("")
    for suffix in ("md", "html"):
        path = folder / f"{experiment.name}.{suffix}"
        path.write_text(report(experiment, suffix), encoding="utf-8")
        say(f"report: {path}")


def regrade(options: argparse.Namespace) -> int:
    """Grade stored completions anew; a second time there is nothing to do."""
    from webapp.results import regrade as grading

    database.connect()
    experiment = find(options.experiment)
    done = grading.regrade(experiment)
    if options.json:
        print(json.dumps(asdict(done)))
    else:
        print(f"{experiment.name}: {done.sentence}")
    return 0


def import_history(options: argparse.Namespace) -> int:
    """Import published numbers; a second time nothing changes."""
    from webapp.results import imports, published

    publication = published.read(options.history)
    database.connect()
    done = imports.import_history(publication=publication, owner=access.person(options.user))
    name = done.experiment.name
    if options.json:
        print(json.dumps({"name": name, "new": done.new, "results": done.results}))
    elif done.new:
        print(f"{name}: {done.results} results imported, counts only")
    else:
        print(f"{name}: is there already; nothing changed")
    return 0


def print_report(options: argparse.Namespace) -> int:
    """The report of one experiment."""
    database.connect()
    sys.stdout.write(report(find(options.experiment), options.format, options.problems))
    return 0
