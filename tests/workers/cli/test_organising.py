"""Titles, tags, stars and the archive from the command line."""

import json

import pytest

from tests.factories import make_experiment
from webapp.experiments.models import Experiment
from workers.cli.main import main

pytestmark = pytest.mark.django_db


def names(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    capsys.readouterr()
    assert main(["list", "--json", *options]) == 0
    return [row["name"] for row in json.loads(capsys.readouterr().out)]


def test_experiments_are_renamed_tagged_starred_and_archived(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("demo-1", "demo-2"):
        make_experiment(name, stages=[])
    assert main(["rename", "demo-1", "Second try"]) == 0
    assert capsys.readouterr().out == "demo-1: Second try\n"
    assert main(["tag", "paper,to repeat", "demo-1", "demo-2"]) == 0
    assert main(["tag", "paper", "demo-1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "demo-1: nothing to change"
    assert main(["tag", "--remove", "paper", "demo-2"]) == 0
    assert names(capsys, "--tag", "paper") == ["demo-1"]
    assert main(["star", "demo-2"]) == 0
    assert names(capsys, "--starred") == ["demo-2"]
    assert main(["archive", "demo-1"]) == 0
    assert (names(capsys), names(capsys, "--archived")) == (["demo-2"], ["demo-1"])
    assert main(["archive", "--undo", "demo-1"]) == 0
    assert names(capsys, "--archived") == []
    assert main(["list"]) == 0
    assert "Second try  [paper, to repeat]" in capsys.readouterr().out


def test_nothing_is_changed_where_one_name_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    make_experiment("demo-1", stages=[])
    assert main(["archive", "demo-1", "demo-3"]) == 1
    assert "there is no experiment 'demo-3'; did you mean 'demo-1'?" in capsys.readouterr().err
    assert not Experiment.objects.exclude(archived_at=None)
    assert main(["tag", " , ", "demo-1"]) == 1
    assert "write a tag" in capsys.readouterr().err
