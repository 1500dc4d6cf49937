"""Conditions side by side: rows, warnings, adding, renaming, removing, and settings in which they come to differ."""

import pytest
from django.http import QueryDict

from training.recipes import recipe as recipes
from webapp.launch import conditions
from webapp.launch.forms import RecipeForm

INJECT = "conditions.mul_tokens.overrides.mul_tokens.inject"


def form(do: str = "", **fields: str) -> RecipeForm:
    posted = QueryDict(mutable=True)
    posted.update({name.replace("__", "."): value for name, value in fields.items()})
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


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("stages.grpo.betta", "did you mean 'stages.grpo.beta'"),
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
    again = form("sweep", sweep="mul_tokens.inject=false,true")
    assert names(again) == ["inject_false", "inject_true"], "in which they differ already"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("", "write a sweep as path=value,value"),
        ("stages.grpo.beta=0.1", "two values or more"),
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


def test_a_wrong_value_is_said_at_its_condition() -> None:
    found = form(**{INJECT.replace(".", "__"): "maybe"})
    assert found.problems[0][0] == "conditions.mul_tokens.overrides"
    assert conditions.table(found).columns[1].errors, "and what was entered stays"
    assert conditions.table(found).rows[0].cells[1].text == "maybe"


def test_a_shared_setting_says_who_has_another_value() -> None:
    found = form()
    conditions.mark(found)
    inject = next(one for one in found.fields() if one.path == "mul_tokens.inject")
    assert inject.elsewhere == [("mul_tokens", "true")]
