"""`make check` lints JavaScript and CSS: what is shipped is clean, and a planted fault is found; lines and modules are short."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import ROOT

LONGEST = 160  # characters of a template's line
MOST_LINES = 400  # of a module
COMMAND = "biome lint --error-on-warnings static"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program, *arguments = COMMAND.split()
    return subprocess.run(
        [Path(sys.executable).with_name(program), *arguments], cwd=folder, capture_output=True, text=True
    )


def test_scripts_and_styles_are_clean_and_make_looks() -> None:
    assert f"$(BIN)/{COMMAND}\n" in (ROOT / "Makefile").read_text()
    checked = lint(ROOT)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("js/planted.js", "export function a() {\n  const unused = 1;\n}\n", "noUnusedVariables"),
        ("js/planted.js", "export const a = (b) => b == 1;\n", "noDoubleEquals"),
        ("css/planted.css", "p { colour: red; }\n", "noUnknownProperty"),
    ],
)
def test_a_planted_fault_is_found(tmp_path: Path, name: str, content: str, rule: str) -> None:
    shutil.copy(ROOT / "biome.jsonc", tmp_path)
    planted = tmp_path / "static" / name
    planted.parent.mkdir(parents=True)
    planted.write_text(content)
    checked = lint(tmp_path)
    assert checked.returncode != 0
    assert rule in checked.stdout + checked.stderr


def test_lines_of_templates_are_short() -> None:
    files = list((ROOT / "templates").rglob("*.html"))
    assert files
    lines = [(path, number, line) for path in files for number, line in enumerate(path.open(), 1)]
    assert [f"{path}:{number}" for path, number, line in lines if len(line.rstrip("\n")) > LONGEST] == []


def test_modules_can_be_read_in_one_go() -> None:
    folders = ("training", "webapp", "workers", "tests", "benchmarks")
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
    }
    assert len(lengths) > 500
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}
