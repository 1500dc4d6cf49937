"""How often a launch and its page tell identities, validate recipes and ask the database."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

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

pytestmark = [pytest.mark.services, pytest.mark.django_db, pytest.mark.slow]
SMOKE, PHASE_6 = "/experiments/new/smoke/", "/experiments/new/phase6_grpo_20x/"
CHANGED = {"stages.grpo.beta": "0.3"}


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


def text_of(name: str) -> str:
    return write(recipes.build(recipes.read(name)))


@pytest.mark.parametrize(
    ("url", "fields", "checks"),
    [
        (f"{SMOKE}panel/", {}, 1),  # the settings that were shown
        (f"{SMOKE}panel/", CHANGED, 2),  # and what was entered
        (f"{SMOKE}panel/", {"stages.grpo.beta": "-1"}, 2),
        (SMOKE, CHANGED, 2),  # a launch, which shows nothing more
        (SMOKE, CHANGED | {"review": "1"}, 3),  # and the recipe, which fields are shown beside
        (f"{SMOKE}?as=yaml", CHANGED | {"do": "switch"}, 3),
        (f"{SMOKE}fields/", CHANGED, 3),
        (f"{SMOKE}fields/", {"do": "add"}, 3),
        (f"{PHASE_6}fields/", {"scale": "tiny"}, 3),  # the size is what is shown, and beside what
        (
            f"{PHASE_6}fields/",
            CHANGED | {"scale": "tiny"},
            5,
        ),  # changed, as written, of that size, changed there
    ],
)
def test_settings_are_checked_once(
    ada: Client, monkeypatch: pytest.MonkeyPatch, url: str, fields: dict[str, str], checks: int
) -> None:
    working = text_of(url.split("/")[3])
    assert checks_of(monkeypatch, lambda: ada.post(url, {"working": working, **fields})) == checks


@pytest.mark.parametrize(("url", "checks"), [("panel/", 1), ("?as=yaml", 1), ("?as=form", 1)])
def test_a_text_is_checked_once(ada: Client, monkeypatch: pytest.MonkeyPatch, url: str, checks: int) -> None:
    text = text_of("smoke")
    assert checks_of(monkeypatch, lambda: ada.post(f"{SMOKE}{url}", {"yaml": text})) == checks


@pytest.mark.parametrize(
    ("url", "checks"),
    [(SMOKE, 1), (f"{SMOKE}?as=yaml", 1), (f"{SMOKE}?set=seeds=[1,2]", 2), (f"{PHASE_6}?scale=tiny", 2)],
)
def test_an_opened_form_checks_the_recipe_once(
    ada: Client, monkeypatch: pytest.MonkeyPatch, url: str, checks: int
) -> None:
    assert checks_of(monkeypatch, lambda: ada.get(url)) == checks


def checks_of(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> int:
    """How many recipes were checked: `build` checks the recipe itself and each of its conditions."""
    calls = Counter[str]()
    build = recipes.build

    def counted(*arguments: Any) -> Recipe:
        calls["build"] += 1
        return build(*arguments)

    monkeypatch.setattr(recipes, "build", counted)
    act()
    return calls["build"]


@pytest.fixture
def validations(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The settings of every recipe that is validated, as it is written or as a condition has it."""
    found: list[object] = []
    validate = Recipe.model_validate

    def counted(data: Any) -> Recipe:
        found.append(data)
        return validate(data)

    monkeypatch.setattr(Recipe, "model_validate", counted)
    return found


@pytest.mark.parametrize("part", ["panel/", ""])
def test_each_condition_is_validated_once(ada: Client, validations: list[object], part: str) -> None:
    working = text_of("smoke")
    validations.clear()
    ada.post(f"{SMOKE}{part}", {"working": working})
    assert len(validations) == 1 + len(("baseline", "mul_tokens"))
    assert StageRun.objects.count() == (0 if part else 8)


def test_a_launch_validates_nothing_that_was_built(validations: list[object]) -> None:
    recipe = recipes.build(recipes.read("smoke"), [("seeds", [0, 1])])
    owner = factories.make_user()
    validations.clear()
    launch(recipe=recipe, owner=owner)
    assert validations == []
    assert StageRun.objects.count() == 16
