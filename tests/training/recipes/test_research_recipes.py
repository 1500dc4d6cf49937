"""The programme's recipes: each is there at every size, the full ones are what was published, the tiny ones run here."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from training.data.files import FilesSource
from training.recipes.availability import check_data
from training.recipes.recipe import Recipe, build, names, read, resolve
from training.stages.curriculum.config import CurriculumSettings
from training.stages.distillation.config import DistillationSettings
from training.stages.grpo.config import GrpoSettings
from training.stages.pretrain.config import PretrainSettings
from training.stages.sft.config import SftSettings
from training.text import tokenizer

PROGRAMME = (
    "phase4_gsm8k_sft",
    "phase5_curriculum",
    "phase6_grpo_20x",
    "evaluate_existing_one_step",
    "hypothesis_a_medium",
    "hypothesis_b_math_pretraining",
    "hypothesis_c_distillation",
    "hypothesis_d_one_step",
    "hypothesis_e_scratchpad",
    "hypothesis_e_memory",
    "hypothesis_e_number_positions",
    "tinygsm_100k",
    "tinygsm_1m",
    "sft_bridge",
)
SIZES = [(name, scale) for name in names() for scale in ("full", *read(name).get("scales", {}))]


def stage(recipe: Recipe, name: str) -> Any:
    return next(one for one in recipe.stages if one.name == name)


def per_step(settings: Any) -> int:
    return int(settings.batch_size * settings.gradient_accumulation)


@pytest.mark.parametrize(("name", "scale"), SIZES)
def test_every_recipe_resolves_at_every_size(name: str, scale: str) -> None:
    recipe = build(read(name), [("scale", scale)])
    assert recipe.scale == scale
    specs = resolve(recipe)
    assert len(specs) == len(recipe.conditions) * len(recipe.seeds) * len(recipe.stages)
    first = {spec.condition: spec for spec in reversed(specs) if spec.parent is None}
    assert set(first) == {condition.name for condition in recipe.conditions}


@pytest.mark.parametrize("name", PROGRAMME)
def test_a_recipe_of_the_programme_says_what_it_is_about(name: str) -> None:
    recipe = build(read(name))
    assert recipe.question.endswith("?")
    assert recipe.prediction
    assert "tiny" in recipe.scales


@pytest.mark.parametrize(("name", "scale"), SIZES)
def test_counts_in_its_words_are_those_of_its_settings(name: str, scale: str) -> None:
    recipe = build(read(name), [("scale", scale)])
    grpo = [one for one in recipe.stages if isinstance(one, GrpoSettings)]
    drawn = re.findall(r"([\d,]+) prompts × (\d+)", recipe.title)
    groups = [(f"{one.prompts:,}", str(one.group_size)) for one in grpo]
    assert not drawn or drawn == groups
    said = re.findall(r"([\d,]+) rollouts a condition", recipe.question)
    assert not said or said == [f"{one.prompts * one.group_size:,}" for one in grpo]
    if "shaped rewards" in recipe.title + recipe.question:
        assert all(len(one.rewards) > 1 for one in grpo)


@pytest.mark.parametrize("scale", ["1x", "tiny"])
def test_a_smaller_phase_6_neither_asks_nor_predicts_what_the_full_one_does(scale: str) -> None:
    full, smaller = (build(read("phase6_grpo_20x"), [("scale", one)]) for one in ("full", scale))
    for words in ("title", "question", "prediction", "expected_accuracy"):
        assert getattr(smaller, words) != getattr(full, words)


@pytest.mark.parametrize("name", PROGRAMME)
def test_the_words_of_a_tiny_one_hold_at_its_size(name: str) -> None:
    recipe = build(read(name), [("scale", "tiny")])
    words = f"{recipe.title} {recipe.question} {recipe.prediction}"
    of_the_full_one = re.findall(
        r"\d+M\b|\d,\d{3}|\d %|billion|a million|As published|As in the report", words
    )
    assert not of_the_full_one
    assert not recipe.expected_accuracy
    assert "GSM8K" not in recipe.question or recipe.primary.benchmark == "gsm8k"


def test_words_are_no_part_of_what_a_run_is() -> None:
    tiny = build(read("phase6_grpo_20x"), [("scale", "tiny")])
    words = {"title": "Another", "question": "Another?", "prediction": "None", "expected_accuracy": [0.5]}
    assert resolve(tiny) == resolve(build(tiny, list(words.items())))


@pytest.mark.parametrize("name", PROGRAMME)
def test_a_tiny_one_is_small_and_needs_no_network(name: str, data_dir: Path) -> None:
    recipe = build(read(name), [("scale", "tiny")])
    check_data(recipe, data_dir)
    for spec in resolve(recipe):
        assert spec.model.start_from is None
        assert (spec.model.n_layer, spec.model.n_embd) == (2, 96)
        assert spec.settings.kind == "evaluate" or 0 < (spec.settings.planned_steps() or 0) <= 100
        assert all(benchmark.problems and benchmark.problems <= 60 for benchmark in spec.benchmarks)
        assert spec.benchmarks, "a stage without a result leaves the comparison's table empty"
        sources = [source for mixture in spec.corpus for source in mixture]
        sources += [source for mixture in spec.settings.mixtures().values() for source in mixture]
        assert not any(isinstance(source, FilesSource) for source in sources)
        assert getattr(spec.settings, "precision", "fp32") == "fp32"


def test_the_published_run_is_the_published_run() -> None:
    recipe = build(read("phase6_grpo_20x"))
    model = recipe.model
    assert (model.n_layer, model.n_head, model.n_embd, model.n_positions) == (12, 12, 768, 1024)
    assert [one.kind for one in recipe.stages] == ["pretrain", "sft", "curriculum", "grpo"]
    assert recipe.benchmarks[0].benchmark == recipe.primary.benchmark == "gsm8k"
    assert recipe.benchmarks[0].max_new_tokens == 256

    pretrain: PretrainSettings = stage(recipe, "pretrain")
    optimizer = pretrain.optimizer
    assert (per_step(pretrain) * pretrain.length, pretrain.steps) == (524_288, 19_073)
    assert (optimizer.learning_rate, optimizer.schedule, optimizer.warmup_steps) == (6e-4, "cosine", 715)
    assert optimizer.learning_rate * optimizer.final_ratio == pytest.approx(6e-5)
    assert (optimizer.weight_decay, optimizer.clip, pretrain.precision) == (0.1, 1.0, "bf16")

    tulu: SftSettings = stage(recipe, "tulu")
    assert (tulu.examples, tulu.epochs, per_step(tulu), tulu.max_length) == (200_000, 1, 32, 1024)
    assert tulu.optimizer.learning_rate == 2e-5

    curriculum: CurriculumSettings = stage(recipe, "curriculum")
    assert [(one.examples, one.epochs, one.learning_rate) for one in curriculum.steps] == [
        (10_000, 2, 5e-5),
        (5_000 + 500, 2, 3e-5),  # and about 500 of the shortest of GSM8K
        (7_473 + 640 * 3, 3, 2e-5),
    ]
    kinds = curriculum.steps[1].data[0].kinds  # type: ignore[union-attr]
    assert (kinds.addition, kinds.multiplication, kinds.two_step) == (1500, 1500, 2000)


def test_the_published_reinforcement_is_the_published_one() -> None:
    grpo: GrpoSettings = stage(build(read("phase6_grpo_20x")), "grpo")
    assert (grpo.prompts, grpo.group_size, grpo.prompts * grpo.group_size) == (2_000, 40, 80_000)
    assert per_step(grpo) % 40 == 0
    assert (grpo.planned_steps() or 0) * per_step(grpo) == 80_000, "every rollout is trained on"
    assert (grpo.temperature, grpo.max_new_tokens, grpo.beta) == (0.7, 256, 0.5)
    assert grpo.optimizer.learning_rate == 5e-7
    shaped = ["correct", "partial_credit", "shows_steps", "uses_mul_tokens", "short_response", "repetition"]
    assert [(one.reward, one.weight) for one in grpo.rewards] == [(name, 1.0) for name in shaped]

    once: GrpoSettings = stage(build(read("phase6_grpo_20x"), [("scale", "1x")]), "grpo")
    assert (once.prompts, once.group_size, once.batch_size, once.gradient_accumulation) == (1_000, 4, 4, 8)
    assert [one.reward for one in once.rewards] == ["correct"]


@pytest.mark.parametrize(
    "name", ["phase4_gsm8k_sft", "phase5_curriculum", "phase6_grpo_20x", "hypothesis_a_medium"]
)
@pytest.mark.parametrize("scale", ["full", "tiny"])
def test_the_conditions_differ_in_the_intervention_alone(name: str, scale: str) -> None:
    specs = resolve(build(read(name), [("scale", scale)]))
    half = len(specs) // 2
    for one, other in zip(specs[:half], specs[half:], strict=True):
        assert (one.mul_tokens.inject, other.mul_tokens.inject) == (False, True)
        same = {"condition": "", "mul_tokens": one.mul_tokens}
        assert one.model_copy(update=same) == other.model_copy(update=same)


@pytest.mark.parametrize("scale", ["full", "tiny"])
def test_the_published_vocabulary_is_gpt2s_with_the_mul_tokens(scale: str, data_dir: Path) -> None:
    settings = build(read("phase6_grpo_20x"), [("scale", scale)]).tokenizer
    loaded = tokenizer.load(settings, lambda: iter(()), data_dir)
    assert tokenizer.vocabulary_size(loaded) == 50_349
    assert tokenizer.mul_token_ids(loaded) == range(50_304, 50_349)


def test_earlier_phases_are_the_same_stages() -> None:
    """So that what one experiment computed is what the other needs."""
    last = {one.name: one for one in build(read("phase6_grpo_20x")).stages}
    for name in ("phase4_gsm8k_sft", "phase5_curriculum"):
        stages = build(read(name)).stages
        assert [one.name for one in stages if last.get(one.name) == one] == [
            one.name for one in stages if one.name != "gsm8k_sft"
        ]
    gsm8k: SftSettings = stage(build(read("phase4_gsm8k_sft")), "gsm8k_sft")
    found = (gsm8k.examples, gsm8k.epochs, per_step(gsm8k), gsm8k.max_length, gsm8k.optimizer.learning_rate)
    assert found == (7_473, 3, 32, 512, 2e-5)


@pytest.mark.parametrize(
    ("name", "parameters"), [("phase6_grpo_20x", 124_439_808), ("hypothesis_a_medium", 354_823_168)]
)
def test_the_models_are_gpt2s_published_sizes(name: str, parameters: int) -> None:
    size = build(read(name)).model
    config = GPT2Config(
        n_layer=size.n_layer, n_head=size.n_head, n_embd=size.n_embd, n_positions=size.n_positions
    )
    with torch.device("meta"):
        assert GPT2LMHeadModel(config).num_parameters() == parameters  # with GPT-2's own 50,257 entries


def test_the_larger_model_is_the_only_change_of_hypothesis_a() -> None:
    medium, small = build(read("hypothesis_a_medium")), build(read("phase6_grpo_20x"))
    assert (medium.model.n_layer, medium.model.n_head, medium.model.n_embd) == (24, 16, 1024)
    for one, other in zip(medium.stages, small.stages, strict=True):
        same = {"batch_size": 1, "gradient_accumulation": 1}
        assert per_step(one) == per_step(other)
        assert one.model_copy(update=same) == other.model_copy(update=same)


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("hypothesis_e_scratchpad", lambda spec: spec.text.format == "scratchpad"),
        ("hypothesis_e_memory", lambda spec: spec.model.memory),
        ("hypothesis_e_number_positions", lambda spec: spec.model.positions == "abacus"),
    ],
)
@pytest.mark.parametrize("scale", ["full", "tiny"])
def test_an_architecture_is_crossed_with_the_intervention(name: str, variant: Any, scale: str) -> None:
    specs = resolve(build(read(name), [("scale", scale)]))
    differences = {spec.condition: (bool(variant(spec)), spec.mul_tokens.inject) for spec in specs}
    assert sorted(differences.values()) == [(False, False), (False, True), (True, False), (True, True)]
    assert differences["baseline"] == (False, False)


def test_the_scaled_recipes_differ_in_their_amounts() -> None:
    few, many = build(read("tinygsm_100k")), build(read("tinygsm_1m"))
    assert (stage(few, "tinygsm").examples, stage(many, "tinygsm").examples) == (100_000, 1_000_000)
    assert stage(few, "gsm8k_sft") == stage(many, "gsm8k_sft")


def test_hypothesis_c_distils_100_000_solutions_against_the_published_ones() -> None:
    recipe = build(read("hypothesis_c_distillation"))
    distill: DistillationSettings = stage(recipe, "distill")
    assert distill.problems * min(distill.samples, distill.keep) >= 100_000
    assert distill.teacher.kind == "endpoint" and distill.after is None
    published = build(read("phase4_gsm8k_sft"), [("scale", "from_published")])
    assert stage(recipe, "gsm8k_sft") == stage(published, "gsm8k_sft")
    assert stage(recipe, "own").after == "distill"


def test_hypothesis_d_has_seeds_to_decide_by() -> None:
    for scale in ("full", "laptop", "tiny"):
        recipe = build(read("hypothesis_d_one_step"), [("scale", scale)])
        assert recipe.primary.benchmark == "one_step_splits"
        assert recipe.go_threshold == 0.05, "its prediction's 5 points"
        assert len(recipe.seeds) >= 2
    laptop = build(read("hypothesis_d_one_step"), [("scale", "laptop")])
    unasked = build(
        read("demo"), [("stages.grpo.evaluate_every", None)]
    )  # the demo asks while it trains, too
    assert laptop.stages == unasked.stages


def test_existing_checkpoints_are_evaluated_by_name_or_folder() -> None:
    recipe = build(
        read("evaluate_existing_one_step"),
        [("conditions.baseline.overrides.model.start_from", "/models/mine")],
    )
    assert recipe.go_threshold == 0.05
    baseline, other = resolve(recipe)
    assert baseline.model.start_from == "/models/mine"
    assert other.model.start_from == "zhengpu-berkeley/domain-token-gpt2-sft-gsm8k-mul-tokens"
    assert baseline.settings.kind == "evaluate"
    first = baseline.benchmarks[0]
    assert (first.benchmark, first.problems, first.samples) == (recipe.primary.benchmark, 1000, 8)
    tiny = resolve(build(read("evaluate_existing_one_step"), [("scale", "tiny")]))
    assert [(spec.stage, spec.parent) for spec in tiny[:2]] == [("made", None), ("existing", "made")]
