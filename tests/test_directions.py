"""The directions of imports hold, and `make check` notices when they do not."""

import os
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from training.stages import STAGES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
PLANTED = {  # contract → a module, and the import in it that breaks the contract
    "workers over webapp over training, never back": ("webapp/health.py", "from workers import batch"),
    "training knows no web": ("training/process/journal.py", "import django"),
    "webapp and workers start without torch": ("webapp/urls.py", "import torch"),
    "rooms of the web side, from pages down to models": (
        "webapp/runs/queues.py",
        "from webapp.pages import run",
    ),
    "statistics and files know no database": ("webapp/statistics/trends.py", "from django.db import models"),
    "the web side takes of training what needs no torch": (
        "webapp/launch/sample_size/power.py",
        "from training.sampling import token_choice",
    ),
    "the mulberry command over stack and worker": ("workers/claim.py", "from workers.stack import guard"),
    "the stack starts programs, it does not import them": (
        "workers/stack/guard.py",
        "from workers import worker",
    ),
    "rooms of training, from the process down to settings": (
        "training/settings/work_estimate.py",
        "from training.recipes import recipe",
    ),
    "stages do not import each other": (
        "training/stages/sft/config.py",
        "from training.stages.grpo.config import GrpoSettings",
    ),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("training", "webapp", "workers"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def told_by_linter(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"}
    return subprocess.run(
        [program, "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True
    )


def lint_imports(folder: Path) -> dict[str, bool]:
    """Contract → whether the code in a folder keeps it; the exit status agrees."""
    done = told_by_linter(folder)
    lines = done.stdout.splitlines()
    kept = {name: any(line.startswith(f"{name} KEPT") for line in lines) for name in contracts(folder)}
    assert (done.returncode == 0) == all(kept.values()), done.stdout
    return kept


def contracts(folder: Path) -> list[str]:
    """Names of the contracts in a folder's pyproject.toml."""
    settings = tomllib.loads((folder / "pyproject.toml").read_text())
    return [contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]]


def test_the_code_keeps_every_contract(copy: Path) -> None:
    assert all(lint_imports(copy).values())


def test_a_planted_import_breaks_its_contract(copy: Path) -> None:
    assert set(PLANTED) == set(contracts(copy))
    for module, line in PLANTED.values():
        with (copy / module).open("a") as file:
            file.write(f"\n{line}\n")
    assert not any(lint_imports(copy).values())


def test_the_contract_of_independent_stages_covers_every_kind(copy: Path) -> None:
    pairs = list(pairwise([*STAGES, next(iter(STAGES))]))
    for kind, other in pairs:
        with (copy / f"training/stages/{kind}/config.py").open("a") as file:
            file.write(f"\nimport training.stages.{other}.config\n")
    broken = " ".join(told_by_linter(copy).stdout.split())
    for kind, other in pairs:
        assert f"training.stages.{kind} is not allowed to import training.stages.{other}:" in broken
