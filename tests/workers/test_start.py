"""What a start imports: help without Django, the web and the commands without what only some pages and files need."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import ROOT

pytestmark = pytest.mark.slow

HEAVY = {"scipy", "torch", "pandas", "transformers", "statsmodels", "plotly", "matplotlib"}
FILES = {"pyarrow", "openpyxl"}  # what Parquet and Excel are written by


def imported(code: str, home: Path) -> set[str]:
    """The packages and this project's modules that a fresh interpreter has after the code."""
    told = "import sys; print('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{told}"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "MULBERRY_HOME": str(home),
            "DJANGO_SETTINGS_MODULE": "webapp.settings",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines())


@pytest.mark.parametrize("command", ["", "table", "export", "report", "launch", "worker"])
def test_help_loads_neither_django_nor_anything_heavy(command: str, tmp_path: Path) -> None:
    code = f"""
from workers.cli.main import main
try:
    main({[*command.split(), "--help"]})
except SystemExit as ended:
    assert ended.code == 0
"""
    found = imported(code, tmp_path)
    assert "workers.cli" in found
    assert not found & {*HEAVY, *FILES, "django", "pydantic", "numpy", "celery", "psycopg", "asyncio"}
    assert list(tmp_path.iterdir()) == [], "help leaves nothing behind"


def test_the_web_starts_without_what_only_some_pages_need(tmp_path: Path) -> None:
    found = imported("import webapp.asgi, webapp.urls", tmp_path)
    assert {"webapp.live.stream", "webapp.pages.comparison.views"} <= found
    assert not found & {*HEAVY, *FILES}


def test_the_list_of_experiments_loads_models_alone(tmp_path: Path) -> None:
    code = "import django; django.setup(); import workers.cli.commands.listing"
    found = imported(code, tmp_path)
    assert not found & {*HEAVY, *FILES, "numpy", "celery", "pydantic"}
    assert not {name for name in found if name.endswith((".views", ".forms")) and name.startswith("webapp.")}


def test_a_worker_starts_without_torch(tmp_path: Path) -> None:
    found = imported("import django; django.setup(); import workers.worker", tmp_path)
    assert not found & {*HEAVY, *FILES}
