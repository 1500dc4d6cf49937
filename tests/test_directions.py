"""The directions of imports hold, and `make check` notices when they do not."""

import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from training.stages import STAGES

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("training", "webapp", "workers"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [program, "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_code_keeps_the_directions(copy: Path) -> None:
    checked = lint_imports(copy)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("webapp/urls.py", "import torch", "webapp and workers start without torch"),
        ("webapp/health.py", "from workers import cli", "workers over webapp over training"),
        ("training/process/journal.py", "import django", "training knows no web"),
    ],
)
def test_a_planted_import_is_found(copy: Path, module: str, line: str, contract: str) -> None:
    with (copy / module).open("a") as file:
        file.write(f"\n{line}\n")
    checked = lint_imports(copy)
    assert checked.returncode != 0
    broken = [said for said in checked.stdout.splitlines() if "BROKEN" in said]
    assert any(contract in said for said in broken), checked.stdout


def test_the_contract_of_independent_stages_covers_every_kind(copy: Path) -> None:
    pairs = list(pairwise([*STAGES, next(iter(STAGES))]))
    for kind, other in pairs:
        with (copy / f"training/stages/{kind}/config.py").open("a") as file:
            file.write(f"\nimport training.stages.{other}.config\n")
    broken = " ".join(lint_imports(copy).stdout.split())  # its lines are wrapped
    for kind, other in pairs:
        assert f"training.stages.{kind} is not allowed to import training.stages.{other}:" in broken
