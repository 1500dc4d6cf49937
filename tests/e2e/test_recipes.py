"""A part of `make recipes`: research recipes at their tiny scale, from launch to a filled table."""

import pytest

from tests import recipes
from tests.stack import RunningStack

SOME = ("phase6_grpo_20x", "hypothesis_e_memory")  # the published road; a model of another architecture


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_recipes_run_to_a_filled_table(stack: RunningStack) -> None:
    assert [(one.recipe, one.complaint) for one in recipes.launch(stack, SOME)] == [
        (name, "") for name in SOME
    ]


def test_every_research_recipe_has_a_tiny_scale() -> None:
    assert len(recipes.tiny()) >= 12
