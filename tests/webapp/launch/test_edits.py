"""Edits between two recipes, and the same edits made to a third."""

from typing import Any

from training.recipes import recipe as recipes
from webapp.launch.edits import applied, edits


def dump(*changes: tuple[str, Any], name: str = "phase6_grpo_20x") -> dict[str, Any]:
    return recipes.build(recipes.read(name), changes).model_dump(mode="json")


def test_only_what_differs_is_an_edit() -> None:
    before = dump()
    assert list(edits(before, before)) == []
    after = dump(("stages.grpo.beta", 0.1), ("seeds", [1, 2]))
    assert [str(edit) for edit in edits(before, after)] == ["seeds = [1, 2]", "stages.grpo.beta = 0.1"]


def test_items_come_and_go_by_name() -> None:
    before, after = dump(), dump()
    after["conditions"][1]["overrides"] = {"stages.grpo.beta": 0.2}
    after["conditions"].append({"name": "third", "overrides": {}})
    after["stages"][-1]["rewards"].pop()
    made = list(edits(before, after))
    assert sorted(map(str, made)) == [
        "conditions.mul_tokens.overrides.mul_tokens.inject removed",
        "conditions.mul_tokens.overrides.stages.grpo.beta = 0.2",
        "conditions.third added",
        "stages.grpo.rewards.repetition removed",
    ]
    again, lost = applied(before, made)
    assert (again, lost) == (after, [])


def test_another_order_is_an_edit_because_the_first_condition_is_the_baseline() -> None:
    before, after = dump(), dump()
    after["conditions"].reverse()
    made = list(edits(before, after))
    assert [edit.path for edit in made] == ["conditions"]
    assert applied(before, made) == (after, [])


def test_what_has_no_place_is_lost_and_said() -> None:
    made = list(edits(dump(), dump(("stages.pretrain.steps", 5), ("stages.grpo.beta", 0.1))))
    published, lost = applied(dump(("scale", "from_published")), made)
    assert [str(edit) for edit in lost] == ["stages.pretrain.steps = 5"]
    assert published["stages"][-1]["beta"] == 0.1
