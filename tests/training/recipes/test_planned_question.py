"""The planned question of a recipe: what it may ask, what is refused in one line, and how older recipes are read."""

from typing import Any

import pytest

from training.recipes.metric_names import metric_names
from training.recipes.planned_question import Design, PlannedQuestion, check, contrasts
from training.recipes.recipe import Recipe, RecipeError, build, names, read

BENCHMARK = "one_step_multiplication"


def demo(*changes: tuple[str, Any]) -> Recipe:
    return build(read("demo"), changes)


def old_demo() -> dict[str, Any]:
    data = read("demo")
    return {**{key: one for key, one in data.items() if key != "primary"}, "primary_metric": BENCHMARK}


def test_it_is_the_accuracy_after_the_last_stage_unless_it_says_otherwise():
    question = demo().primary
    assert question == PlannedQuestion(benchmark=BENCHMARK)
    assert (
        question.described
        == f"accuracy on {BENCHMARK} after the last stage, each condition minus the baseline"
    )
    assert contrasts(question, demo().design) == [("grpo", "mul_tokens")]
    assert demo().test == "midp"


def test_a_recipe_from_before_is_read_and_written_anew():
    recipe = build(old_demo())
    assert recipe == demo()
    assert "primary_metric" not in recipe.model_dump()
    stored = build(recipe.model_dump(mode="json"))  # as an experiment holds it
    assert stored == recipe
    assert demo(("primary_metric", "arithmetic_probes")).primary.benchmark == "arithmetic_probes"
    scaled = {**old_demo(), "scales": {"small": {"primary_metric": "arithmetic_probes"}}}
    assert build(scaled, [("scale", "small")]).primary.benchmark == "arithmetic_probes"


def test_the_old_and_the_new_way_together_are_refused():
    with pytest.raises(RecipeError) as error:
        build({**read("demo"), "primary_metric": BENCHMARK})
    assert error.value.problems == [
        ("primary_metric", "is the old way to write primary.benchmark; keep primary alone")
    ]


@pytest.mark.parametrize(
    ("changes", "where", "text"),
    [
        ({"benchmark": "gsm8k"}, "benchmark", "'gsm8k' is not among the benchmarks"),
        ({"metric": "acuracy"}, "metric", "there is no metric 'acuracy'; did you mean 'accuracy'?"),
        (
            {"metric": "pass_at_4"},
            "metric",
            "with 0 samples a problem there is no pass_at_4; choose from none",
        ),
        ({"stage": "gpro"}, "stage", "there is no stage 'gpro'; did you mean 'grpo'?"),
        (
            {"condition": "mul_token"},
            "condition",
            "there is no condition 'mul_token'; did you mean 'mul_tokens'?",
        ),
        (
            {"condition": "baseline"},
            "condition",
            "baseline is the baseline, which would be set against itself",
        ),
        ({"contrast": "ratio"}, "contrast", "must be 'difference', 'gain', 'interaction' or 'equivalence'"),
        (
            {"contrast": "gain", "stage": "pretrain"},
            "stage",
            "there is no gain: pretrain makes no new checkpoint",
        ),
        ({"contrast": "equivalence"}, "margin", "is missing; say up to which difference"),
        ({"contrast": "equivalence", "margin": 5}, "margin", "must be less than 1, as shares differ"),
        ({"margin": 0.05}, "margin", "is for the contrast equivalence alone"),
        ({"contrast": "equivalence", "margin": 1e-300}, "margin", "must be at least 0.000001, not 1e-300"),
        ({"contrast": "equivalence", "margin": True}, "margin", "must be a number, not yes or no"),
        ({"interim": 3}, "interim", "the end comes after 1 seed; list more seeds, or leave it empty"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(changes, where, text):
    with pytest.raises(RecipeError) as error:
        demo(*((f"primary.{key}", value) for key, value in changes.items()))
    ((path, said),) = error.value.problems
    assert path == f"primary.{where}"
    assert text in said and "\n" not in said


def test_one_condition_alone_is_set_against_nothing():
    alone = ("conditions", [{"name": "baseline"}])
    with pytest.raises(RecipeError, match=r"primary\.contrast: baseline is the only condition"):
        demo(alone, ("primary.contrast", "interaction"))
    assert contrasts(demo(alone, ("primary.contrast", "gain")).primary, demo(alone).design)


def test_a_stage_that_does_not_run_the_benchmark_decides_nothing():
    with pytest.raises(RecipeError, match=f"primary.stage: {BENCHMARK} is not run after drills"):
        demo(("stages.drills.benchmarks", []), ("primary.stage", "drills"))
    without = demo(("stages.grpo.benchmarks", []), ("stages.grpo.evaluate_every", None))
    assert contrasts(demo().primary, without.design) == [("mixed", "mul_tokens")]


def test_every_leaf_and_condition_share_the_level():
    design = Design(
        ["baseline", "a", "b"],
        {"root": None, "left": "root", "right": "root", "look": "right"},
        frozenset({"root", "left", "right"}),
        {"root": 0, "left": 0, "right": 0, "look": 0},
    )
    asked = PlannedQuestion(benchmark=BENCHMARK)
    leaves = [("left", "a"), ("left", "b"), ("look", "a"), ("look", "b")]
    assert contrasts(asked, design) == leaves
    assert contrasts(asked.model_copy(update={"condition": "b"}), design) == leaves[1::2]
    gains = contrasts(asked.model_copy(update={"contrast": "gain"}), design)
    assert gains == [("left", "baseline"), ("left", "a"), ("left", "b")]  # an evaluation alone gains nothing
    assert contrasts(asked.model_copy(update={"contrast": "interaction", "stage": "right"}), design) == [
        ("right", "a"),
        ("right", "b"),
    ]


def test_a_condition_has_no_question_of_its_own():
    for path in ("primary.metric", "test"):
        with pytest.raises(RecipeError, match="shared by all conditions"):
            demo(("conditions.mul_tokens.overrides", {path: "exact"}))


def test_samples_bring_their_metrics():
    asked = (f"benchmarks.{BENCHMARK}.samples", 6)
    assert metric_names(6)[-4:] == ["pass_at_1", "pass_at_2", "pass_at_4", "pass_at_6"]
    assert demo(asked, ("primary.metric", "pass_at_6")).primary.metric == "pass_at_6"


def two_stages(sft: int, grpo: int) -> Design:
    return Design(
        ["baseline", "mul_tokens"],
        {"sft": None, "grpo": "sft"},
        frozenset({"sft", "grpo"}),
        {"sft": sft, "grpo": grpo},
    )


@pytest.mark.parametrize(
    ("samples", "asked", "without"),
    [
        ((0, 4), {"stage": "sft"}, "after sft, which draws 0"),
        ((4, 0), {}, "after grpo, which draws 0"),
        ((2, 4), {"contrast": "gain"}, "after sft, which draws 2"),
        ((0, 4), {"contrast": "interaction"}, "after sft, which draws 0"),
        ((0, 4), {}, ""),
        ((4, 4), {"contrast": "interaction"}, ""),
        ((8, 4), {"contrast": "gain", "stage": "grpo"}, ""),
    ],
)
def test_pass_at_k_needs_its_samples_after_each_stage_that_it_compares(samples, asked, without):
    question = PlannedQuestion(benchmark=BENCHMARK, metric="pass_at_4", **asked)
    if not without:
        check(question, two_stages(*samples), [BENCHMARK], 1)
        return
    with pytest.raises(ValueError, match=f"pass_at_4 needs 4 samples a problem of {BENCHMARK} {without};"):
        check(question, two_stages(*samples), [BENCHMARK], 1)


@pytest.mark.parametrize("name", names())
def test_every_shipped_recipe_asks_in_the_new_words_in_every_size(name):
    data = read(name)
    assert "primary_metric" not in data
    for size in ("full", *data.get("scales", {})):
        recipe = build(data, [("scale", size)] if size != "full" else [])
        assert contrasts(recipe.primary, recipe.design)
