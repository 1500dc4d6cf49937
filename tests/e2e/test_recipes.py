"""A part of `make recipes`: research recipes at their tiny scale, from launch to a filled table."""

import pytest

from tests import recipes
from tests.stack import RunningStack

SOME = {  # the published road, shorter than it is at this scale; a model of another architecture
    "phase6_grpo_20x": (
        "stages.pretrain.steps=8",
        "stages.curriculum.steps.drills.examples=40",
        "stages.curriculum.steps.word_problems.examples=40",
        "stages.curriculum.steps.gsm8k.examples=40",
        "stages.grpo.prompts=8",
        "benchmarks.gsm8k.max_new_tokens=16",
    ),
    "hypothesis_e_memory": (),
}


def launched_as(recipe: str) -> tuple[str, ...]:
    """The arguments of a launch."""
    return recipe, *recipes.TINY, *(word for change in SOME[recipe] for word in ("--set", change))


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    "recipe", [pytest.param(one, marks=pytest.mark.launches(*launched_as(one))) for one in SOME]
)
def test_a_recipe_runs_to_a_filled_table(stack: RunningStack, launched: list[str], recipe: str) -> None:
    (experiment,) = launched
    assert recipes.checked(stack, recipe, experiment).complaint == ""


def test_every_research_recipe_has_a_tiny_scale() -> None:
    assert len(recipes.tiny()) >= 12
