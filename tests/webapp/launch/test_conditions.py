"""Conditions side by side: rows, warnings, adding, renaming, removing, and settings in which they come to differ."""

import pytest
from django.http import QueryDict

from training.recipes import recipe as recipes
from webapp.launch import conditions
from webapp.launch.forms import RecipeForm

INJECT = "conditions.mul_tokens.overrides.mul_tokens.inject"


def form(do: str = "", sweep: str = "", **fields: str) -> RecipeForm:
    """The form with fields filled in; a sweep is written path=values; path=values."""
    posted = QueryDict(mutable=True)
    posted.update({name.replace("__", "."): value for name, value in fields.items()})
    for part in filter(None, sweep.split(";")):
        path, _, values = part.partition("=")
        posted.appendlist("sweep.path", path)
        posted.appendlist("sweep.values", values)
    found = RecipeForm(recipes.read("smoke"), posted)
    if do:
        conditions.do(found, do, posted)
    return found


def names(found: RecipeForm) -> list[str]:
    return [condition.name for condition in found.base.conditions]


def test_the_table_shows_what_differs_and_counts_the_rest() -> None:
    found = conditions.table(form())
    assert [row.path for row in found.rows] == ["mul_tokens.inject"]
    assert [cell.text for cell in found.rows[0].cells] == ["", "true"]
    assert found.rows[0].shared == "false"
    assert found.same > 100
    assert found.warnings == []


def test_a_value_is_edited_in_place() -> None:
    assert form(**{INJECT.replace(".", "__"): "false"}).recipe.conditions[1].overrides == {
        "mul_tokens.inject": False
    }  # type: ignore[union-attr]
    emptied = form(**{INJECT.replace(".", "__"): ""})
    assert emptied.recipe is not None
    assert emptied.recipe.conditions[1].overrides == {}
    assert conditions.table(emptied).warnings == [
        "mul_tokens is the same as baseline: they differ in no setting."
    ]


def test_a_condition_is_added_renamed_and_removed() -> None:
    added = form("add", conditions__mul_tokens__name="arm")
    assert names(added) == ["baseline", "arm", "condition_3"]
    assert names(form("remove 0", conditions__mul_tokens__name="arm")) == ["arm"]


def test_the_last_condition_stays() -> None:
    alone = RecipeForm({**recipes.read("smoke"), "conditions": [{"name": "baseline"}]}, QueryDict())
    conditions.do(alone, "remove 0", QueryDict())
    assert alone.problems == [("conditions", "is empty; give at least one")]


def test_conditions_come_to_differ_in_a_setting_and_no_longer() -> None:
    found = form("differ", differ="stages.grpo.beta")
    assert [row.path for row in conditions.table(found).rows] == ["mul_tokens.inject", "stages.grpo.beta"]
    assert form("same mul_tokens.inject").base.conditions[1].overrides == {}


def test_a_setting_is_known_by_the_end_of_its_path() -> None:
    assert form("differ", differ="beta").rows == ["stages.grpo.beta"]
    several = form("differ", differ="learning_rate").problems[0][1]
    assert several.startswith("'learning_rate' is the end of")
    assert "stages.grpo.optimizer.learning_rate (" in several


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("stages.grpo.betta", "did you mean 'stages.grpo.beta'"),
        ("betta", "did you mean"),
        ("seeds", "shared by all"),
        ("", "say which"),
    ],
)
def test_a_setting_that_cannot_differ_is_refused(path: str, says: str) -> None:
    found = form("differ", differ=path)
    assert says in found.problems[0][1]
    assert found.recipe is None


def test_a_sweep_makes_each_combination_a_condition() -> None:
    found = form("sweep", sweep="stages.grpo.beta=0.02,0.1; stages.grpo.temperature=0.7,1")
    assert names(found) == [
        "beta_0_02_temperature_0_7",
        "beta_0_02_temperature_1",
        "beta_0_1_temperature_0_7",
        "beta_0_1_temperature_1",
    ]
    assert [row.path for row in conditions.table(found).rows] == [
        "stages.grpo.beta",
        "stages.grpo.temperature",
    ]
    assert names(form("sweep", sweep="grpo.beta=0.02,0.1")) == ["beta_0_02", "beta_0_1"], (
        "by the end of its path"
    )
    again = form("sweep", sweep="mul_tokens.inject=false,true")
    assert names(again) == ["inject_false", "inject_true"], "in which they differ already"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("", "name a setting to sweep"),
        ("stages.grpo.beta=0.1", "two values or more"),
        ("beta=", "two values or more"),
        ("stages.grpo.betta=0.1,0.2", "did you mean 'stages.grpo.beta'"),
        ("seeds=0,1", "shared by all"),
        ("stages.grpo.beta=0.1,-1", "must be at least 0, not -1"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(written: str, says: str) -> None:
    found = form("sweep", sweep=written)
    assert says in " ".join(text for _, text in found.problems)
    assert found.recipe is None


def test_more_than_one_difference_is_said() -> None:
    two = form(conditions__mul_tokens__overrides="mul_tokens.inject = true\nstages.grpo.beta = 0.5")
    (text,) = conditions.table(two).warnings
    assert "differ in 2 settings (mul_tokens.inject, stages.grpo.beta)" in text
    assert "can’t say which of them did it" in text
    data = recipes.build(recipes.read("smoke")).model_dump(mode="json")
    data["conditions"] += [
        {"name": name, "overrides": two.base.conditions[1].overrides} for name in ("b", "c")
    ]
    (text,) = conditions.warnings(recipes.build(data))
    assert text.startswith("b and c each differ from baseline in the same 2 settings"), "said once"


def test_a_wrong_value_is_said_at_its_condition() -> None:
    found = form(**{INJECT.replace(".", "__"): "maybe"})
    assert found.problems[0][0] == INJECT
    cell = conditions.table(found).rows[0].cells[1]
    assert cell.errors
    assert cell.text == "maybe", "and what was entered stays"


def test_a_shared_setting_says_who_has_another_value() -> None:
    found = form()
    conditions.mark(found)
    inject = next(one for one in found.fields() if one.path == "mul_tokens.inject")
    assert inject.elsewhere == [("mul_tokens", "true")]
