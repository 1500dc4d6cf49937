"""The `mulberry` command against a running stack: what it prints, and what it says when it cannot."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import ROOT, RunningStack

pytestmark = pytest.mark.timeout(600)
# A seed of its own, so that no other test's experiment takes over what was trained here
OWN_SEED = ("smoke", "--set", "seeds=[8]")


def test_bad_recipes_are_refused_in_one_line_and_queue_nothing(
    stack: RunningStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stack.rows("SELECT count(*) FROM experiments_experiment")
    done = stack.mulberry("launch", "smoke", "--set", "stages.grpo.group_sise=4")  # others: tests/workers/cli
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "no setting 'group_sise'; did you mean 'group_size'" in done.stderr
    monkeypatch.setitem(stack.environment, "MULBERRY_DATA", str(tmp_path))
    done = stack.mulberry("launch", "gsm8k_tiny")
    assert done.returncode == 1
    for line in done.stderr.splitlines():  # one a missing file
        assert str(tmp_path) in line and "set MULBERRY_DATA" in line
    assert done.stderr
    assert stack.rows("SELECT count(*) FROM experiments_experiment") == before


def test_years_of_work_are_launched_only_when_confirmed(stack: RunningStack) -> None:
    before = stack.rows("SELECT count(*) FROM experiments_experiment")
    years = [*OWN_SEED, "--set", "stages.grpo.prompts=100000000000"]
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
        [sys.executable, "-m", "workers.cli", "launch", *OWN_SEED, "--wait"],
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
    assert "baseline seed 8 pretrain cancelled" in error


def test_table_and_report_have_every_stage(stack: RunningStack) -> None:
    name = json.loads(stack.mulberry("launch", *OWN_SEED, "--json").stdout)["name"]
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
    assert "About 1,450 problems a condition" in stack.mulberry("report", "phase_1_to_6").stdout
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
