"""The `mulberry` command.

What there is to choose comes from the registries, which load neither Django nor anything heavy; a command's own modules are
imported when it runs.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from training.folders import data_folder, home_folder
from training.recipes.hardware import HARDWARE
from webapp.comparison.metrics import AMOUNTS, METRICS
from webapp.files import formats, long_tables
from webapp.reports.experiment_tables import SEEDS, TABLES
from webapp.reports.report_formats import REPORT_FORMATS
from workers.__main__ import queue_names
from workers.cli.commands import CommandError
from workers.cli.commands.exports import EXPORTS

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; what went wrong is told on standard error, a line a problem, and the status is not 0."""
    options = build_parser().parse_args(arguments)
    try:
        return int(options.run_command(options))
    except (CommandError, ValueError) as error:
        problems = _problems(error)
    except BrokenPipeError:  # `mulberry … | head`
        sys.stderr.close()
        return 141
    except KeyboardInterrupt:
        return 130
    for problem in problems:
        print(f"mulberry: {problem}", file=sys.stderr)
    return 1


def _problems(error: Exception) -> list[str]:
    """What went wrong, a line a problem."""
    from training.settings.errors import RecipeError

    if isinstance(error, RecipeError):
        return [f"{path}: {text}" if path else text for path, text in error.problems]
    return [line for line in str(error).splitlines() if line.strip()]


def build_parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    parser = argparse.ArgumentParser(
        prog="mulberry",
        description="Staged language-model training experiments, compared in pairs.",
        epilog=f"Everything lies in MULBERRY_HOME, here {home_folder()}; real data in MULBERRY_DATA, here {data_folder()}.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_stack(commands)
    _add_experiments(commands)
    _add_organising(commands)
    _add_queue(commands)
    _add_results(commands)
    _add_data(commands)
    _add_access(commands)
    _add_seed(commands)
    _add_backup(commands)
    return parser


def _add_stack(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    up = commands.add_parser("up", help="start database, web and a worker here; Ctrl-C stops them")
    up.set_defaults(run_command=_stack("up"))
    demo = commands.add_parser("demo", help="start everything, run a recipe, show its results")
    demo.add_argument("--recipe", default="demo", help="recipe to launch (default: demo)")
    demo.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="change a setting")
    demo.add_argument("--once", action="store_true", help="stop when the results are in")
    demo.set_defaults(run_command=_stack("demo"))
    web = commands.add_parser("web", help="migrate the database and serve the dashboard alone")
    web.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    web.set_defaults(run_command=_stack("web"))
    for command in (up, demo, web):
        command.add_argument("--port", type=_port, default=8000, help="port of the dashboard (default: 8000)")
    worker = commands.add_parser("worker", help="take runs from the queue until stopped")
    worker.add_argument(
        "--queues", type=queue_names, default="default", help="names of queues, separated by commas"
    )
    worker.add_argument("--slots", type=_slots, help="runs at once (default: MULBERRY_SLOTS, GPUs or cores)")
    worker.add_argument(
        "--devices-per-slot",
        type=_slots,
        help="GPUs or cores of each run, a process on each (default: MULBERRY_DEVICES_PER_SLOT, 1)",
    )
    worker.add_argument(
        "--check", action="store_true", help="start none; say whether one of this host answers"
    )
    worker.set_defaults(run_command=_stack("worker"))
    doctor = commands.add_parser("doctor", help="say what is in order here and what is not")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(run_command=_doctor)


def _add_experiments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    launch = commands.add_parser("launch", help="queue a recipe")
    launch.add_argument("recipe", nargs="?", help="name of a shipped recipe, or a YAML file")
    launch.add_argument(
        "--fork", metavar="EXP", help="take an experiment's settings and its stages above --at"
    )
    launch.add_argument("--at", metavar="STAGE", help="the first stage that a fork computes itself")
    launch.add_argument("--no-reuse", action="store_true", help="compute also what a finished run has")
    launch.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="e.g. stages.pretrain.steps=100; again for more",
    )
    launch.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="PATH=VALUE,VALUE",
        help="make each value a condition, e.g. stages.grpo.beta=0.02,0.1,0.5; again for a grid",
    )
    launch.add_argument(
        "--wait", action="store_true", help="show progress until it is over; fails when a run fails"
    )
    launch.add_argument("--dry-run", action="store_true", help="show what it would take; launch nothing")
    launch.add_argument(
        "--device", choices=[*HARDWARE], help="plan for this one (--dry-run; default: what the workers have)"
    )
    launch.add_argument(
        "--yes", action="store_true", help="launch it even if it takes years or fills the disk"
    )
    launch.add_argument("--user", default="operator", help="account that owns it (default: operator)")
    launch.add_argument("--json", action="store_true", help="print JSON")
    launch.set_defaults(run_command=_with_models("experiments", "launch"))

    listing = commands.add_parser("list", help="list experiments")
    listing.add_argument("--tag", metavar="WORD", help="those with this tag")
    listing.add_argument("--starred", action="store_true", help="those that --user starred")
    listing.add_argument("--archived", action="store_true", help="those in the archive instead of the others")
    listing.add_argument("--user", default="operator", help="account (default: operator)")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run_command=_with_models("listing", "list_all"))

    status = commands.add_parser("status", help="list the runs of an experiment")
    status.add_argument("experiment", metavar="EXP", help="its name, e.g. demo-1")
    status.add_argument("--json", action="store_true", help="print JSON")
    status.set_defaults(run_command=_with_models("listing", "status"))

    for name, text in (
        ("cancel", "cancel an experiment"),
        ("retry", "start again what failed or was cancelled"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("experiment", metavar="EXP", help="its name, e.g. demo-1")
        command.add_argument("--run", type=int, help="only this run (`mulberry status` has the numbers)")
        command.set_defaults(run_command=_with_models("experiments", name))
        if name == "retry":
            command.add_argument(
                "--recompute",
                action="store_true",
                help="also a run that succeeded, where its checkpoint is lost",
            )
            command.add_argument("--wait", action="store_true", help="show progress until it is over")


def _add_organising(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    rename = commands.add_parser("rename", help="give an experiment another title; its name stays")
    rename.add_argument("experiment", metavar="EXP", help="its name, e.g. demo-1")
    rename.add_argument("title", metavar="TITLE")
    tag = commands.add_parser("tag", help="tag experiments, or take tags away")
    tag.add_argument("--remove", action="store_true", help="take these tags away")
    tag.add_argument("words", metavar="WORDS", help='a tag, or several with commas: "paper,to repeat"')
    star = commands.add_parser("star", help="mark experiments for yourself")
    archive = commands.add_parser("archive", help="leave experiments out of lists and searches")
    for command in (star, archive):
        command.add_argument("--undo", action="store_true", help="take it back")
    delete = commands.add_parser("delete", help="delete experiments for good, with all that they own")
    delete.add_argument("--yes", action="store_true", help="do it; without, only what it frees is said")
    for command in (tag, star, archive, delete):
        command.add_argument("experiments", metavar="EXP", nargs="+", help="their names, e.g. demo-1")
    for name, command in (
        ("rename", rename),
        ("tag", tag),
        ("star", star),
        ("archive", archive),
        ("delete", delete),
    ):
        command.add_argument("--user", default="operator", help="account that does it (default: operator)")
        command.set_defaults(run_command=_with_models("organising", name))


def _add_queue(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    queue = commands.add_parser(
        "queue", help="show the queues; pause one, resume it, move an experiment in it"
    )
    change = queue.add_mutually_exclusive_group()
    change.add_argument("--pause", metavar="NAME", help="let nothing new start from it; what runs goes on")
    change.add_argument("--resume", metavar="NAME", help="let workers take from it again")
    for name, where in (
        ("front", "to the front"),
        ("up", "before the one ahead"),
        ("down", "behind the next"),
    ):
        change.add_argument(f"--{name}", metavar="EXP", help=f"move an experiment {where}")
    queue.add_argument("--json", action="store_true", help="print JSON")
    queue.set_defaults(run_command=_with_models("queues", "queue"))


SUBSETS = "restrict it, as exploratory: first:500, or label:NAME for a group of problems (default: all)"


def _add_results(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    table = commands.add_parser("table", help="print a table of an experiment")
    table.add_argument("experiment", metavar="EXP", help="its name, e.g. demo-1")
    table.add_argument(
        "--what",
        choices=[*TABLES],
        default="stages",
        help="default: the stage table",
    )
    table.add_argument(
        "--format",
        choices=[*formats.FORMATS],
        help="default: the file's, else md",
    )
    table.add_argument("-o", "--output", metavar="FILE", help="write it there instead of printing it")
    table.add_argument("--benchmark", help="default: the primary one")
    table.add_argument("--baseline", help="condition to compare with; default: the first")
    metrics = ", ".join([*METRICS, *AMOUNTS])
    table.add_argument("--metric", help=f"{metrics} or pass_at_K (default: the planned question’s)")
    table.add_argument("--problems", metavar="SUBSET", help=SUBSETS)
    table.add_argument(
        "--seeds",
        choices=[*SEEDS],
        default="apart",
        help="together: of several seeds the means alone",
    )
    table.set_defaults(run_command=_with_models("files", "table"))

    export = commands.add_parser(
        "export", help="write every completion, rollout or point of an experiment to a file"
    )
    export.add_argument("experiment", metavar="EXP", help="its name, e.g. demo-1")
    export.add_argument("--what", choices=[*EXPORTS], default="outcomes")
    export.add_argument("--format", choices=[*long_tables.FORMATS], help="default: the file's, else csv")
    export.add_argument("--benchmark", default="", help="outcomes of this one (default: all)")
    export.add_argument("--run", type=int, help="only this run (`mulberry status` has the numbers)")
    export.add_argument(
        "--bundle", action="store_true", help="report, tables, figures and provenance as one ZIP instead"
    )
    export.add_argument(
        "-o", "--output", metavar="FILE", help="default: print it; a bundle is written as EXP.zip"
    )
    export.set_defaults(run_command=_with_models("files", "export"))

    imports = commands.add_parser("import", help="show published numbers beside new runs, as counts only")
    imports.add_argument("history", metavar="FILE", help="YAML or JSON, or a shipped history: phase_1_to_6")
    imports.add_argument("--user", default="operator", help="account that owns it (default: operator)")
    imports.add_argument("--json", action="store_true", help="print JSON")
    imports.set_defaults(run_command=_with_models("experiments", "import_history"))

    regrade = commands.add_parser(
        "regrade",
        help="grade an experiment's stored completions by the newest graders, beside the old outcomes",
    )
    regrade.add_argument("experiment", metavar="EXP", help="its name, e.g. demo-1")
    regrade.add_argument("--json", action="store_true", help="print JSON")
    regrade.set_defaults(run_command=_with_models("experiments", "regrade"))

    report = commands.add_parser("report", help="print the report of an experiment")
    report.add_argument("experiment", metavar="EXP", help="its name, e.g. demo-1")
    report.add_argument("--format", choices=[*REPORT_FORMATS], default="md")
    report.add_argument("--problems", metavar="SUBSET", help=SUBSETS)
    report.set_defaults(run_command=_with_models("experiments", "print_report"))


def _add_data(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    data = commands.add_parser("data", help="list the data sets that the shipped recipes want; get them")
    data.add_argument("--json", action="store_true", help="print JSON")
    data.set_defaults(run_command=_data("show"))
    fetch = data.add_subparsers(metavar="COMMAND").add_parser(
        "fetch", help="get data sets from the Hugging Face hub into MULBERRY_DATA"
    )
    fetch.add_argument(
        "names", nargs="+", metavar="NAME", help="as `mulberry data` lists them, e.g. gsm8k gpt2"
    )
    fetch.add_argument("--again", action="store_true", help="also what is here already")
    fetch.set_defaults(run_command=_data("fetch"))


def _add_access(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    sign_in = commands.add_parser("sign-in", help="print a new one-time sign-in link")
    sign_in.add_argument("--address", help="of the dashboard (default: where `mulberry up` serves it)")
    sign_in.add_argument("--user", default="operator", help="account to sign in (default: operator)")
    sign_in.set_defaults(run_command=_access("sign_in"))
    tokens = commands.add_parser("token", help="API tokens").add_subparsers(required=True, metavar="COMMAND")
    create = tokens.add_parser("create", help="print a new API token; it is shown once")
    create.add_argument("--name", default="command line", help="what it is for")
    create.add_argument("--user", default="operator", help="account that it acts for (default: operator)")
    create.add_argument("--json", action="store_true", help="print JSON")
    create.set_defaults(run_command=_access("create_token"))


def _add_backup(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    texts = {
        "backup": "write database, checkpoints and journals into a folder, as of one moment",
        "restore": "put a backup into an empty home and database",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("folder", metavar="FOLDER", help="the backup")
        command.set_defaults(run_command=_plain("backup", name))


def _add_seed(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    seed = commands.add_parser(
        "seed", help="make an experiment of synthetic records, to try the dashboard at a size"
    )
    seed.add_argument("--rollouts", type=_count, default=10_000, help="in all (default: 10000)")
    seed.add_argument("--points", type=_count, default=100_000, help="of metrics, in all (default: 100000)")
    seed.set_defaults(run_command=_with_models("seed", "seed"))


# Modules are imported when their command runs: models load only once Django is set up.


def _stack(name: str) -> Command:
    def run(options: argparse.Namespace) -> int:
        from workers.cli.commands import stack
        from workers.stack.supervisor import StartError

        try:
            return int(getattr(stack, name)(options))
        except StartError as error:
            raise CommandError(str(error)) from None

    return run


def _with_models(module: str, name: str) -> Command:
    def run(options: argparse.Namespace) -> int:
        from workers.cli.commands import database

        database.set_up()  # models cannot be imported before
        return int(getattr(import_module(f"workers.cli.commands.{module}"), name)(options))

    return run


def _data(name: str) -> Command:
    def run(options: argparse.Namespace) -> int:
        from workers.cli.commands import data

        return int(getattr(data, name)(options))

    return run


def _access(name: str) -> Command:
    def run(options: argparse.Namespace) -> int:
        from workers.cli.commands import access

        return int(getattr(access, name)(options))

    return run


def _plain(module: str, name: str) -> Command:
    """A command that sees to the database itself."""
    return lambda options: int(getattr(import_module(f"workers.cli.commands.{module}"), name)(options))


def _doctor(options: argparse.Namespace) -> int:
    from workers.cli import doctor

    return doctor.run(as_json=options.json)


def _slots(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"give a number, 1 or more, not {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"give a number, 0 or more, not {text!r}")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)
