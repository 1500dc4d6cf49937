"""Starting Mulberry: up, demo, and web and worker by themselves."""

import argparse
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.utils import OperationalError

from training.folders import home_folder
from workers.cli.commands import CommandError, access, database
from workers.processes import Host, own_code, python_module
from workers.stack import supervisor


def say(text: str) -> None:
    """A line for whoever watches, at once."""
    print(text, flush=True)


def up(options: argparse.Namespace) -> int:
    """Start everything, print where it is, and keep it running until Ctrl-C or TERM."""
    with supervisor.stop_signals() as stopping:
        try:
            with _running(options.port, stopping) as stack:
                if stack:
                    _greet(stack.address)
                    say("Ctrl-C stops it.")
                    while not stopping.wait(0.5):
                        stack.check()
                    say("stopping: running stages save a checkpoint first")
        except supervisor.AlreadyRunningError as error:
            say(f"{error}; it stays as it is")
            _greet(error.address)
            return 0
    return 0


def demo(options: argparse.Namespace) -> int:
    """Start everything (or use what runs already), launch a recipe, show its progress, its table and its report."""
    with supervisor.stop_signals() as stopping:
        try:
            with _running(options.port, stopping) as stack:
                return _show(options, stack.address, stack, stopping) if stack else 130
        except supervisor.AlreadyRunningError as error:
            say(f"{error}; the demo goes there")
            return _show(options, error.address, None, stopping)


@contextmanager
def _running(port: int, stopping: threading.Event) -> Iterator[supervisor.Stack | None]:
    """The stack, started, and stopped afterwards; None when told to stop before it was ready."""
    stack = supervisor.Stack(home_folder(), port, say)
    try:
        yield stack if stack.start(stopping) else None
    finally:
        stack.stop()


def _greet(address: str) -> None:
    database.set_up()
    link = access.new_link(address, access.operator())
    connections.close_all()  # none is kept open for hours
    say(f"dashboard: {address}/")
    say(f"sign in (once, within an hour): {link}")


def _show(
    options: argparse.Namespace, address: str, stack: supervisor.Stack | None, stopping: threading.Event
) -> int:
    _greet(address)
    from webapp.launch.launch import launch
    from workers.cli.commands import experiments, progress

    began = time.monotonic()
    recipe = experiments.build_recipe(options.recipe, options.set)
    experiment = launch(recipe=recipe, owner=access.operator(), reuse=False)  # to be watched, also again
    say(f"{experiment.name}: {experiment.title}\n{address}/experiments/{experiment.name}/")
    runs = []
    for runs in progress.follow(experiment, sys.stdout):  # noqa: B007  (the last look is what counts)
        if stack:
            stack.check()
        if stopping.is_set():
            say("stopping: running stages save a checkpoint first; `make run` goes on with them")
            return 130
    status = experiments.outcome(runs)
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    say(f"\nfinished in {minutes} min {seconds} s\n")
    experiments.show_results(experiment, home_folder() / "reports", say)
    if options.once:
        if stack:
            say(f"dashboard: `mulberry up` serves it again, at {address}/experiments/{experiment.name}/")
        return status
    _greet(address)
    if stack:
        say("Ctrl-C stops it.")
        while not stopping.wait(0.5):
            stack.check()
    return status


def web(options: argparse.Namespace) -> int:
    """Bring the database up to date and serve the dashboard."""
    import uvicorn

    try:
        database.set_up()
        database.migrate()
        connections.close_all()  # the server's own come from a pool
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    except (OperationalError, ImproperlyConfigured) as error:
        raise CommandError(f"the web cannot start: {' '.join(str(error).split())}") from None
    uvicorn.run(
        "webapp.asgi:application",
        host=options.host,
        port=options.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,  # open streams do not end by themselves
    )
    return 0


def worker(options: argparse.Namespace) -> int:
    """Take runs from the queue until TERM. Raises CommandError where the database is not there yet."""
    database.connect()
    if options.check:
        return _check_worker()
    connections.close_all()
    command = python_module("workers", "--queues", ",".join(options.queues))
    if options.slots:
        command += ["--slots", str(options.slots)]
    if options.devices_per_slot:
        command += ["--devices-per-slot", str(options.devices_per_slot)]
    os.execve(sys.executable, command, own_code(os.environ))  # noqa: S606


def _check_worker() -> int:
    """For a container's health check: 0 where a worker of this host (a container is one) was heard of lately, else 1."""
    from webapp.runs.querysets import answering_workers

    host = Host.this()
    here = answering_workers().filter(hostname=host.hostname, boot_id=host.boot_id).exists()
    say(f"{'a' if here else 'no'} worker of {host.hostname} answers")
    return 0 if here else 1
