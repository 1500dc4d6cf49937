"""A part of `make recipes`: research recipes at their tiny scale, from launch to a filled table."""

import pytest

from tests import recipes
from tests.stack import RunningStack

SOME = ("phase6_grpo_20x", "hypothesis_e_memory")  # the published road; a model of another architecture


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    "recipe", [pytest.param(one, marks=pytest.mark.launches(one, *recipes.TINY)) for one in SOME]
)
def test_a_recipe_runs_to_a_filled_table(stack: RunningStack, launched: list[str], recipe: str) -> None:
    (experiment,) = launched
    assert recipes.checked(stack, recipe, experiment).complaint == ""


def test_every_research_recipe_has_a_tiny_scale() -> None:
    assert len(recipes.tiny()) >= 12
