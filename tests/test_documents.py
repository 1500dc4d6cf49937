"""What documents and deployment files say is so."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from training.recipes import recipe as recipes
from workers.cli.main import build_parser

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def environment_names(*folders: str) -> set[str]:
    """Variables that the source reads."""
    pattern = r'environ(?:\.get\(|\[)"((?:MULBERRY|DATABASE|CELERY|DJANGO)_[A-Z_]+)"'
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return {name for path in files for name in re.findall(pattern, path.read_text())} - {
        "DJANGO_SETTINGS_MODULE"
    }


def test_operations_lists_every_variable() -> None:
    table = (ROOT / "docs" / "operations.md").read_text()
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE))
    assert listed == environment_names("training", "webapp", "workers")


@pytest.mark.parametrize("document", ["README.md", "docs/operations.md"])
def test_commands_in_documents_exist(document: str) -> None:
    blocks = re.findall(r"^```\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)
    commands = re.findall(
        r"(?:^| {2,}|exec web )(mulberry [^\n>#]+?)(?= {2,}| >|\n)", "".join(blocks), re.MULTILINE
    )
    assert commands
    for command in commands:
        options = build_parser().parse_args(shlex.split(command)[1:])
        if command.startswith("mulberry launch") and options.fork is None:
            recipes.build(recipes.read(options.recipe), map(recipes.parse_change, options.set))


@pytest.mark.parametrize(
    "document",
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")],
    ids=lambda path: path.name,
)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if "://" not in target and not target.endswith(".png"):
            assert (document.parent / target).exists(), target


def test_every_promise_has_the_test_that_it_names() -> None:
    rows = re.findall(
        r"^\| (?!promise|-)(.+?) \| (.+) \|$", (ROOT / "docs" / "reliability.md").read_text(), re.MULTILINE
    )
    assert rows
    for promise, shown in rows:
        named = re.findall(r"`(tests/[a-z_/]+\.py)::(test_\w+)`", shown)
        assert named, promise
        for module, test in named:
            assert f"def {test}(" in (ROOT / module).read_text(), f"{module} has no {test}"


def test_make_has_the_targets_that_the_documents_name() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = "".join((ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md"))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", told, re.MULTILINE))
    assert {"demo", "run", "setup", "test", "check", "bench", "test-services"} <= targets
    assert named <= targets


def test_compose_starts_what_exists() -> None:
    assert set(COMPOSE["services"]) == {"postgres", "rabbitmq", "web", "worker"}
    for service in COMPOSE["services"].values():
        for needed in service.get("depends_on", {}):
            assert "healthcheck" in COMPOSE["services"][needed]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or source.startswith((".", "$"))
        assert "healthcheck" in service
        asked = service["healthcheck"]["test"][1:]
        for program, *arguments in [service.get("command", ["none"]), asked]:
            if program == "mulberry":
                build_parser().parse_args(arguments)
        if service["image"] == "mulberry":
            assert service["command"][0] == "mulberry"
            known = environment_names("webapp") | {"FORWARDED_ALLOW_IPS"}
            assert set(service["environment"]) <= known


def test_the_image_is_made_of_what_exists() -> None:
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY"):
            *sources, _ = [word for word in line.split()[1:] if not word.startswith("--")]
            assert all((ROOT / source).exists() for source in sources), line


def test_ci_runs_the_two_targets() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", script], check=True)
    assert "make check\nmake test\n" in script.read_text()
