"""A name says one thing: no two modules of the shipped packages have a class of one name."""

import ast
from collections import defaultdict
from pathlib import Path

from tests.stack import ROOT

# Name → why several modules may have a class of it.
SHARED: dict[str, str] = {"Migration": "Django looks for this name in each migration"}


def classes(root: Path) -> dict[str, list[str]]:
    """Name of a module's class → the modules that define it, as paths from `root`."""
    homes = defaultdict(list)
    for package in ("training", "webapp", "workers"):
        for path in sorted((root / package).rglob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    homes[node.name].append(str(path.relative_to(root)))
    return homes


def shared(root: Path) -> dict[str, list[str]]:
    """What `classes` has more than once, the exceptions left out."""
    return {name: paths for name, paths in classes(root).items() if len(paths) > 1 and name not in SHARED}


def test_no_two_modules_have_a_class_of_one_name() -> None:
    assert shared(ROOT) == {}


def test_exceptions_are_still_needed() -> None:
    found = classes(ROOT)
    assert [name for name in SHARED if len(found[name]) < 2] == []


def test_a_second_class_of_a_name_is_found(tmp_path: Path) -> None:
    for room in ("webapp/launch", "training/data"):
        (tmp_path / room).mkdir(parents=True)
        (tmp_path / room / "planted.py").write_text("class Row:\n    class Inner: ...\n")
    assert shared(tmp_path) == {"Row": ["training/data/planted.py", "webapp/launch/planted.py"]}
