"""The form of a recipe: every setting is a field, what changed is applied, what is wrong is said beside it."""

from typing import Any

import pytest
from django.http import QueryDict

from training.recipes import recipe as recipes
from webapp.launch import fields
from webapp.launch.forms import RecipeForm
from webapp.launch.stage_tree import Node

NAMES = recipes.names()


def posted(changes: dict[str, str]) -> QueryDict:
    found = QueryDict(mutable=True)
    found.update(changes)
    return found


def filled(changes: dict[str, str], name: str = "smoke") -> RecipeForm:
    return RecipeForm(recipes.read(name), posted(changes))


def leaves(value: Any, path: str = "") -> set[str]:
    """Dotted paths of everything that is no mapping and no list of mappings, items by name or position."""
    if isinstance(value, dict) and not path.endswith(".overrides"):
        return {
            leaf for key, below in value.items() for leaf in leaves(below, f"{path}.{key}" if path else key)
        }
    if isinstance(value, list) and value and isinstance(value[0], dict):
        names = [
            next(str(item[k]) for k in ("name", "benchmark", "source", "reward") if k in item)
            for item in value
        ]
        keys = [name if names.count(name) == 1 else str(i) for i, name in enumerate(names)]
        return {leaf for key, item in zip(keys, value, strict=True) for leaf in leaves(item, f"{path}.{key}")}
    return {path}


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_has_a_field(name: str) -> None:
    form = RecipeForm(recipes.read(name))
    fields = {field.path for group in form.groups for field in group.every_field()}
    fixed = {p for p in leaves(form.base.model_dump(mode="json")) if p.endswith((".kind", ".source"))} - {
        "tokenizer.kind",
        "stages.distill.teacher.kind",
    }  # these can be chosen
    settings = form.base.model_dump(
        mode="json", exclude={"scales"} if form.base.scales else {"scales", "scale"}
    )
    assert fields == leaves(settings) - fixed


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_can_be_posted_unchanged(name: str) -> None:
    form = RecipeForm(recipes.read(name))
    every = {field.path: field.value for group in form.groups for field in group.every_field()}
    assert RecipeForm(recipes.read(name), posted(every)).recipe == form.base


@pytest.mark.parametrize("name", NAMES)
def test_a_browser_can_post_every_choice_as_it_is(name: str) -> None:
    wrong = [
        one.path
        for one in RecipeForm(recipes.read(name)).fields()
        if one.kind == "choice" and one.value not in dict(one.choices)
    ]
    assert not wrong, "a select posts its first option where none is selected"


def test_changes_are_applied() -> None:
    form = filled(
        {
            "stages.grpo.temperature": "0.7",
            "seeds": "0, 1",
            "mul_tokens.inject": "true",
            "conditions.mul_tokens.overrides": "mul_tokens.inject = true\r\nmodel.dropout = 0.1",
            "stages.grpo.benchmarks": "[{benchmark: gsm8k, problems: 50, max_new_tokens: 28}]",
        }
    )
    assert form.recipe is not None, form.problems
    assert form.recipe.seeds == [0, 1]
    assert form.recipe.mul_tokens.inject is True
    assert form.recipe.conditions[1].overrides == {"mul_tokens.inject": True, "model.dropout": 0.1}
    assert form.recipe.stages[-1].temperature == 0.7  # type: ignore[union-attr]
    assert [b.benchmark for b in form.recipe.stages[-1].benchmarks or []] == ["gsm8k"]


def test_the_form_edits_the_planned_question() -> None:
    form = RecipeForm(recipes.read("demo"))
    every = {one.path: one for one in form.fields()}
    assert every["primary.stage"].choices[:2] == [("", "each last stage"), ("pretrain", "pretrain")]
    assert [value for value, _ in every["primary.condition"].choices] == ["", "baseline", "mul_tokens"]
    assert ("steps_right_rate", "steps_right_rate") in every["primary.metric"].choices
    assert every["test"].value == "midp"
    asked = {
        "primary.contrast": "equivalence",
        "primary.margin": "0.05",
        "primary.stage": "mixed",
        "test": "exact",
    }
    found = filled(asked, "demo")
    assert found.recipe is not None, found.problems
    question = found.recipe.primary
    assert (question.contrast, question.margin, question.stage) == ("equivalence", 0.05, "mixed")
    assert found.recipe.test == "exact"
    refused = filled({"primary.contrast": "equivalence"}, "demo")
    assert [path for path, _ in refused.problems] == ["primary.margin"]


def test_a_size_is_chosen_and_what_was_changed_stays() -> None:
    form = RecipeForm(recipes.read("phase6_grpo_20x"))
    every = {one.path: one for group in form.groups for one in group.every_field()}
    assert every["scale"].label == "Size"
    assert every["scale"].choices == [
        ("full", "full: Phase 6: GRPO 20× (2,000 prompts × 40 rollouts, shaped rewards)"),
        ("1x", "1x: Phase 6: GRPO 1× (1,000 prompts × 4 rollouts, rewarded for the right answer)"),
        (
            "from_published",
            "from_published: Phase 6: GRPO 20× (2,000 prompts × 40 rollouts, shaped rewards) from the published checkpoints",
        ),
        (
            "tiny",
            "tiny: Phase 6 with a toy model: pre-training, instruction tuning, curriculum, GRPO with shaped rewards",
        ),
    ]
    values = {path: one.value for path, one in every.items()}
    values |= {"scale": "tiny", "stages.grpo.temperature": "0.9", "seeds": "3"}
    found = filled(values, "phase6_grpo_20x").recipe
    tiny = recipes.build(recipes.read("phase6_grpo_20x"), [("scale", "tiny")])
    assert found is not None
    assert found == recipes.build(
        recipes.read("phase6_grpo_20x"), [("seeds", [3]), ("stages.grpo.temperature", 0.9), ("scale", "tiny")]
    )
    assert (found.scale, found.model) == ("tiny", tiny.model)


def test_an_unknown_size_is_said_at_its_field() -> None:
    form = filled({"scale": "tine"}, "phase6_grpo_20x")
    assert form.recipe is None
    assert form.problems == [("scale", "there is no scale 'tine'; did you mean 'tiny'?")]


def test_two_changes_that_are_right_only_together_are_taken() -> None:
    form = filled({"stages.grpo.batch_size": "60", "stages.grpo.group_size": "10"})
    assert form.recipe is not None, form.problems


def test_a_stage_can_be_renamed_with_its_other_settings() -> None:
    form = filled({"stages.grpo.name": "reinforce", "stages.grpo.temperature": "0.9"})
    assert form.recipe is not None, form.problems
    assert (form.recipe.stages[-1].name, form.recipe.stages[-1].temperature) == ("reinforce", 0.9)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "value", "place", "says"),
    [
        ("stages.pretrain.steps", "-5", "stages.pretrain.steps", "at least 1"),
        (
            "stages.pretrain.optimizer.learning_rate",
            "abc",
            "stages.pretrain.optimizer.learning_rate",
            "'abc'",
        ),
        (
            "stages.pretrain.optimizer.learning_rate",
            "0,001",
            "stages.pretrain.optimizer.learning_rate",
            "'0,001'",
        ),
        ("stages.grpo.prompts", "0", "stages.grpo.prompts", "at least 1"),
        ("stages.grpo.group_size", "7", "stages.grpo.group_size", "does not divide"),
        (
            "conditions.mul_tokens.overrides",
            "mul_tokens.injekt = 1",
            "conditions.mul_tokens.overrides",
            "'inject'",
        ),
        ("conditions.mul_tokens.overrides", "hello", "conditions.mul_tokens.overrides", "path = value"),
        ("seeds", "1, 1", "seeds", "listed twice"),
        ("alpha", "", "alpha", "valid number"),
        ("stages.grpo.benchmarks", "[", "stages.grpo.benchmarks", "YAML"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(path: str, value: str, place: str, says: str) -> None:
    form = filled({path: value})
    assert form.recipe is None
    assert [where for where, _ in form.problems] == [place]
    assert says in form.problems[0][1]
    assert "\n" not in form.problems[0][1]
    shown = {field.path: field.value for group in form.groups for field in group.every_field()}
    assert shown[path] == value, "what was entered stays in the field"


@pytest.mark.parametrize(
    ("text", "steps"), [("12,000", 12_000), ("12_000", 12_000), ("1,200,000", 1_200_000)]
)
def test_thousands_may_be_set_apart(text: str, steps: int) -> None:
    form = filled({"stages.pretrain.steps": text})
    assert form.recipe is not None, form.problems
    assert form.recipe.stages[0].steps == steps  # type: ignore[union-attr]


def test_several_problems_are_all_said() -> None:
    form = filled({"stages.pretrain.steps": "0", "model.n_layer": "none"})
    assert {where for where, _ in form.problems} == {"stages.pretrain.steps", "model.n_layer"}


def test_each_grpo_setting_explains_itself() -> None:
    form = RecipeForm(recipes.read("phase6_grpo_20x"))
    groups = {group.path: group for top in form.groups for group in top.every_group()}
    fields = {one.path.removeprefix("stages.grpo."): one for one in groups["stages.grpo"].every_field()}
    once = (".reward", ".weight")  # what is said of each component's weight stands above their rows
    assert all(
        one.help for path, one in fields.items() if not (path.startswith("rewards.") and path.endswith(once))
    )
    assert groups["stages.grpo.rewards"].help.count("actor on the component's own value") == 1
    by_title = {group.title: group for group in groups["stages.grpo"].groups}
    assert list(by_title)[:4] == ["Optimizer", "Sampling", "Loss and clipping", "Evaluation and checkpoints"]
    assert "stages.grpo.clip_range" in [one.path for one in by_title["Loss and clipping"].fields]
    assert dict(fields["loss_type"].choices)["dr_grpo"].startswith("dr_grpo: sum over max_new_tokens")
    assert [name for name, _ in fields["sampler"].choices] == ["auto", "static_cache", "generate", "vllm"]
    assert groups["stages.grpo.entropy"].help == "Which tokens count, and what is done against collapse"
    assert groups["stages.grpo.rewards.correct"].help.startswith("1 when the final number is right")
    assert (fields["sampling.top_k"].value, fields["reference.sync_every"].optional) == ("0", True)


def test_a_curriculum_shows_its_steps_own_rates() -> None:
    """The optimizer's, which they replace, stood there."""
    recipe = recipes.build(
        recipes.shipped("phase6_grpo_20x"), [("stages.curriculum.optimizer.learning_rate", 0.1)]
    )
    (curriculum,) = [one for one in recipe.stages if one.name == "curriculum"]
    rates = "5e-05 (drills), 3e-05 (word_problems), 2e-05 (gsm8k)"
    assert fields.digest(curriculum).endswith(f" · learning rate {rates}")
    assert Node(curriculum).learning_rate == "2e-05 to 5e-05"
    assert Node(recipe.stages[-1]).learning_rate == "5e-07"
