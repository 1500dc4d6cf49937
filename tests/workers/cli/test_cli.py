"""The `mulberry` command against a running stack: what it prints, and what it says when it cannot."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import ROOT, RunningStack
from workers.cli.main import build_parser

pytestmark = pytest.mark.timeout(240)


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command where nothing runs."""
    return subprocess.run(
        [sys.executable, "-m", "workers.cli", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "MULBERRY_HOME": str(home)},
        capture_output=True,
        text=True,
    )


COMMANDS = ["up", "demo", "web", "worker", "doctor", "launch", "list", "status", "cancel", "retry", "table"]
COMMANDS += ["report", "export", "sign-in", "token", "seed", "queue"]


@pytest.mark.parametrize("command", [*([name] for name in COMMANDS), ["token", "create"], []])
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([*command, "--help"])
    assert ended.value.code == 0
    assert "usage: mulberry" in capsys.readouterr().out


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


@pytest.mark.parametrize(("arguments", "says"), BAD)
def test_a_recipe_that_cannot_run_is_refused_in_one_line(home: Path, arguments: list[str], says: str) -> None:
    done = run(home, "launch", *arguments)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert says in done.stderr


def test_bad_recipes_queue_nothing(
    stack: RunningStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stack.rows("SELECT count(*) FROM experiments_experiment")
    for arguments, says in BAD:
        done = stack.mulberry("launch", *arguments)
        assert done.returncode == 1 and says in done.stderr
    monkeypatch.setitem(stack.environment, "MULBERRY_DATA", str(tmp_path))
    done = stack.mulberry("launch", "gsm8k_tiny")
    assert done.returncode == 1
    for line in done.stderr.splitlines():  # one a missing file
        assert str(tmp_path) in line and "set MULBERRY_DATA" in line
    assert done.stderr
    assert stack.rows("SELECT count(*) FROM experiments_experiment") == before


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
    assert "92 % at 2 %" in plan["cautions"][0]["text"]
    assert plan["power"]["problems"] == 1_319


def test_years_of_work_are_launched_only_when_confirmed(stack: RunningStack) -> None:
    before = stack.rows("SELECT count(*) FROM experiments_experiment")
    years = ["smoke", "--set", "stages.grpo.prompts=100000000000"]
    asked = stack.mulberry("launch", *years)
    assert asked.returncode == 1
    assert "years of" in asked.stderr and "confirm with --yes" in asked.stderr
    shown = stack.mulberry("launch", *years, "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert re.search(r"^asks +This would take about [\d,]+ years", shown.stdout, re.MULTILINE)
    assert re.search(r"^queue +\d+ stage runs go first, on \d+ slots", shown.stdout, re.MULTILINE)
    assert stack.rows("SELECT count(*) FROM experiments_experiment") == before
    confirmed = stack.mulberry("launch", *years, "--yes", "--json")
    assert confirmed.returncode == 0, confirmed.stderr
    stack.mulberry("cancel", json.loads(confirmed.stdout)["name"])


def test_launch_list_status_cancel_retry(stack: RunningStack) -> None:
    launched = stack.mulberry("launch", "smoke", "--set", "seeds=[7]", "--json")
    assert launched.returncode == 0, launched.stderr
    experiment = json.loads(launched.stdout)
    name = experiment["name"]
    assert re.fullmatch(r"smoke-\d+", name)
    (stored,) = stack.rows("SELECT id, recipe->'seeds' FROM experiments_experiment WHERE name = %s", [name])
    assert stored[1] == [7]

    listed = json.loads(stack.mulberry("list", "--json").stdout)
    assert sum(next(row for row in listed if row["name"] == name)["states"].values()) == experiment["runs"]
    status = json.loads(stack.mulberry("status", name, "--json").stdout)
    assert len(status["runs"]) == experiment["runs"]
    assert name in stack.mulberry("list").stdout
    assert "pretrain" in stack.mulberry("status", name).stdout

    cancelled = stack.mulberry("cancel", name)
    assert cancelled.returncode == 0, cancelled.stderr
    nothing = stack.mulberry("retry", name, "--run", "0")
    assert nothing.returncode == 1 and f"{name} has no run 0" in nothing.stderr

    lost = stack.mulberry("status", name + "x")
    assert lost.returncode == 1
    assert lost.stderr.splitlines() == [f"mulberry: there is no experiment '{name}x'; did you mean '{name}'?"]


def test_wait_fails_when_a_run_does_not_succeed(stack: RunningStack) -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-m", "workers.cli", "launch", "smoke", "--wait"],
        cwd=ROOT,
        env=stack.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert waiting.stdout is not None
    name = waiting.stdout.readline().split(":")[0]
    cancelled = stack.mulberry("cancel", name)
    assert cancelled.returncode == 0, cancelled.stderr
    _, error = waiting.communicate(timeout=120)
    assert waiting.returncode == 1
    assert "baseline seed 0 pretrain cancelled" in error


def test_table_and_report_have_every_stage(stack: RunningStack) -> None:
    name = json.loads(stack.mulberry("launch", "smoke", "--json").stdout)["name"]
    stack.mulberry("cancel", name)
    table = stack.mulberry("table", name)
    assert table.returncode == 0, table.stderr
    assert re.search(r"\| Stage \| baseline \| mul\\?_tokens", table.stdout)
    as_csv = stack.mulberry("table", name, "--format", "csv")
    assert as_csv.stdout.startswith("experiment,recipe,")
    assert json.loads(stack.mulberry("table", name, "--format", "json").stdout)["rows"] == []
    unknown = stack.mulberry("table", name, "--metric", "acuracy")
    assert unknown.returncode == 1 and "did you mean 'accuracy'" in unknown.stderr
    assert stack.mulberry("report", name).stdout.startswith("# ")
    assert "<table" in stack.mulberry("report", name, "--format", "html").stdout


def test_a_token_is_shown_once_and_only_its_hash_is_kept(stack: RunningStack) -> None:
    made = stack.mulberry("token", "create", "--name", "laptop", "--json")
    token = json.loads(made.stdout)["token"]
    (row,) = stack.rows("SELECT name, secret_sha256 FROM accounts_apitoken")
    assert row[0] == "laptop"
    assert token not in row[1]
    assert stack.mulberry("token", "create", "--user", "nobody").returncode == 1


def test_doctor_is_content_with_a_running_stack(stack: RunningStack) -> None:
    done = stack.mulberry("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    assert stack.address in checks["running"]["text"]
    assert checks["database"]["text"] == "answers, migrations applied"


def test_doctor_names_a_broken_cluster(home: Path) -> None:
    (home / "postgres" / "data").mkdir(parents=True)
    done = run(home, "doctor")
    assert done.returncode == 1
    assert re.search(r"^PROBLEM +postgres ", done.stdout, re.MULTILINE)


def test_import_of_the_shipped_history_and_of_files(stack: RunningStack, tmp_path: Path) -> None:
    first = stack.mulberry("import", "phase_1_to_6")
    assert first.returncode == 0, first.stderr
    assert first.stdout == "phase_1_to_6: 16 results imported, counts only\n"
    again = stack.mulberry("import", "phase_1_to_6", "--json")
    assert json.loads(again.stdout) == {"name": "phase_1_to_6", "new": False, "results": 16}
    assert (
        stack.mulberry("import", "phase_1_to_6").stdout == "phase_1_to_6: is there already; nothing changed\n"
    )
    listed = json.loads(stack.mulberry("list", "--json").stdout)
    assert [row["states"] for row in listed if row["name"] == "phase_1_to_6"] == [{"imported": 12}]
    table = stack.mulberry("table", "phase_1_to_6")
    assert "20/500" in table.stdout and "unpaired" in table.stdout
    assert "about 1,450 problems a condition" in stack.mulberry("report", "phase_1_to_6").stdout
    for command in ("cancel", "retry"):
        refused = stack.mulberry(command, "phase_1_to_6")
        assert refused.returncode == 1 and len(refused.stderr.splitlines()) == 1
    (tmp_path / "broken.yaml").write_text("name: x\n- y")
    for name, says in (
        ("phase_1_to_5", "did you mean 'phase_1_to_6'"),
        (f"{tmp_path}/broken.yaml", "not YAML"),
    ):
        wrong = stack.mulberry("import", name)
        assert wrong.returncode == 1 and says in wrong.stderr and len(wrong.stderr.splitlines()) == 1
