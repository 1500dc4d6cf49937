"""The wheel holds all that is needed: installed away from the repository, it serves the dashboard with its style."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import httpx
import pytest

from tests.stack import OURS, ROOT, free_port, processes_of
from webapp.pages.help.documents import DOCUMENTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PATIENCE = 90  # seconds


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, and the folder of this one's libraries; .pth files in that do not count."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder to start from whose own packages have the names of ours."""
    for name in ("training", "webapp", "workers"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('somebody else')")
    return tmp_path


def clean(**variables: str) -> dict[str, str]:
    """This process's environment without what leads to the repository."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith((*OURS, "PYTHON", "XDG_"))
    }
    return {**kept, **variables}


def files_below(*folders: str) -> set[str]:
    """What git has, or would take, below folders of the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {name for name in listed.splitlines() if (ROOT / name).is_file()}


def test_the_wheel_has_every_file_and_leaves_the_name_free(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    expected = files_below("training", "webapp", "workers")
    expected |= {f"webapp/{name}" for name in files_below("templates", "static")}
    expected |= {f"webapp/docs/{name}.md" for name in DOCUMENTS}
    assert any(name.startswith("webapp/static/vendor/plotly") for name in expected)
    assert expected <= inside
    others = {name for name in inside - expected if not name.startswith("mulberry-")}
    assert others == set()


def test_installed_it_is_used_and_keeps_its_things_in_the_users_folder(
    environment: Path, elsewhere: Path
) -> None:
    program = (
        "import importlib.util as i; print(*(i.find_spec(n) for n in ('mulberry', 'workers.cli')), sep='\\n')"
    )
    found = subprocess.run(
        [environment / "bin" / "python", "-P", "-c", program],
        cwd=elsewhere, env=clean(), check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    assert found[0] == "None"
    assert str(environment) in found[1]

    doctor = subprocess.run(
        [environment / "bin" / "mulberry", "doctor", "--json"],
        cwd=elsewhere, env=clean(XDG_DATA_HOME=str(elsewhere / "share")), capture_output=True, text=True,
    )  # fmt: skip
    checks = {check["name"]: check["text"] for check in json.loads(doctor.stdout)}
    assert checks["home"] == str(elsewhere / "share" / "mulberry")


def test_the_dashboard_has_its_style(environment: Path, elsewhere: Path, home: Path) -> None:
    port, output = free_port(), elsewhere / "up.txt"
    with output.open("wb") as written:
        process = subprocess.Popen(
            [environment / "bin" / "mulberry", "up", "--port", str(port)],
            cwd=elsewhere, env=clean(MULBERRY_HOME=str(home)), stdout=written, stderr=written,
        )  # fmt: skip
    try:
        limit = time.monotonic() + PATIENCE
        while "Ctrl-C stops it" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < limit, output.read_text()
            time.sleep(0.1)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", follow_redirects=True) as client:
            page = client.get("/")
            assert (page.status_code, page.url.path) == (200, "/sign-in/")
            parts = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
            assert any(part.endswith("mulberry.css") for part in parts)
            for part in parts:
                answer = client.get(part)
                assert answer.status_code == 200 and answer.content, part
    finally:
        process.terminate()
        status = process.wait(PATIENCE)
    assert status == 0, output.read_text()
    assert processes_of(home) == []
