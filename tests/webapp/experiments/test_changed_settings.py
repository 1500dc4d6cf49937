"""What differs from a recipe or an origin: kept at the launch, worked out later for what was launched before."""

from typing import Any

import pytest

from tests import factories
from training.recipes import recipe as recipes
from webapp.experiments import changed_settings
from webapp.experiments.models import Experiment
from webapp.launch.launch import launch

pytestmark = pytest.mark.django_db


def launched(*changes: tuple[str, Any], origin: Experiment | None = None) -> Experiment:
    recipe = recipes.build(recipes.read("smoke"), changes)
    return launch(recipe=recipe, owner=factories.make_user(), origin=origin, reuse=False)


def test_a_launch_keeps_what_differs_from_its_recipe_and_its_origin() -> None:
    first = launched(("stages.grpo.temperature", 0.8))
    assert first.differences == [["stages.grpo.temperature", "0.8", "1.0"]]
    clone = launched(("stages.grpo.temperature", 0.8), ("seeds", [7]), origin=first)
    assert clone.differences == [["seeds", "7", "0"]]
    assert launched().differences == []
    Experiment.objects.update(differences=None)
    assert changed_settings.keep_missing(seconds=60) == 0
    kept = dict(Experiment.objects.values_list("name", "differences"))
    assert kept == {"smoke-1": first.differences, "smoke-2": clone.differences, "smoke-3": []}


def test_names_are_as_short_as_tells_them_apart() -> None:
    named = changed_settings.named(
        [
            ["scale", "tiny", "full"],
            ["stages.sft.optimizer.learning_rate", "0.1", "0.2"],
            ["stages.grpo.optimizer.learning_rate", "0.1", "0.2"],
            ["stages.grpo.beta", "0.02 / 0.1 / " + "0.5 / " * 20, "0.04"],
            ["seeds", "7", "0"],
        ]
    )
    names = [one.name for one in named]
    assert names == ["size", "sft.learning_rate", "grpo.learning_rate", "beta", "seeds"]
    assert len(named[3].value) == changed_settings.LONGEST


def test_published_counts_differ_from_nothing() -> None:
    one = factories.make_experiment("published", stages=[], imported=True)
    assert changed_settings.differences(one) == []


def test_a_recipe_that_cannot_be_read_keeps_no_other_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    launched()
    newest, read = launched(), changed_settings.differences

    def broken(experiment: Experiment) -> list[list[str]]:
        if experiment == newest:
            raise KeyError("a setting of long ago")
        return read(experiment)

    monkeypatch.setattr(changed_settings, "differences", broken)
    Experiment.objects.update(differences=None)
    assert changed_settings.keep_missing(seconds=60) == 0
    assert list(Experiment.objects.order_by("pk").values_list("differences", flat=True)) == [[], []]
    assert f"what differs in {newest.name}" in caplog.text
