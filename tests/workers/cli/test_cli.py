"""The `mulberry` command where nothing runs; against a running stack: tests/e2e/test_commands.py."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests import commands
from tests.stack import ROOT
from webapp.experiments.models import Experiment
from workers.cli.main import build_parser, main

pytestmark = pytest.mark.timeout(240)


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command where nothing runs."""
    environment = {"PATH": "/usr/bin:/bin", "MULBERRY_HOME": str(home)}
    return commands.mulberry(arguments, environment, ROOT, timeout=60)


COMMANDS = ["up", "demo", "web", "worker", "doctor", "launch", "list", "status", "cancel", "retry", "table"]
COMMANDS += ["regrade", "report", "export", "sign-in", "token", "seed", "queue"]


@pytest.mark.parametrize("command", [*([name] for name in COMMANDS), ["token", "create"], []])
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([*command, "--help"])
    assert ended.value.code == 0
    assert "usage: mulberry" in capsys.readouterr().out


@pytest.mark.slow
def test_without_a_database_it_says_what_to_start(home: Path) -> None:
    for command in (["list"], ["launch", "smoke"], ["status", "smoke-1"], ["token", "create"], ["worker"]):
        done = run(home, *command)
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            f"mulberry: no database for {home}; start `mulberry up` first, or set DATABASE_URL"
        ]
    assert not (home / "postgres").exists()


@pytest.mark.parametrize(
    ("text", "names"), [("default", ["default"]), (" a , b,,a,", ["a", "b"]), ("gpu-1.x_2", ["gpu-1.x_2"])]
)
def test_a_worker_takes_names_of_queues(text: str, names: list[str]) -> None:
    assert build_parser().parse_args(["worker", "--queues", text]).queues == names


@pytest.mark.parametrize(("text", "says"), [(",", "such as default"), ("a b", "'a b' is no name of a queue")])
def test_a_queue_without_a_usable_name_is_refused(
    text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["worker", "--queues", text])
    assert says in capsys.readouterr().err


BAD = [
    (["nonsense"], "there is no recipe 'nonsense'"),
    (["--fork", "smoke-1"], "name a recipe, or an experiment and a stage: --fork EXPERIMENT --at STAGE"),
    (["smoke", "--fork", "smoke-1", "--at", "grpo"], "name a recipe, or an experiment and a stage"),
    (["smok"], "did you mean 'smoke'"),
    (["no/such/file.yaml"], "no/such/file.yaml"),
    (["smoke", "--set", "nothing"], "write --set path=value"),
    (["smoke", "--set", "stages.pretrain.steps=-1"], "stages.pretrain.steps: must be at least 1, not -1"),
    (
        ["smoke", "--set", "stages.pretrain.optimizer.learning_rate=abc"],
        "stages.pretrain.optimizer.learning_rate: must be a valid number, not 'abc'",
    ),
    (["smoke", "--set", "stages.grpo.prompts=0"], "stages.grpo.prompts: must be at least 1, not 0"),
    (["smoke", "--set", "stages.grpo.group_size=7"], "stages.grpo.group_size: 7 does not divide"),
    (["smoke", "--set", "stages.grpo.group_sise=4"], "no setting 'group_sise'; did you mean 'group_size'"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("arguments", "says"), BAD)
def test_a_bad_launch_is_refused_in_one_line_and_queues_nothing(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["launch", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert not Experiment.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "there is no recipe 'nonsense'"),
        (["smoke", "--set", "stages.pretrain.steps=-1"], "stages.pretrain.steps: must be at least 1, not -1"),
    ],
)
def test_a_recipe_that_cannot_run_is_refused_before_a_database_is_asked(
    home: Path, arguments: list[str], says: str
) -> None:
    done = run(home, "launch", *arguments)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert says in done.stderr


def test_a_dry_run_needs_no_database_and_shows_the_published_run(home: Path) -> None:
    done = run(home, "launch", "phase6_grpo_20x", "--dry-run")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "2 conditions × 1 seed × 4 stages = 8 stage runs; 124.5 M parameters" in lines[1]
    shown = {words[0]: words for line in lines if (words := line.split())}
    assert shown["pretrain"][:4] == ["pretrain", "all", "2", "19,073"] and "10.0 B" in done.stdout
    assert shown["grpo"][:5] == ["grpo", "all", "2", "2,000", "80,000"]
    assert "160,000 in all, 80,000 a condition" in done.stdout
    assert re.search(r"^time +[\d.]+ GPU hours on RTX 4090 \(guess\)$", done.stdout, re.MULTILINE)
    assert re.search(r"^disk +28.7 GB", done.stdout, re.MULTILINE)
    assert re.search(r"^reused +nothing", done.stdout, re.MULTILINE)
    assert "no database answers here" in done.stdout
    assert not (home / "postgres").exists()


def test_a_dry_run_takes_changes_and_speaks_json(home: Path) -> None:
    done = run(
        home, "launch", "phase6_grpo_20x", "--dry-run", "--set", "scale=1x", "--device", "h200", "--json"
    )
    plan = json.loads(done.stdout)
    assert (plan["device"], plan["measured"], plan["rollouts_a_condition"]) == ("h200", False, 4_000)
    assert [one["stage"] for one in plan["runs"][:4]] == ["pretrain", "tulu", "curriculum", "grpo"]
    assert "At 2 % accuracy, at least 92 % of the groups" in plan["cautions"][0]["text"]
    assert plan["power"]["problems"] == 1_319


def test_doctor_names_a_broken_cluster(home: Path) -> None:
    (home / "postgres" / "data").mkdir(parents=True)
    done = run(home, "doctor")
    assert done.returncode == 1
    assert re.search(r"^PROBLEM +postgres ", done.stdout, re.MULTILINE)
