"""The plan against counts by hand, against models that are really built, and against what the report says it took."""

from dataclasses import replace

import pytest

from training.architecture import model
from training.benchmarks import BENCHMARKS
from training.recipes.hardware import HARDWARE
from training.recipes.identity import Key
from training.recipes.plan import NoExperience, Plan, elsewhere, evaluation_work, plan
from training.recipes.recipe import Recipe, StageSpec, build, read, resolve
from training.settings.shared import (
    BenchmarkSettings,
    ModelSettings,
    TokenizerSettings,
    TrainingStageSettings,
)
from training.settings.work_estimate import Work, percent
from training.stages import STAGES
from training.stages.grpo.groups import enough_for_half, expected_without_gradient, half_without_gradient
from training.text import tokenizer

RTX_4090, H200, CPU = HARDWARE["rtx_4090"], HARDWARE["h200"], HARDWARE["cpu"]


def published(*changes: tuple[str, object]) -> Recipe:
    return build(read("phase6_grpo_20x"), changes)


def of_stage(found: Plan, stage: str, condition: str = "baseline"):  # type: ignore[no-untyped-def]
    return next(run for run in found.runs if (run.spec.stage, run.spec.condition) == (stage, condition))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"positions": "rope"},
        {"positions": "none"},
        {"positions": "abacus"},
        {"memory": True},
        {"positions": "abacus", "memory": True, "n_layer": 3},
    ],
)
def test_parameters_are_those_of_the_built_model(settings: dict[str, object]) -> None:
    own = ModelSettings(**{"n_layer": 2, "n_head": 4, "n_embd": 32, "n_positions": 64, **settings})  # type: ignore[arg-type]
    words = tokenizer.load(TokenizerSettings(entries=400), lambda: iter(["3 apples and 4 apples"]), None)  # type: ignore[arg-type]
    built = model.build(own, 400, eos_id=0, pad_id=1, seed=0, tokenizer=words)
    assert own.parameters(400) == built.num_parameters()


def test_the_published_sizes_have_their_names_parameters() -> None:
    entries = TokenizerSettings(kind="gpt2").vocabulary
    assert entries == 50_349
    # OpenAI's 124,439,808 with 50,257 entries, and 92 more of 768
    assert ModelSettings().parameters(entries) == 124_439_808 + 92 * 768
    medium = build(read("hypothesis_a_medium")).model
    assert medium.parameters(50_257) == 354_823_168


def test_the_published_run_by_hand() -> None:
    found = plan(published(), hardware=RTX_4090)
    assert len(found.runs) == 8
    assert found.work.rollouts == 160_000
    for condition in ("baseline", "mul_tokens"):
        grpo = of_stage(found, "grpo", condition).work
        assert (grpo.rollouts, grpo.steps) == (80_000, 2_000)
        assert grpo.generated == 80_000 * 256
        assert grpo.learnt == 80_000 * (64 + 256)  # GSM8K's prompts have 64 tokens on average
        assert grpo.scored == 80_000 * (64 + 256) + 2_000 * 64  # the reference; each prompt once to sample
        assert grpo.decoding_steps == 2_000 * 256  # a batch is the 40 rollouts of a prompt
        pretrain = of_stage(found, "pretrain", condition)
        assert (pretrain.work.steps, pretrain.work.learnt) == (19_073, 19_073 * 524_288)
        flops = 6 * 124_510_464 * 19_073 * 524_288
        assert pretrain.work.flops(pretrain.parameters) == pytest.approx(flops)
        assert of_stage(found, "tulu", condition).work.steps == 200_000 // 32
        curriculum = of_stage(found, "curriculum", condition).work
        assert curriculum.steps == 2 * 313 + 2 * 172 + 3 * 294
    assert of_stage(found, "grpo").evaluation.problems == 1_319 + 281
    assert of_stage(found, "pretrain").evaluation.problems == 10_042
    assert of_stage(found, "pretrain").evaluation.generated == 0, "choices are scored, not written"


def test_the_guess_agrees_with_what_the_report_says_it_took() -> None:
    one_problem = [{"benchmark": "gsm8k", "problems": 1}]
    on_consumer = plan(published(("benchmarks", one_problem)), hardware=RTX_4090)
    assert of_stage(on_consumer, "grpo").seconds / 3600 == pytest.approx(2.2, rel=0.25)
    assert of_stage(on_consumer, "tulu").seconds / 60 == pytest.approx(70, rel=0.25)
    on_h200 = plan(published(("stages.pretrain.benchmarks", [])), hardware=H200)
    assert of_stage(on_h200, "pretrain").seconds / 3600 == pytest.approx(4 * 3, rel=0.25)
    assert not on_consumer.measured
    assert any("guess" in text for text in on_consumer.assumptions)
    assert elsewhere(published())["H200"] < elsewhere(published())["RTX 4090"]


def test_the_demo_takes_minutes_on_a_laptop() -> None:
    found = plan(build(read("demo")), hardware=CPU)
    assert (
        60 < found.elapsed(2) < 600
    )  # measured: about 82 s of a core a condition, and the starts of 6 stages


def test_checkpoints_and_records_on_disk() -> None:
    grpo = of_stage(plan(published(), hardware=RTX_4090), "grpo")
    weights = 124_510_464 * 4
    assert (
        grpo.checkpoint_bytes == weights + 2 * 3 * weights
    )  # two points to resume from: weights and two moments
    texts = 80_000 * (64 + 256) + 1_319 * (64 + 256) + 281 * (12 + 64)
    rows = 80_000 * 700 + 1_600 * 300 + 2_000 * 1_200
    assert grpo.record_bytes == 2 * (4 * texts + rows)
    short = of_stage(plan(published(("stages.grpo.save_every", 2_000)), hardware=RTX_4090), "grpo")
    assert short.checkpoint_bytes == weights, "no point to resume from was ever saved"


def test_reused_runs_cost_nothing() -> None:
    whole = plan(published(), hardware=RTX_4090)
    pretrained: dict[Key, tuple[str, ...]] = dict.fromkeys(
        [("baseline", "pretrain", 0), ("mul_tokens", "pretrain", 0)], ()
    )
    rest = plan(published(), hardware=RTX_4090, reused=pretrained)
    assert [run.key for run in rest.runs if run.reused] == sorted(pretrained)
    left = whole.seconds - sum(run.seconds for run in whole.runs if run.key in pretrained)
    assert rest.seconds == pytest.approx(left)
    assert rest.elapsed(8) == pytest.approx(left / 2)
    assert rest.disk < whole.disk


def test_a_reused_run_costs_the_benchmarks_that_are_missing() -> None:
    everything: dict[Key, tuple[str, ...]] = {
        run.key: () for run in plan(published(), hardware=RTX_4090).runs
    }
    left = everything | {("baseline", "grpo", 0): ("arithmetic_probes",)}
    rest = plan(published(), hardware=RTX_4090, reused=left)
    assert [(run.key, run.reused) for run in rest.new] == [(("baseline", "grpo", 0), True)]
    assert (rest.work.steps, rest.work.rollouts, rest.evaluation.problems) == (0, 0, 281)
    whole = of_stage(plan(published(), hardware=RTX_4090), "grpo")
    assert 0 < rest.seconds == rest.elapsed(8) < whole.seconds
    assert rest.disk == rest.new[0].record_bytes > 0, "no checkpoint is written again"
    assert not rest.cautions


def test_runs_wait_for_their_parents() -> None:
    found = plan(published(), hardware=RTX_4090)
    chain = sum(run.seconds for run in found.runs if run.spec.condition == "baseline")
    assert found.elapsed(1) == pytest.approx(found.seconds)
    assert found.elapsed(2) == found.elapsed(100) == pytest.approx(chain)


class Measured(NoExperience):
    """An installation where everything ran before."""

    def speed(self, spec: StageSpec) -> float:
        return 10.0 if spec.settings.unit == "rollouts" else 1e6

    def benchmark_speed(self, spec: StageSpec, benchmark: BenchmarkSettings) -> float:
        return 100.0

    def accuracy(self, spec: StageSpec) -> float | None:
        return {"baseline": 0.02, "mul_tokens": 0.04}[spec.condition] if spec.parent else None


def test_measured_speeds_go_before_guesses() -> None:
    found = plan(published(), hardware=RTX_4090, experience=Measured())
    assert found.measured
    assert not any("guess" in text for text in found.assumptions)
    assert of_stage(found, "grpo").seconds == pytest.approx(8_000 + 16 + 10)
    assert of_stage(found, "pretrain").seconds == pytest.approx(19_073 * 0.524288 + 100.42 + 10)


def test_an_evaluation_alone_has_work_too() -> None:
    found = evaluation_work([BenchmarkSettings(benchmark="gsm8k", problems=500)])
    assert (found.problems, found.generated) == (500, 500 * 256)
    assert evaluation_work([BenchmarkSettings(benchmark="gsm8k", problems=9_999)]).problems == 1_319


def test_samples_are_work_beside_the_greedy_completions() -> None:
    greedy = evaluation_work([BenchmarkSettings(benchmark="gsm8k", problems=500)])
    drawn = evaluation_work([BenchmarkSettings(benchmark="gsm8k", problems=500, samples=16)])
    assert (drawn.problems, drawn.outcomes, drawn.generated) == (500, 17 * 500, 17 * greedy.generated)
    assert greedy.decoding_steps == 5 * 256
    assert drawn.decoding_steps == (5 + 84) * 256  # batches of 100 rows: 6 problems with 16 samples each
    many = evaluation_work([BenchmarkSettings(benchmark="gsm8k", problems=5, samples=250)])
    assert many.decoding_steps == (1 + 5 * 3) * 256  # a problem's samples in three parts


@pytest.mark.parametrize("name", sorted(set(BENCHMARKS) - {"hellaswag"}))
def test_benchmarks_have_the_size_that_the_plan_takes(name: str, request: pytest.FixtureRequest) -> None:
    data_dir = request.getfixturevalue("whole_data" if name in ("gsm8k", "svamp") else "data_dir")
    assert len(BENCHMARKS[name].problems(None, data_dir=data_dir)) == BENCHMARKS[name].size


@pytest.mark.parametrize(
    ("accuracy", "size", "share"),
    [
        (0.02, 4, 0.98**4 + 0.02**4),  # the report's 1×: 92 %
        (0.5, 2, 0.5),
        (0.0, 8, 1.0),
        (1.0, 8, 1.0),
        (0.3, 8, 0.05771),
    ],
)
def test_share_of_groups_without_a_gradient(accuracy: float, size: int, share: float) -> None:
    assert expected_without_gradient(accuracy, size) == pytest.approx(share, abs=5e-6)
    assert expected_without_gradient(1 - accuracy, size) == pytest.approx(share, abs=5e-6)


def test_where_half_of_the_groups_teach() -> None:
    for size in (3, 4, 8, 40):
        assert expected_without_gradient(half_without_gradient(size), size) == pytest.approx(0.5)
    size = enough_for_half(0.02, 4)
    assert size == 35
    assert expected_without_gradient(0.02, 35) <= 0.5 < expected_without_gradient(0.02, 34)
    assert enough_for_half(0.02, 40) is None
    assert enough_for_half(0.0, 4) is None
    assert enough_for_half(1e-9, 4) == pytest.approx(693_147_181, rel=1e-6), "at once, however rare"


def test_the_report_s_first_reinforcement_is_warned_about() -> None:
    once = plan(published(("scale", "1x")), hardware=RTX_4090, experience=Measured())
    first, second = once.cautions
    assert first.warns and second.warns
    assert first.text.startswith("baseline, grpo: ") and "at least 92 % of the groups" in first.text
    assert "(35 would give half of the groups one)" in first.text
    assert "at least 85 %" in second.text
    unknown = plan(published(("scale", "1x")), hardware=RTX_4090).cautions
    assert [one.warns for one in unknown] == [False]
    assert "At 2 % accuracy, at least 92 % of the groups give no signal" in unknown[0].text
    assert "below 15.9 %, most give none" in unknown[0].text


def test_shaped_rewards_have_gradients_of_something_else() -> None:
    found = plan(published(), hardware=RTX_4090, experience=Measured()).cautions
    assert not any(one.warns for one in found)
    assert all("not from correctness" in one.text for one in found)


def test_a_stage_that_has_nothing_to_be_evaluated_on_is_named() -> None:
    asks = [("stages.grpo.benchmarks", []), ("stages.grpo.evaluate_every", 10)]
    found = plan(build(read("demo"), asks), hardware=CPU).cautions
    assert [one.text for one in found if "evaluate_benchmark" in one.text] == [
        "grpo: nothing is evaluated while it trains, since no benchmark follows it; name one in evaluate_benchmark."
    ]
    named = build(read("demo"), [*asks, ("stages.grpo.evaluate_benchmark", "gsm8k")])
    assert not any("evaluate_benchmark" in one.text for one in plan(named, hardware=CPU).cautions)


def test_work_adds_up_and_has_operations() -> None:
    total = Work(learnt=10, scored=3) + Work(generated=4, steps=2)
    assert total == Work(learnt=10, scored=3, generated=4, steps=2)
    assert total.flops(5) == 5 * (60 + 6 + 8)
    assert replace(total, rollouts=7).amount("rollouts") == 7
    assert [percent(p) for p in (0.0, 0.001, 0.02, 1.0)] == ["0 %", "under 1 %", "2 %", "100 %"]


def test_every_recipe_has_a_plan_at_every_size() -> None:
    for name in ("smoke", "hypothesis_d_one_step", "tinygsm_1m", "hypothesis_e_memory"):
        for scale in ("full", *read(name).get("scales", {})):
            recipe = build(read(name), [("scale", scale)])
            found = plan(recipe, hardware=CPU)
            assert len(found.runs) == len(resolve(recipe))
            assert found.seconds > 0 and found.flops > 0 and found.disk > 0


@pytest.mark.parametrize(
    "kind", [kind for kind, one in STAGES.items() if issubclass(one, TrainingStageSettings)]
)
def test_every_kind_that_trains_counts_its_own_work(kind: str) -> None:
    assert "work" in vars(STAGES[kind])
