"""Recipes: what is shipped can be launched, what is wrong is said at its place, conditions resolve to frozen specs."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from training.recipes.recipe import (
    RecipeError,
    RunSpec,
    build,
    names,
    parse_change,
    read,
    replaced,
    resolve,
)


@pytest.fixture
def demo() -> dict[str, Any]:
    return read("demo")


def problems(data: Any, *changes: tuple[str, Any]) -> dict[str, str]:
    with pytest.raises(RecipeError) as error:
        build(data, changes)
    assert "\n" not in str(error.value)
    return dict(error.value.problems)


@pytest.mark.parametrize("name", names())
def test_a_shipped_recipe_builds_and_resolves(name):
    recipe = build(read(name))
    specs = resolve(recipe)
    assert recipe.name == name
    assert len(specs) == len(recipe.conditions) * len(recipe.seeds) * len(recipe.stages)
    keys = [(spec.condition, spec.seed, spec.stage) for spec in specs]
    for spec in specs:
        place = keys.index((spec.condition, spec.seed, spec.stage))
        assert spec.parent is None or (spec.condition, spec.seed, spec.parent) in keys[:place]
        again = RunSpec.model_validate_json(RunSpec(spec=spec).model_dump_json())
        assert again.spec == spec


def test_the_four_recipes_are_there():
    assert {"demo", "gsm8k_tiny", "report_in_miniature", "smoke"} <= set(names())


def test_conditions_differ_in_the_intervention_alone(demo):
    specs = resolve(build(demo))
    baseline = [spec for spec in specs if spec.condition == "baseline"]
    mul_tokens = [spec for spec in specs if spec.condition == "mul_tokens"]
    assert len(baseline) == len(mul_tokens) == 6
    for one, other in zip(baseline, mul_tokens, strict=True):
        assert (one.mul_tokens.inject, other.mul_tokens.inject) == (False, True)
        same = {"condition": "", "mul_tokens": one.mul_tokens}
        assert one.model_copy(update=same) == other.model_copy(update=same)


def test_stages_follow_each_other_or_say_what_they_follow(demo):
    assert [spec.parent for spec in resolve(build(demo))[:6]] == [
        None,
        "pretrain",
        "instruct",
        "drills",
        "word_problems",
        "mixed",
    ]
    variant = {**copy.deepcopy(demo["stages"][-1]), "name": "grpo_hot", "after": "mixed", "temperature": 1.3}
    early = {**copy.deepcopy(demo["stages"][1]), "name": "apart", "after": None}
    demo["stages"] = [variant, *demo["stages"][:-1], {**demo["stages"][-1], "after": "mixed"}, early]
    demo["stages"][1]["after"] = None
    parents = {spec.stage: spec.parent for spec in resolve(build(demo))}
    assert parents["grpo"] == parents["grpo_hot"] == "mixed"
    assert parents["apart"] is None


def test_a_stage_has_its_own_benchmarks_or_the_recipes(demo):
    demo["stages"][0]["benchmarks"] = []
    demo["stages"][1]["benchmarks"] = [
        {"benchmark": "arithmetic_probes", "problems": 9, "max_new_tokens": 28}
    ]
    specs = resolve(build(demo))
    assert specs[0].benchmarks == []
    assert specs[1].benchmarks[0].benchmark == "arithmetic_probes"
    assert specs[2].benchmarks[0].problems == 600


def test_a_changed_copy_of_a_recipe_resolves_to_its_own_settings(demo):
    recipe = build(demo)
    assert {spec.seed for spec in resolve(recipe)} == set(recipe.seeds)
    copied = recipe.model_copy(update={"seeds": [5], "conditions": recipe.conditions[:1]})
    assert {(spec.condition, spec.seed) for spec in resolve(copied)} == {("baseline", 5)}
    assert copied == build(copied.model_dump(mode="json"))


def test_a_spec_is_frozen(demo):
    spec = resolve(build(demo))[0]
    with pytest.raises(ValidationError):
        spec.seed = 3


@pytest.mark.parametrize(
    ("path", "value", "where", "text"),
    [
        ("stages.pretrain.steps", -5, None, "must be at least 1, not -5"),
        ("stages.pretrain.optimizer.learning_rate", "abc", None, "must be a valid number, not 'abc'"),
        ("stages.pretrain.optimizer.learning_rate", 0, None, "must be more than 0, not 0"),
        ("stages.pretrain.optimizer.learning_rate", float("nan"), None, "not nan"),
        ("alpha", 1e-300, None, "must be at least 0.000001, not 1e-300"),
        ("go_threshold", False, None, "must be a number, not yes or no"),  # YAML: go_threshold: no
        ("seeds", [0, True], None, "must be a number, not yes or no"),
        ("stages.pretrain.optimizer.betas", [False, 0.98], None, "must be a number, not yes or no"),
        ("stages.grpo.prompts", 0, None, "must be at least 1, not 0"),
        (
            "stages.grpo.prompts",
            3,
            None,
            "fewer than one step's 64; take more prompts or a smaller batch_size",
        ),
        (
            "stages.grpo.group_size",
            7,
            None,
            "7 does not divide batch_size × gradient_accumulation = 64; choose",
        ),
        ("stages.pretrain.length", 500, None, "does not fit the model's context; model.n_positions is 128"),
        ("stages.drills.max_length", 129, None, "does not fit the model's context"),
        ("stages.grpo.max_new_tokens", 128, None, "does not fit the model's context"),
        ("benchmarks.one_step_multiplication.max_new_tokens", 128, None, "does not fit the model's context"),
        ("stages.pretrain.precision", "fp16", None, "must be 'fp32' or 'bf16', not 'fp16'"),
        ("stages.drills.kind", "stf", "stages.drills", "there is no kind 'stf'; did you mean 'sft'?"),
        ("stages.pretrin.steps", 7, None, "there is no 'pretrin'; did you mean 'pretrain'?"),
        ("stages.pretrain.stepz", 7, None, "there is no setting 'stepz'; did you mean 'steps'?"),
        ("stages.pretrain.steps.x", 7, None, "nothing lies below a single value"),
        ("stages.instruct.name", "pretrain", "stages", "two stages are called 'pretrain'; rename one"),
        (
            "stages.pretrain.name",
            "Pre Train",
            "stages.Pre Train.name",
            "use small letters, digits and _, a letter first",
        ),
        ("conditions.baseline.name", "mul_tokens", "conditions", "two conditions are called 'mul_tokens'"),
        ("stages.pretrain.after", "grpo", "stages", "stages form a cycle: pretrain → grpo → mixed"),
        ("stages.instruct.after", "pretran", "stages", "no such stage; did you mean 'pretrain'?"),
        (
            "stages.grpo.rewards.correct.reward",
            "corect",
            "stages.grpo.rewards.corect",
            "did you mean 'correct'?",
        ),
        ("benchmarks.one_step_multiplication.benchmark", "gsm8", "benchmarks.gsm8", "did you mean 'gsm8k'?"),
        (
            "primary_metric",  # as recipes said before
            "gsm8k",
            "primary.benchmark",
            "'gsm8k' is not among the benchmarks; choose from arithmetic_probes, one_step",
        ),
        ("model.n_head", 5, "model", "n_head 5 does not divide n_embd 96; choose a divisor"),
        ("seeds", [1, 1], None, "a seed is listed twice"),
        ("seeds", [2**31], None, "from 0 to 2147483647"),
        ("name", "a" * 41, None, "at most 40 characters"),
        ("title", "a" * 201, None, "at most 200 characters"),
        ("stages.grpo.rewards.correct.weight", float("nan"), None, "must be a finite number"),
        (
            "benchmarks",
            [{"benchmark": "one_step_multiplication", "max_new_tokens": n} for n in (16, 28)],
            "benchmarks.one_step_multiplication",
            "one_step_multiplication is listed twice",
        ),
        ("seeds", "x", None, "must be a valid list, not 'x'"),
        ("seeds", [], None, "is empty; give at least one"),
        ("stages", None, None, "must be a valid list"),
        ("conditions", [], None, "is empty; give at least one"),
        ("stages.drills.data.drills.source", "drill", "stages.drills.data.drill", "did you mean 'drills'?"),
        (
            "stages.drills.data.drills.tiers",
            ["one"],
            "stages.drills.data.drills.tiers.one",
            "'one_digit_sums'",
        ),
    ],
)
def test_a_wrong_value_is_said_at_its_place(demo, path, value, where, text):
    found = problems(demo, (path, value))
    assert list(found) == [where or path]
    assert text in found[where or path]


@pytest.mark.parametrize(
    ("spoil", "where", "text"),
    [
        (lambda d: d.update(seedz=[1]), "seedz", "there is no setting 'seedz'; did you mean 'seeds'?"),
        (lambda d: d["model"].update(n_layers=1), "model.n_layers", "did you mean 'n_layer'?"),
        (lambda d: d["stages"][0].update(lenght=1), "stages.pretrain.lenght", "did you mean 'length'?"),
        (
            lambda d: d["stages"][2]["optimizer"].update(learning_rat=1),
            "stages.drills.optimizer.learning_rat",
            "did you mean 'learning_rate'?",
        ),
        (
            lambda d: d["stages"][2]["data"][0].update(tier=[]),
            "stages.drills.data.drills.tier",
            "did you mean 'tiers'?",
        ),
        (
            lambda d: d["stages"][3]["data"][0].update(kinds={"multiplications": 1}),
            "stages.word_problems.data.word_problems.kinds.multiplications",
            "did you mean 'multiplication'?",
        ),
        (lambda d: d["stages"][2].pop("kind"), "stages.drills", "say which 'kind' it is"),
        (lambda d: d["stages"][2].pop("optimizer"), "stages.drills.optimizer", "is missing; give it a value"),
        (lambda d: d["stages"].append("x"), "stages.x", "must be a mapping of settings, not 'x'"),
        (
            lambda d: d["conditions"][1].update(overrides={"mul_tokens.injekt": True}),
            "conditions.mul_tokens.overrides.mul_tokens.injekt",
            "there is no setting 'injekt'; did you mean 'inject'?",
        ),
        (
            lambda d: d["conditions"][1].update(overrides={"stages.gpro.beta": 1}),
            "conditions.mul_tokens.overrides.stages.gpro.beta",
            "there is no 'gpro'; did you mean 'grpo'?",
        ),
        (
            lambda d: d["conditions"][1].update(overrides={"stages.grpo.beta": "x"}),
            "conditions.mul_tokens.overrides.stages.grpo.beta",
            "must be a valid number, not 'x'",
        ),
        (
            lambda d: d["conditions"][1].update(overrides={"seeds": [1]}),
            "conditions.mul_tokens.overrides.seeds",
            "shared by all conditions and cannot be overridden",
        ),
    ],
)
def test_a_wrong_recipe_is_said_at_its_place(demo, spoil: Callable[[dict[str, Any]], Any], where, text):
    spoil(demo)
    found = problems(demo)
    assert list(found) == [where]
    assert text in found[where]


def test_every_problem_is_listed(demo):
    demo["stages"][0]["steps"] = 0
    demo["stages"][1]["examples"] = "many"
    assert set(problems(demo)) == {"stages.pretrain.steps", "stages.instruct.examples"}


def test_changes_reach_any_setting(demo):
    changes = [
        ("stages.pretrain.steps", 7),
        ("stages.0.length", 64),
        ("benchmarks.one_step_multiplication.problems", 10),
        ("stages.grpo.rewards.repetition.weight", 2.0),
        ("stages.word_problems.data.drills.weight", 1),
        ("conditions.mul_tokens.overrides.stages.grpo.beta", 0.5),
        ("seeds", [0, 1]),
    ]
    specs = resolve(build(demo, changes))
    assert len(specs) == 24
    assert (specs[0].settings.steps, specs[0].settings.length) == (7, 64)
    assert specs[0].benchmarks[0].problems == 10
    betas = {spec.condition: spec.settings.beta for spec in specs if spec.stage == "grpo"}
    assert betas == {"baseline": 0.02, "mul_tokens": 0.5}
    assert read("demo") == demo  # the recipe as written is left alone


def test_changes_are_read_as_yaml():
    assert parse_change("stages.a.steps=100") == ("stages.a.steps", 100)
    assert parse_change("seeds=[0, 1]") == ("seeds", [0, 1])
    assert parse_change("title=a = b") == ("title", "a = b")
    assert parse_change("title=2024-13-45") == ("title", "2024-13-45"), "a day that no calendar has is a text"
    assert parse_change("model.start_from=") == ("model.start_from", None)
    assert parse_change("title=Try #2") == ("title", "Try #2")
    assert parse_change("title=#2") == ("title", "#2")
    assert parse_change("title='Try #2'  # quoted") == ("title", "Try #2")
    with pytest.raises(RecipeError, match="'a' is written twice"):
        parse_change("x={a: 1, b: 2, a: 3}")
    with pytest.raises(RecipeError, match="too deep"):
        parse_change("x=" + "[" * 3000)
    with pytest.raises(RecipeError, match="write --set path=value"):
        parse_change("steps")


def test_replaced_copies():
    data = {"a": [{"name": "x", "b": 1}]}
    assert replaced(data, "a.x.b", 2) == {"a": [{"name": "x", "b": 2}]}
    assert data == {"a": [{"name": "x", "b": 1}]}


def test_unknown_recipes_and_unreadable_files_are_explained(tmp_path):
    with pytest.raises(RecipeError, match=r"there is no recipe 'demoo'; did you mean 'demo'\?"):
        read("demoo")
    with pytest.raises(RecipeError, match="there is no recipe"):
        read("../recipes/demo")
    with pytest.raises(RecipeError, match=r"cannot read .*none\.yaml"):
        read(str(tmp_path / "none.yaml"))
    with pytest.raises(RecipeError, match="cannot read"):
        read(str(tmp_path) + "/.yaml")
    unreadable = [
        (text, "is not YAML")
        for text in ("a: [", "a: 2024-13-45", f"a: {'9' * 5000}", "a: !!bool x", 'a: !!int ""')
    ]
    twice = (
        "a: 1\nb: [{c: 2, d: 3, c: 4}]",
        r"x\.yaml: 'c' is written twice, in line 2; keep one",
    )
    apart = ("a: 1\nb: 2\n\na: 3", r"x\.yaml: 'a' is written twice, in line 1 and in line 4; keep one")
    deep = ("a:\n  " + "[" * 100_000, r"x\.yaml: line 2 lies too deep")
    for text, message in (
        *unreadable,
        twice,
        apart,
        deep,
        ("- a", "holds no mapping"),
        ("", "holds no mapping"),
    ):
        (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(RecipeError, match=message) as error:
            read(str(tmp_path / "x.yaml"))
        assert "\n" not in str(error.value)


def test_a_recipe_of_ones_own_is_read_from_its_file(tmp_path, demo):
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(demo), encoding="utf-8")
    assert build(read(str(tmp_path / "own.yaml"))) == build(demo)
