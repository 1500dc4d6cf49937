"""The size switch: a scale replaces settings first, conditions and other changes come after it."""

from typing import Any

import pytest

from training.recipes.recipe import Recipe, RecipeError, build, read, resolve


@pytest.fixture
def sized() -> dict[str, Any]:
    tiny = {
        "model.n_layer": 1,
        "stages.pretrain.steps": 5,
        "stages.grpo.beta": 0.1,
        "conditions.mul_tokens.overrides": {"mul_tokens.inject": True, "stages.grpo.beta": 0.2},
    }
    return {**read("smoke"), "scales": {"tiny": tiny, "2x": {"stages.pretrain.steps": 280}}}


def steps(recipe: Recipe) -> int | None:
    return recipe.stages[0].planned_steps()


def test_a_recipe_is_full_as_it_is_written(sized: dict[str, Any]) -> None:
    recipe = build(sized)
    assert (recipe.scale, steps(recipe)) == ("full", 140)
    assert build(sized, [("scale", "full")]) == recipe
    plain = build(read("smoke"))
    assert [s.model_dump() for s in resolve(recipe)] == [s.model_dump() for s in resolve(plain)]


def test_a_scale_comes_before_conditions_and_other_changes(sized: dict[str, Any]) -> None:
    recipe = build(sized, [("stages.pretrain.steps", 7), ("scale", "tiny")])
    assert (recipe.scale, recipe.model.n_layer, steps(recipe)) == ("tiny", 1, 7)
    assert steps(build(sized, [("scale", "2x")])) == 280
    betas = {s.condition: s.settings.beta for s in resolve(recipe) if s.settings.kind == "grpo"}
    assert betas == {"baseline": 0.1, "mul_tokens": 0.2}


def test_a_file_may_name_its_scale(sized: dict[str, Any]) -> None:
    assert build({**sized, "scale": "tiny"}) == build(sized, [("scale", "tiny")])


def test_a_taken_scale_is_recorded_and_not_taken_again(sized: dict[str, Any]) -> None:
    frozen = build(sized, [("scale", "tiny"), ("stages.pretrain.steps", 7)])
    assert build(frozen.model_dump(mode="json")) == frozen
    assert build(frozen.model_dump(mode="json"), [("scale", "tiny")]) == frozen
    with pytest.raises(
        RecipeError, match="of scale 'tiny' already; take another one from the recipe as shipped"
    ):
        build(frozen.model_dump(mode="json"), [("scale", "full")])


@pytest.mark.parametrize(
    ("scales", "chosen", "where", "text"),
    [
        ({"tiny": {}}, "tini", "scale", "there is no scale 'tini'; did you mean 'tiny'?"),
        ({"tiny": {}}, 3, "scale", "must be a valid string, not 3"),
        ({}, "tiny", "scale", "there is no scale 'tiny'; this recipe has one size only"),
        ({"full": {}}, "full", "scales.full", "full is the recipe as written"),
        ({"Tiny one": {}}, "full", "scales.Tiny one", "small letters"),
        (
            {"tiny": {"stages.pretrain.step": 1}},
            "tiny",
            "scales.tiny.stages.pretrain.step",
            "there is no setting 'step'; did you mean 'steps'?",
        ),
        (
            {"tiny": {"stages.pretrain.steps": 0}},
            "tiny",
            "stages.pretrain.steps",
            "must be at least 1, not 0",
        ),
        ({"tiny": {"name": "other"}}, "tiny", "scales.tiny.name", "the same at every size"),
        ({"tiny": 3}, "full", "scales.tiny", "must be a mapping of settings"),
    ],
)
def test_a_wrong_scale_is_said_at_its_place(scales: Any, chosen: Any, where: str, text: str) -> None:
    with pytest.raises(RecipeError) as error:
        build({**read("smoke"), "scales": scales}, [("scale", chosen)])
    assert [path for path, _ in error.value.problems] == [where]
    assert text in error.value.problems[0][1]


def test_a_condition_has_no_size_of_its_own(sized: dict[str, Any]) -> None:
    sized["conditions"][1]["overrides"] = {"scale": "tiny"}
    with pytest.raises(RecipeError, match="shared by all conditions"):
        build(sized)


def test_what_a_scale_puts_in_place_has_all_its_settings() -> None:
    benchmark = {"benchmark": "one_step_multiplication", "problems": 5, "max_new_tokens": 28}
    sized = {**read("smoke"), "scales": {"tiny": {"benchmarks": [benchmark]}}}
    samples = ("benchmarks.one_step_multiplication.samples", 4)
    assert build(sized, [("scale", "tiny"), samples]).benchmarks[0].samples == 4
    with pytest.raises(RecipeError, match="there is no setting 'sample'; did you mean 'samples'"):
        build(sized, [("scale", "tiny"), ("benchmarks.one_step_multiplication.sample", 4)])
