"""The plan names conditions between which nothing can differ."""

import pytest

from training.recipes.hardware import HARDWARE
from training.recipes.plan import plan
from training.recipes.recipe import build, read

WITH_TOKENS = {"mul_tokens.inject": True}
SAID = " have the same settings, so their results are the same: change a setting of one, or remove it."


@pytest.mark.parametrize(
    ("others", "named"),
    [
        ({"a": WITH_TOKENS, "b": WITH_TOKENS}, ["a and b"]),
        ({"a": {}, "b": WITH_TOKENS}, ["baseline and a"]),
        ({"a": {"mul_tokens.inject": False}, "b": {}}, ["baseline, a and b"]),  # as the recipe has it anyway
        ({"a": WITH_TOKENS, "b": WITH_TOKENS, "c": {}}, ["baseline and c", "a and b"]),
        ({"a": WITH_TOKENS, "b": {"stages.grpo.beta": 0.5}}, []),
    ],
)
def test_conditions_of_the_same_settings_are_named(
    others: dict[str, dict[str, object]], named: list[str]
) -> None:
    conditions = [{"name": "baseline"}, *({"name": name, "overrides": one} for name, one in others.items())]
    recipe = build(read("demo") | {"conditions": conditions}, [("seeds", [3, 4])])
    warned = [one.text for one in plan(recipe, hardware=HARDWARE["cpu"]).cautions if one.warns]
    assert [one for one in warned if one.endswith(SAID)] == [f"{names}{SAID}" for names in named]
