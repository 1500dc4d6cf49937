"""The report's setup is what the results rest on: model, data, each stage's optimizer and loss, what it took."""

from datetime import timedelta

import pytest

from tests import factories
from training.recipes import recipe as recipes, sweep
from training.recipes.recipe import Recipe
from webapp.experiments.models import Experiment
from webapp.reports.report import report
from webapp.runs.models import Attempt, StageRun, State

pytestmark = pytest.mark.django_db


def launched(recipe: Recipe, name: str = "phase6_grpo_20x-1") -> Experiment:
    """A recipe's stages, conditions and specs, without looking for its data."""
    experiment = factories.make_experiment(
        name,
        recipe=recipe.model_dump(mode="json"),
        recipe_name=recipe.name,
        stages=[(one.name, one.kind) for one in recipe.stages],
        conditions=[one.name for one in recipe.conditions],
        seeds=recipe.seeds,
    )
    settings = {one.name: one.model_dump(mode="json") for one in recipe.stages}
    for run in StageRun.objects.filter(experiment=experiment).select_related("stage"):
        run.spec["settings"] = settings[run.stage.name]
        run.save()
    return experiment


def lines_of(text: str, stage: str) -> dict[str, str]:
    """Label → text of a stage in the setup."""
    part = text[text.index(f"\n- Stage {stage}\n") :].split("\n- ")[1]
    found = (
        line.strip().removeprefix("- ").split(": ", 1)
        for line in part.splitlines()[1:]
        if line.startswith("  - ")
    )
    return dict(found)


def test_the_configuration_is_what_the_result_rests_on() -> None:
    shipped = recipes.shipped("phase6_grpo_20x")
    launched(recipes.build(shipped, [("scale", "1x")]))
    experiment = launched(recipes.build(shipped), "phase6_grpo_20x-2")
    for condition, hours in (("baseline", 2.1), ("mul_tokens", 2.2)):
        run = factories.run_of(experiment, condition, "grpo")
        worker = factories.make_worker()
        worker.gpus = ["NVIDIA RTX 4090"]
        worker.save()
        attempt = factories.make_attempt(run, state=State.SUCCEEDED, device="cuda:0", worker=worker)
        Attempt.objects.filter(pk=attempt.pk).update(ended_at=attempt.started_at + timedelta(hours=hours))
    text = report(experiment)
    of_grpo = lines_of(text, "grpo")
    assert of_grpo == {
        "Data": "gsm8k 100 % (openai/gsm8k)",
        "Optimizer": "AdamW, peak learning rate 5e-07, falling linearly to 0 after 0 warm-up steps, betas 0.9, 0.999, "
        "weight decay 0, gradient clipped at 1",
        "Effective batch": "4 × 10 accumulated = 40 rollouts a step",
        "Token limits": "completions up to 256",
        "Sampling": "temperature 0.7",
        "Loss": "grpo, β 0.5 on the KL divergence, clip range 0.2, rewards scaled by group, 1 pass over each batch, "
        "KL term without correction by the probability ratio",
        "Rewards and weights": "correct × 1 (1 when the final number is right; then no other component counts); partial_credit × 1 "
        "(0.3 when the final number is wrong, but within 1 or within 10 %); shows_steps × 1 (0.1 when the completion has = or ####); "
        "uses_mul_tokens × 1 (0.2 when at least one mul-token was generated); short_response × 1 (0.1 for fewer than 150 words); "
        "repetition × 1 (-0.3 when a phrase of three words occurs three times or more)",
        "Precision": "bf16",
        "Rollouts compared": "80,000 in each condition; 20 × the 4,000 of phase6_grpo_20x-1: 2 × the prompts, "
        "10 × the rollouts a prompt",
        "Time": "baseline 2 h 6 min, mul_tokens 2 h 12 min, evaluations included; on cuda:0 (NVIDIA RTX 4090)",
    }
    assert lines_of(text, "curriculum")["Data"] == (
        "drills: drills 100 % (generated); word_problems: word_problems 90.9 % (generated), gsm8k 9.09 % (openai/gsm8k); "
        "gsm8k: gsm8k 79.6 % (openai/gsm8k), decompositions 20.4 % (generated)"
    )
    assert "| Setting | baseline | mul_tokens |" in text
    assert "| mul_tokens.inject | false | true |" in text.replace("\\_", "_")
    assert "| stages.grpo.beta | 0.5 | 0.5 |" in text
    html = report(experiment, "html")
    assert "β 0.5 on the KL divergence, clip range 0.2" in html
    assert "stages.grpo.beta</" in html


def test_benchmarks_that_a_stage_has_for_itself_are_told() -> None:
    own = {"benchmark": "gsm8k", "problems": 200, "max_new_tokens": 256, "samples": 4}
    changes = [("stages.tulu.benchmarks", []), ("stages.grpo.benchmarks", [own])]
    text = report(launched(recipes.build(recipes.shipped("phase6_grpo_20x"), changes)))
    label = "Benchmarks instead of the recipe’s"
    assert lines_of(text, "tulu")[label] == "none" and label not in lines_of(text, "curriculum")
    asked = "gsm8k: 200 problems, greedy, and 4 samples at temperature 0.8, up to 256 new tokens"
    assert lines_of(text, "grpo")[label] == asked
    assert "Benchmark gsm8k: all problems" in text


def test_time_is_of_runs_that_succeeded() -> None:
    """Two runs that ended after 6 and 12 minutes made 2 h into a mean of 46 min."""
    recipe = recipes.build(recipes.shipped("phase6_grpo_20x"), [("seeds", [0, 1, 2])])
    experiment = launched(recipe)
    for seed, (state, hours) in enumerate(
        ((State.SUCCEEDED, 2.0), (State.FAILED, 0.1), (State.CANCELLED, 0.2))
    ):
        run = factories.run_of(experiment, "baseline", "grpo", seed)
        attempt = factories.make_attempt(run, state=state, device=f"cuda:{seed}")
        Attempt.objects.filter(pk=attempt.pk).update(ended_at=attempt.started_at + timedelta(hours=hours))
        StageRun.objects.filter(pk=run.pk).update(state=state)
    told = lines_of(report(experiment), "grpo")["Time"]
    assert (
        told
        == "baseline 2 h 0 min, evaluations included; on cuda:0; 5 runs that have not succeeded are left out"
    )


def test_rollouts_are_told_in_times_of_the_baselines() -> None:
    recipe = recipes.build(recipes.shipped("phase6_grpo_20x"))
    experiment = launched(recipe)
    run = factories.run_of(experiment, "mul_tokens", "grpo")
    run.spec["settings"] |= {"prompts": 4000}
    run.save()
    told = lines_of(report(experiment), "grpo")["Rollouts compared"].replace("\\_", "_")
    assert told.split("; ")[0] == "mul_tokens has 160,000, 2 × baseline’s 80,000"


def compared_rollouts(experiment: Experiment) -> str:
    return lines_of(report(experiment), "grpo")["Rollouts compared"]


FIRST = "20 × the 4,000 of scale=1x: 2 × the prompts, 10 × the rollouts a prompt"


def test_the_first_experiment_is_set_against_the_recipes_own_1x() -> None:
    shipped = recipes.shipped("phase6_grpo_20x")
    assert compared_rollouts(launched(recipes.build(shipped))) == f"80,000 in each condition; {FIRST}"
    again = compared_rollouts(launched(recipes.build(shipped), "phase6_grpo_20x-2"))
    assert again.endswith(FIRST), "one before with as many rollouts says less"
    tiny = launched(recipes.build(shipped, [("scale", "tiny")]), "phase6_grpo_20x-3")
    assert compared_rollouts(tiny) == "80 in each condition", (
        "a toy model's are not set against those of a larger one"
    )
    once = launched(recipes.build(shipped, [("scale", "1x")]), "phase6_grpo_20x-4")
    assert compared_rollouts(once).endswith(
        "0.05 × the 80,000 of phase6_grpo_20x-2: 0.5 × the prompts, 0.1 × the rollouts a prompt"
    )


def test_an_experiment_is_set_against_the_one_that_it_comes_from() -> None:
    shipped = recipes.shipped("phase6_grpo_20x")
    tiny = launched(recipes.build(shipped, [("scale", "tiny")]))
    forked = launched(recipes.build(shipped), "phase6_grpo_20x-2")
    Experiment.objects.filter(pk=forked.pk).update(origin=tiny)
    told = compared_rollouts(Experiment.objects.get(pk=forked.pk))
    assert told.endswith(
        "; 1,000 × the 80 of phase6_grpo_20x-1: 100 × the prompts, 10 × the rollouts a prompt"
    )


def test_each_step_of_a_curriculum_has_its_own_rate_and_epochs() -> None:
    """The optimizer's rate, which the steps replace, stood there alone, and epochs nowhere."""
    text = report(launched(recipes.build(recipes.shipped("phase6_grpo_20x")))).replace("\\_", "_")
    rates = "5e-05 (drills), 3e-05 (word_problems), 2e-05 (gsm8k)"
    assert lines_of(text, "curriculum")["Optimizer"] == (
        f"AdamW, peak learning rates {rates}, each falling linearly to 0 after 10 warm-up steps of its own, "
        "betas 0.9, 0.999, weight decay 0, gradient clipped at 1"
    )
    (line,) = [line for line in text.splitlines() if line.startswith("| curriculum | curriculum |")]
    sizes = "drills 10,000 examples, 2 epochs; word_problems 5,500 examples, 2 epochs; gsm8k 9,393 examples, 3 epochs"
    assert line == f"| curriculum | curriculum | tulu | {sizes} | {rates} |"


def test_the_setup_names_what_a_reader_needs_to_repeat_it() -> None:
    text = report(launched(recipes.build(recipes.shipped("phase6_grpo_20x")))).replace("\\_", "_")
    assert "768 wide, context 1024; 124,510,464 parameters; vocabulary of 50,349 entries" in text
    pretrain = lines_of(text, "pretrain")
    assert pretrain["Data"] == "fineweb_edu 100 % (streamed from HuggingFaceFW/fineweb-edu, sample-10BT)"
    assert "falling by a cosine to a tenth of it after 715 warm-up steps" in pretrain["Optimizer"]
    assert text.index("| Stage | Kind | After |") < text.index("- Stage pretrain"), "the overview comes first"


@pytest.mark.parametrize(
    ("path", "origin"), [("tulu", "allenai/tulu-3-sft-mixture"), ("mine/chats", "from mine/chats")]
)
def test_a_corpus_in_files_is_named_by_the_hub_only_where_it_usually_lies(path: str, origin: str) -> None:
    changes = [("stages.tulu.data.tulu.hub", None), ("stages.tulu.data.tulu.path", path)]
    text = report(launched(recipes.build(recipes.shipped("phase6_grpo_20x"), changes)))
    assert lines_of(text, "tulu")["Data"] == f"tulu 100 % ({origin})"


def test_parameters_are_told_by_condition_where_they_differ() -> None:
    recipe = recipes.build(recipes.shipped("hypothesis_e_memory"))
    text = report(launched(recipe)).replace("\\_", "_")
    (line,) = [line for line in text.splitlines() if line.startswith("- Model: ")]
    for name, own in recipe.by_condition.items():
        assert f"{own.model.parameters(own.tokenizer.vocabulary):,} in {name}" in line


def test_what_the_loss_has_beside_its_defaults_is_told() -> None:
    changes: list[tuple[str, object]] = [
        ("stages.grpo.kl_correction", True),
        ("stages.grpo.clip_range_high", 0.28),
        ("stages.grpo.clip_limit", 4),
        ("stages.grpo.off_policy_limit", 0.5),
        ("stages.grpo.mask_truncated", True),
        ("stages.grpo.reference.sync_every", 64),
        ("stages.grpo.entropy.top_share", 0.2),
        ("stages.grpo.entropy.bonus", 0.01),
        ("stages.grpo.entropy.target", 0.7),
    ]
    recipe = recipes.build(recipes.shipped("phase6_grpo_20x"), changes)
    assert lines_of(report(launched(recipe)), "grpo")["Loss"] == (
        "grpo, β 0.5 on the KL divergence, clip range 0.2 below and 0.28 above, rewards scaled by group, 1 pass over each batch, "
        "probability ratio at most 4, rollouts with a negative advantage left out from 0.5 nats off policy on, "
        "cut rollouts masked, reference moved 60 % of the way to the policy every 64 steps, "
        "learning only from the 20 % of the tokens with the highest entropy, "
        "entropy bonus 0.01 while the entropy is at most 0.7 nats, changed by 0.005 a step up to 1"
    )
    sequence = recipes.build(
        recipes.shipped("phase6_grpo_20x"), [("stages.grpo.importance_sampling", "sequence")]
    )
    told = lines_of(report(launched(sequence, "phase6_grpo_20x-2")), "grpo")["Loss"]
    assert told.endswith(
        "KL term without correction by the probability ratio, one probability ratio for each rollout"
    )


def test_what_conditions_set_otherwise_is_listed_by_condition() -> None:
    swept_ = sweep.swept(recipes.build(recipes.read("demo")), [("stages.grpo.beta", (0.02, 0.5))])
    text = report(launched(swept_, "demo-9")).replace("\\_", "_")
    loss = lines_of(text, "grpo")["Loss"]
    assert "β 0.02 on the KL divergence" in loss and "β 0.5 on the KL divergence" in loss
    first, second = loss.split("; ")
    assert first.endswith("(beta_0_02)") and second.endswith("(beta_0_5)")
    assert "(beta" not in lines_of(text, "grpo")["Optimizer"], "what all have stands once"
