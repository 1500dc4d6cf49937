"""Sweeps: each combination of values is a condition, named by its values, the first the baseline."""

import pytest

from training.recipes.recipe import build, read, resolve
from training.recipes.sweep import MOST, parse_sweep, swept
from training.settings.errors import RecipeError


def test_each_value_is_a_condition_and_stages_above_are_shared() -> None:
    recipe = swept(build(read("smoke")), [parse_sweep("stages.grpo.beta=0.02,0.1,0.5")])
    assert [one.name for one in recipe.conditions] == ["beta_0_02", "beta_0_1", "beta_0_5"]
    specs = [spec for spec in resolve(recipe) if spec.stage == "grpo"]
    assert [(spec.condition, spec.settings.beta) for spec in specs] == [  # type: ignore[attr-defined]
        ("beta_0_02", 0.02),
        ("beta_0_1", 0.1),
        ("beta_0_5", 0.5),
    ]
    assert recipe.question == "What changes with stages.grpo.beta = 0.02, 0.1, 0.5?"
    assert recipe.prediction == ""


def test_several_settings_make_a_grid_over_the_first_condition() -> None:
    smoke = build(read("smoke"))
    first = {"name": "mine", "overrides": {"stages.grpo.temperature": 0.7}}
    recipe = swept(
        build(smoke, [("conditions", [first, {"name": "other"}])]),
        [
            parse_sweep("stages.grpo.optimizer.learning_rate=1e-5, 3e-5"),
            parse_sweep("stages.pretrain.optimizer.learning_rate=0.001,0.002"),
        ],
    )
    assert [one.name for one in recipe.conditions] == ["sweep_1", "sweep_2", "sweep_3", "sweep_4"], "too long"
    assert [one.overrides["stages.grpo.temperature"] for one in recipe.conditions] == [0.7] * 4
    assert [
        (
            float(one.overrides["stages.grpo.optimizer.learning_rate"]),  # YAML takes 1e-5 for a text
            one.overrides["stages.pretrain.optimizer.learning_rate"],
        )
        for one in recipe.conditions
    ] == [(1e-5, 0.001), (1e-5, 0.002), (3e-5, 0.001), (3e-5, 0.002)]
    recipe = swept(smoke, [parse_sweep("model.n_layer=1,2"), parse_sweep("stages.grpo.beta=0,0.1")])
    assert [one.name for one in recipe.conditions][:2] == ["n_layer_1_beta_0", "n_layer_1_beta_0_1"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["stages.grpo.beta"], "write a sweep as path=value,value"),
        (["stages.grpo.beta=0.1"], "two values or more; set a single one as it is"),
        (["stages.grpo.beta=0.1,0.1"], "has a value twice"),
        (["stages.grpo.beta=[1"], "is no list of values"),
        (["stages.grpo.bta=1,2"], "did you mean 'beta'"),
        (["stages.grpo.beta=" + ",".join(map(str, range(99)))], f"a sweep has {MOST} at most"),
        ([f"a{place}=1,2" for place in range(60)], "combinations are as many conditions"),
        (["stages.grpo.beta=1,-1"], "must be at least 0, not -1"),
        (["stages.grpo.beta=0,1", "stages.grpo.beta=2,3"], "is swept twice"),
        (["seed=1,2", f"stages.grpo.beta={','.join(map(str, range(MOST)))}"], f"a sweep has {MOST} at most"),
    ],
)
def test_what_cannot_be_swept_is_refused_where_it_is_written(texts: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        swept(build(read("smoke")), list(map(parse_sweep, texts)))
