"""A plug-in of each kind takes the files that CONTRIBUTING says, no other, and is then shown wherever its kind is."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from django.db import connection

from tests.factories import add_evaluation, add_metrics, make_attempt, make_experiment, run_of
from tests.plug_ins.entries import ENTRIES
from training.process.journal import records
from webapp.runs.models import State

ROOT = Path(__file__).resolve().parent.parent
ADDED = ROOT / "tests" / "plug_ins" / "added"
COPIED = ("training", "webapp", "workers", "templates", "static", "docs", "tests/plug_ins")
NAME = "counting"  # of every plug-in here
FEWEST_LINES = 8  # of a table that was read


def table() -> dict[str, tuple[list[str], list[str]]]:
    """CONTRIBUTING's table: what is added → its new files, and those that get an entry."""
    section = (ROOT / "CONTRIBUTING.md").read_text().split("## Where things go")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| a")]
    return {
        what.strip(): tuple(
            [path.replace("<name>", NAME) for path in re.findall(r"`([^`]+)`", cell)] for cell in cells
        )
        for what, *cells in rows
    }  # type: ignore[return-value]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with every plug-in."""
    folder = tmp_path_factory.mktemp("tree")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("manage.py", "pyproject.toml", "tests/__init__.py", "tests/pages.py"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ADDED, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for entries in ENTRIES.values():
        for path, lines in entries.items():
            text = (folder / path).read_text()
            for behind, line in lines:
                assert text.count(f"\n{behind}\n") == 1, f"{path} has no line of its own {behind!r}"
                text = text.replace(f"\n{behind}\n", f"\n{behind}\n{line}\n")
            (folder / path).write_text(text)
    return folder


def run(tree: Path, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": str(tree), **environment}
    return subprocess.run(command, cwd=tree, env=variables, capture_output=True, text=True)


def test_contributing_lists_the_files_that_were_added() -> None:
    listed = table()
    assert len(listed) >= FEWEST_LINES
    assert {what: entries for what, (_, entries) in listed.items()} == {
        what: list(entries) for what, entries in ENTRIES.items()
    }
    new = [path for paths, _ in listed.values() for path in paths]
    assert sorted(new) == sorted(
        path.relative_to(ADDED).as_posix()
        for path in ADDED.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    )


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_each_is_shown_wherever_its_kind_is(tree: Path) -> None:
    experiment = make_experiment(
        conditions=("baseline", "mul_tokens"), stages=(("counting", "counting"), ("grpo", "grpo"))
    )
    for condition in ("baseline", "mul_tokens"):
        for stage in ("counting", "grpo"):
            attempt = make_attempt(run_of(experiment, condition, stage), state=State.SUCCEEDED)
            add_metrics(attempt, {"counted": [1.0, 2.0, 3.0]})
            add_evaluation(attempt, [True, False] * 10)
    counted = run_of(experiment, "baseline", "counting")
    at = connection.settings_dict
    where = urlencode({"host": at["HOST"], "port": at["PORT"]})
    url = f"postgresql://{quote(at['USER'])}:{quote(at['PASSWORD'])}@/{quote(at['NAME'])}?{where}"
    looked = run(
        tree, sys.executable, "-m", "tests.plug_ins.looks", experiment.name, str(counted.pk), DATABASE_URL=url
    )
    assert looked.returncode == 0, looked.stderr
    found = json.loads(looked.stdout)
    assert found.keys() == table().keys()
    assert [(what, key) for what, looks in found.items() for key, holds in looks.items() if not holds] == []


@pytest.mark.slow
def test_a_stage_runs(tree: Path, tmp_path: Path) -> None:
    asked = "import sys; from training.recipes import recipe as r; print(r.resolve(r.build(r.read('counting')))[0].model_dump_json())"
    spec = run(tree, sys.executable, "-c", asked)
    assert spec.returncode == 0, spec.stderr
    (tmp_path / "spec.json").write_text(json.dumps({"spec": json.loads(spec.stdout)}))
    trained = run(tree, sys.executable, "-m", "training", tmp_path)
    assert trained.returncode == 0, trained.stdout + trained.stderr
    counted = [one.fields["values"] for one in records(tmp_path / "journal") if one.type == "metrics"]
    assert counted == [{"counted": number} for number in (1.0, 2.0, 3.0, 4.0)]


def test_the_directions_of_imports_hold_with_them(tree: Path) -> None:
    checked = run(tree, Path(sys.executable).with_name("lint-imports"), "--no-cache")
    assert checked.returncode == 0, checked.stdout
