"""The version of the code is that of the process: asked once, from git, else from the package."""

import subprocess
import sys

import pytest

from training import code_version as module
from training.code_version import code_version


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository of one commit, as the place that the code lies in; whatever was asked before is forgotten."""

    def git(*arguments):
        identity = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "a.py").write_text("1\n")
    git("add", "a.py")
    git("commit", "-m", "one")
    monkeypatch.setattr(module, "CHECKOUT", tmp_path)
    code_version.cache_clear()
    yield tmp_path, git
    code_version.cache_clear()


def test_it_is_the_commit_of_the_first_question(checkout):
    folder, git = checkout
    first = code_version()
    assert len(first) == 12
    (folder / "a.py").write_text("2\n")
    git("commit", "-am", "two")
    assert code_version() == first
    code_version.cache_clear()
    assert code_version() != first


def test_changed_files_are_marked(checkout):
    folder, _ = checkout
    clean = code_version()
    (folder / "a.py").write_text("2\n")
    code_version.cache_clear()
    assert code_version() == f"{clean}+"


def test_without_git_it_is_the_packages(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(module, "version", lambda name: f"{name} 1.2")
    assert code_version() == "mulberry 1.2"


def test_a_folder_that_is_no_checkout_has_the_packages(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHECKOUT", tmp_path)
    monkeypatch.setattr(module, "version", lambda name: "1.2")
    code_version.cache_clear()
    assert code_version() == "1.2"
    code_version.cache_clear()


def test_asking_brings_no_heavy_library():
    script = "import sys; from training.code_version import code_version; code_version(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"torch", "django", "transformers"} & set(done.stdout.split())


def test_a_run_records_the_version_of_its_process(stages):
    stage = stages.make("run", "pretrain")
    assert stage.run() == 0
    assert stage.journal.records("started")[0]["code"] == code_version()
