"""The stage table of the programme, typed in as it was published, against what phase6_grpo_20x resolves to."""

from typing import Any

import pytest

from training.recipes.recipe import StageSpec, build, read, resolve
from training.stages.curriculum.config import CurriculumSettings
from training.stages.grpo.config import GrpoSettings
from training.stages.pretrain.config import PretrainSettings
from training.stages.sft.config import SftSettings

CONDITIONS = ("baseline", "mul_tokens")


def spec(stage: str, condition: str, *, recipe: str = "phase6_grpo_20x", scale: str = "full") -> StageSpec:
    specs = resolve(build(read(recipe), [("scale", scale)]))
    return next(one for one in specs if (one.stage, one.condition) == (stage, condition))


def effective_batch(settings: Any) -> int:
    return int(settings.batch_size * settings.gradient_accumulation)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_pretraining(condition: str) -> None:
    found = spec("pretrain", condition)
    model, settings = found.model, found.settings
    assert isinstance(settings, PretrainSettings)
    assert (model.n_layer, model.n_head, model.n_embd, model.n_positions) == (12, 12, 768, 1_024)
    assert round(model.parameters(50_257) / 1e6) == 124
    assert model.start_from is None, "from scratch"
    (source,) = settings.data
    assert (source.source, source.hub) == ("fineweb_edu", "HuggingFaceFW/fineweb-edu")  # type: ignore[union-attr]
    optimizer = settings.optimizer
    assert (optimizer.learning_rate, optimizer.schedule) == (6e-4, "cosine")
    assert optimizer.learning_rate * optimizer.final_ratio == pytest.approx(6e-5)
    assert (optimizer.warmup_steps, optimizer.weight_decay, optimizer.clip) == (715, 0.1, 1.0)
    assert effective_batch(settings) * settings.length == 524_288
    assert (settings.steps, settings.precision) == (19_073, "bf16")
    assert settings.work().learnt == pytest.approx(10e9, rel=1e-4)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_tulu_sft(condition: str) -> None:
    found = spec("tulu", condition)
    settings = found.settings
    assert isinstance(settings, SftSettings)
    (source,) = settings.data
    assert (source.source, source.hub) == ("tulu", "allenai/tulu-3-sft-mixture")  # type: ignore[union-attr]
    assert (settings.optimizer.learning_rate, settings.epochs) == (2e-5, 1)
    assert (effective_batch(settings), settings.max_length, settings.examples) == (32, 1_024, 200_000)
    assert found.parent == "pretrain"


@pytest.mark.parametrize("condition", CONDITIONS)
def test_gsm8k_sft(condition: str) -> None:
    settings = spec("gsm8k_sft", condition, recipe="phase4_gsm8k_sft").settings
    assert isinstance(settings, SftSettings)
    assert [source.source for source in settings.data] == ["gsm8k"]
    assert (settings.optimizer.learning_rate, settings.epochs) == (2e-5, 3)
    assert (effective_batch(settings), settings.max_length, settings.examples) == (32, 512, 7_473)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_curriculum(condition: str) -> None:
    found = spec("curriculum", condition)
    settings = found.settings
    assert isinstance(settings, CurriculumSettings)
    assert found.parent == "tulu", "from the Tulu checkpoint"
    drills, words, mixed = settings.steps
    rates = [(step.learning_rate, step.epochs) for step in settings.steps]
    assert rates == [(5e-5, 2), (3e-5, 2), (2e-5, 3)]
    assert drills.examples == 10_000
    (tiers,) = drills.data
    assert len(tiers.tiers) == 5  # type: ignore[union-attr]  # of 2,000 each
    made, shortest = words.data
    assert made.weight == 5_000 and shortest.weight == shortest.shortest == 500  # type: ignore[union-attr]
    kinds = made.kinds  # type: ignore[union-attr]
    assert (kinds.addition, kinds.multiplication, kinds.two_step) == (1_500, 1_500, 2_000)
    problems, decompositions = mixed.data
    assert (problems.source, problems.weight) == ("gsm8k", 7_473)
    assert (decompositions.source, decompositions.weight) == ("decompositions", 640 * 3)
    assert mixed.examples == 7_473 + 640 * 3


@pytest.mark.parametrize("condition", CONDITIONS)
def test_grpo_20x(condition: str) -> None:
    found = spec("grpo", condition)
    settings = found.settings
    assert isinstance(settings, GrpoSettings)
    assert found.parent == "curriculum", "from the curriculum checkpoint"
    assert (settings.prompts, settings.group_size) == (2_000, 40)
    assert settings.work().rollouts == 80_000
    assert (settings.temperature, settings.max_new_tokens, settings.beta) == (0.7, 256, 0.5)
    assert (settings.optimizer.learning_rate, settings.batch_size) == (5e-7, 4)
    # the published accumulation of 8 gives 32 rollouts a step, no multiple of 40: 10 is the nearest that does
    assert settings.gradient_accumulation == 10
    assert {one.reward: one.weight for one in settings.rewards} == dict.fromkeys(
        ("correct", "partial_credit", "shows_steps", "uses_mul_tokens", "short_response", "repetition"), 1.0
    )


@pytest.mark.parametrize("condition", CONDITIONS)
def test_grpo_1x(condition: str) -> None:
    settings = spec("grpo", condition, scale="1x").settings
    assert isinstance(settings, GrpoSettings)
    assert (settings.prompts, settings.group_size, settings.work().rollouts) == (1_000, 4, 4_000)
    assert effective_batch(settings) == 4 * 8
    assert [one.reward for one in settings.rewards] == ["correct"]


@pytest.mark.parametrize(("recipe", "examples"), [("tinygsm_100k", 100_000), ("tinygsm_1m", 1_000_000)])
def test_tinygsm_sft(recipe: str, examples: int) -> None:
    specs = resolve(build(read(recipe)))
    found = [one.settings for one in specs if isinstance(one.settings, SftSettings)]
    taught = [one for one in found if "tinygsm" in {source.source for source in one.data}]
    assert {one.examples for one in taught} == {examples}


def test_conditions_differ_in_the_mul_tokens_alone() -> None:
    for stage in ("pretrain", "tulu", "curriculum", "grpo"):
        one, other = (spec(stage, condition) for condition in CONDITIONS)
        assert (one.mul_tokens.inject, other.mul_tokens.inject) == (False, True)
        assert one.settings == other.settings
        assert one.tokenizer.vocabulary == other.tokenizer.vocabulary == 50_349


@pytest.mark.parametrize("stage", ["tulu", "curriculum", "grpo"])
def test_evaluation_after_every_stage(stage: str) -> None:
    gsm8k, probes = spec(stage, "baseline").benchmarks
    assert (gsm8k.benchmark, gsm8k.problems, gsm8k.max_new_tokens, gsm8k.decoding) == (
        "gsm8k",
        None,  # all 1,319
        256,
        "greedy",
    )
    assert probes.benchmark == "arithmetic_probes"


def test_pretraining_is_evaluated_on_hellaswag() -> None:
    assert [one.benchmark for one in spec("pretrain", "baseline").benchmarks] == ["hellaswag"]
