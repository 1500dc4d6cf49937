"""Settings side by side: only what differs, between conditions or from where they come."""

from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client

from tests import factories
from training.recipes import recipe as recipes
from webapp.experiments.models import Experiment
from webapp.launch.launch import launch
from webapp.pages.experiment.settings_table import SettingRow, SettingsFilter, SettingsTable, settings_table

pytestmark = pytest.mark.django_db


def launched(*changes: tuple[str, Any], origin: Experiment | None = None) -> Experiment:
    recipe = recipes.build(recipes.read("smoke"), changes)
    return launch(recipe=recipe, owner=factories.make_user(), origin=origin, reuse=False)


def table(experiment: Experiment, query: str = "") -> SettingsTable:
    return settings_table(experiment, SettingsFilter.read(QueryDict(query)))


def rows(found: SettingsTable) -> dict[str, SettingRow]:
    return {row.path: row for row in found.rows}


def test_only_differences_are_shown_unless_all_are_asked_for() -> None:
    experiment = launched()
    found = table(experiment)
    assert found.conditions == ["baseline", "mul_tokens"]
    assert {path: row.values for path, row in rows(found).items()} == {"mul_tokens.inject": ["false", "true"]}
    every = table(experiment, "only=no")
    assert len(every.rows) == every.total > 60
    assert (
        rows(every)["stages.grpo.temperature"].values
        == [str(experiment.recipe["stages"][-1]["temperature"])] * 2
    )


def test_what_a_person_changed_of_the_recipe_is_a_difference() -> None:
    found = table(launched(("stages.grpo.temperature", 0.8), ("model.n_layer", 3)))
    assert found.reference == "smoke as shipped"
    changed = rows(found)
    assert set(changed) == {"model.n_layer", "mul_tokens.inject", "stages.grpo.temperature"}
    layers = changed["model.n_layer"]
    assert (layers.values, layers.reference, layers.differs, layers.changed) == (["3", "3"], "2", False, True)
    assert changed["mul_tokens.inject"].differs and not changed["mul_tokens.inject"].changed


def test_a_clone_is_compared_with_what_it_was_cloned_from() -> None:
    first = launched(("model.n_layer", 3))
    clone = launched(("model.n_layer", 3), ("seeds", [7]), origin=first)
    found = table(clone)
    assert found.reference == first.name
    assert set(rows(found)) == {"mul_tokens.inject", "seeds"}
    assert rows(found)["seeds"].reference == "0"
    assert "model.n_layer" in rows(table(clone, "against=recipe"))
    assert set(rows(table(clone, "against=nothing"))) == {"mul_tokens.inject"}


def test_a_condition_is_compared_with_its_namesake() -> None:
    first = launched()
    other = launched(("conditions.mul_tokens.overrides.stages.grpo.temperature", 0.5), origin=first)
    row = rows(table(other))["stages.grpo.temperature"]
    assert row.differs and row.changed
    assert row.values[1] == "0.5"


def test_search_finds_paths_and_values() -> None:
    experiment = launched()
    found = rows(table(experiment, "only=no&find=Learning_Rate"))
    assert found and all("learning_rate" in path for path in found)
    assert "primary.benchmark" in rows(table(experiment, "only=no&find=one_step_multiplication"))
    assert not rows(table(experiment, "find=learning_rate")), "among the differences there is none"


def test_a_record_of_another_version_is_shown_as_it_is() -> None:
    recipe = {
        "name": "old",
        "model": {"layers": 2},
        "conditions": [{"name": "a", "overrides": {}}, {"name": "b", "overrides": {"gone.setting": 1}}],
    }
    found = table(factories.make_experiment("old-1", recipe=recipe))
    assert found.reference == ""
    assert {path: row.values for path, row in rows(found).items()} == {"gone.setting": ["–", "1"]}


def test_the_choice_is_in_the_address_of_the_page(client: Client) -> None:
    client.force_login(factories.make_user())
    launched(("question", "<script>"))
    answer = client.get(
        "/experiments/smoke-1/settings/?only=no&only=yes&find=grpo&against=", headers={"HX-Request": "true"}
    )
    assert 'data-address="/experiments/smoke-1/?find=grpo"' in answer.content.decode()
    answer = client.get("/experiments/smoke-1/settings/?only=no&find=n_layer")
    assert answer["Location"] == "/experiments/smoke-1/?only=no&find=n_layer#settings"
    page = client.get("/experiments/smoke-1/?only=no&find=n_layer").content.decode()
    assert "<code>model.n_layer</code>" in page
    assert "<code>model.n_embd</code>" not in page
