"""Tables, outcomes, rollouts and metrics from the command line: printed, or written to a file."""

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from webapp.experiments.models import Experiment
from webapp.files import formats, long_tables
from webapp.reports import experiment_tables
from webapp.runs.models import StageRun
from workers.cli.commands import CommandError, database
from workers.cli.commands.exports import EXPORTS
from workers.cli.commands.listing import find

BINARY = ("xlsx", "parquet")


def table(options: argparse.Namespace) -> int:
    """One of an experiment's tables."""
    database.connect()
    format = _format(options, list(formats.FORMATS), "md")
    wanted = experiment_tables.TableChoices(
        find(options.experiment),
        benchmark=options.benchmark,
        baseline=options.baseline,
        metric=options.metric,
        seeds=options.seeds,
        problems=options.problems,
    )
    made = experiment_tables.build(options.what, wanted)
    _write(options.output, [formats.FORMATS[format].content(made)])
    return 0


def export(options: argparse.Namespace) -> int:
    """Every outcome, rollout or point of a metric of an experiment, or of one of its runs, in constant memory."""
    database.connect()
    experiment = find(options.experiment)
    if options.bundle:
        return _bundle(experiment, options)
    format = _format(options, list(long_tables.FORMATS), "csv")
    runs = StageRun.objects.filter(experiment=experiment).order_by("pk")
    if options.run is not None:
        runs = runs.filter(pk=options.run)
        if not runs:
            raise CommandError(
                f"{experiment.name} has no run {options.run}; `mulberry status {experiment.name}`"
            )
    made = EXPORTS[options.what](experiment, runs, options.benchmark)
    _write(options.output, long_tables.FORMATS[format].write(made))
    return 0


def _bundle(experiment: Experiment, options: argparse.Namespace) -> int:
    """Report, tables, figures and provenance as one archive."""
    from webapp.reports.bundle import bundle  # and with it what reports are made of

    if options.run is not None or options.benchmark or options.format:
        raise CommandError("a bundle has all of an experiment: leave --run, --benchmark and --format away")
    output = options.output or f"{experiment.name}.zip"
    _write(output, bundle(experiment))
    print(f"{experiment.name}: {output}")
    return 0


def _format(options: argparse.Namespace, known: list[str], default: str) -> str:
    """The format that was asked for, else the one that the file's name ends in. Raises CommandError."""
    named = Path(options.output).suffix.removeprefix(".") if options.output else ""
    format: str = options.format or (named if named in known else default)
    if format in BINARY and not options.output and sys.stdout.isatty():
        raise CommandError(f"{format} is not for a terminal; give a file: -o {options.experiment}.{format}")
    return format


def _write(output: str | None, parts: Iterable[bytes]) -> None:
    """To standard output, or to a file that is there only when it is whole."""
    if output is None:
        for part in parts:
            sys.stdout.buffer.write(part)
        sys.stdout.flush()
        return
    path = Path(output)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            file.writelines(parts)
        unfinished.replace(path)
    except OSError as error:
        raise CommandError(f"cannot write {output}: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)
