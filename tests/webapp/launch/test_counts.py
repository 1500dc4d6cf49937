"""How often a launch and its page tell identities, validate recipes and ask the database."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests import factories
from training.recipes import identity, recipe as recipes
from training.recipes.identity import Key
from training.recipes.recipe import Recipe, StageSpec
from webapp.experiments.models import Experiment
from webapp.launch.launch import launch
from webapp.launch.text import write
from webapp.runs.models import StageRun, State

pytestmark = [pytest.mark.services, pytest.mark.django_db]
SMOKE = "/experiments/new/smoke/"


def recipe_of_six_stages(seeds: int) -> Recipe:
    """6 stages × 2 conditions × so many seeds."""
    data = recipes.build(recipes.read("smoke")).model_dump(mode="json")
    data["stages"] += [{**data["stages"][-1], "name": name} for name in ("longer", "longest")]
    return recipes.build(data, [("seeds", list(range(seeds)))])


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


@pytest.fixture
def identities(monkeypatch: pytest.MonkeyPatch) -> Counter[Key]:
    """How often the identity of each run was computed."""
    counts = Counter[Key]()
    determining = identity.determining

    def counted(spec: StageSpec) -> dict[str, object]:
        counts[identity.key(spec)] += 1
        return determining(spec)

    monkeypatch.setattr(identity, "determining", counted)
    return counts


def queries(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as asked:
        act()
    return len(asked)


@pytest.mark.parametrize("part", ["panel/", ""])
def test_each_identity_is_computed_once(ada: Client, identities: Counter[Key], part: str) -> None:
    ada.post(f"{SMOKE}{part}", {"working": write(recipe_of_six_stages(3))})
    assert (len(identities), set(identities.values())) == (36, {1})
    assert StageRun.objects.count() == (0 if part else 36)


def test_the_panel_asks_as_often_whatever_the_number_of_runs(ada: Client) -> None:
    few, many = ({"working": write(recipe_of_six_stages(seeds))} for seeds in (1, 3))
    ada.post(f"{SMOKE}panel/", few)
    assert queries(lambda: ada.post(f"{SMOKE}panel/", few)) == queries(
        lambda: ada.post(f"{SMOKE}panel/", many)
    )


def test_a_launch_asks_as_often_whatever_the_number_of_runs(tmp_path: Path) -> None:
    owner = factories.make_user()
    one, three = recipe_of_six_stages(1), recipe_of_six_stages(3)

    def asked(recipe: Recipe) -> int:
        return queries(lambda: launch(recipe=recipe, owner=owner))

    assert asked(one) == asked(three), "where everything is computed"
    for run in Experiment.objects.latest("pk").runs.order_by("stage__position", "pk"):
        factories.finish(StageRun.objects.get(pk=run.pk), tmp_path)
    assert asked(one) == asked(three), "where everything is reused"
    assert set(Experiment.objects.latest("pk").runs.values_list("state", flat=True)) == {State.SUCCEEDED}
