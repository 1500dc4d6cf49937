"""Each GRPO setting does in training what it says: against values worked out by hand, and on tiny real runs."""

import math
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch import Tensor

from tests.training.conftest import TINY, Stage, Stages
from training.architecture import model
from training.engine import stage_helpers
from training.engine.run_context import Run
from training.process.journal import Journal
from training.recipes import recipe
from training.recipes.recipe import RecipeError, RunSpec
from training.stages.grpo.trainer import GrpoTrainer

pytestmark = pytest.mark.slow

Make = Callable[..., GrpoTrainer]


@pytest.fixture
def make(finished: dict[str, Stage], stages: Stages) -> Iterator[Make]:
    """A trainer of the tiny GRPO stage with changed settings (paths below the stage)."""
    opened: list[Journal] = []

    def build(**settings: Any) -> GrpoTrainer:
        parent = finished["curriculum"].checkpoints / "final"
        changes = [(f"stages.grpo.{path.replace('__', '.')}", value) for path, value in settings.items()]
        made = stages.make(f"run{len(opened)}", "grpo", parent=parent, changes=changes)
        spec = RunSpec.model_validate_json((made.run_dir / "spec.json").read_text())
        opened.append(Journal(made.run_dir / "journal"))
        run = Run.open(made.run_dir, spec, opened[-1])
        tokenizer = stage_helpers.load_tokenizer(run)
        tokenizer.padding_side = "left"
        prompts = [{"prompt": f"User: {n} + 3 = ?\nAssistant:", "reference": str(n + 3)} for n in range(8)]
        return GrpoTrainer(
            run=run,
            settings=run.spec.settings,
            model=model.load(parent),
            tokenizer=tokenizer,
            prompts=Dataset.from_list(prompts),
            seed=0,
            sampler="static_cache",
        )

    yield build
    for journal in opened:
        journal.close()


# One batch of two rollouts of three and two tokens; the second has a negative advantage.
ADVANTAGES = torch.tensor([1.5, -0.5])
MASK = torch.tensor([[1, 1, 1], [1, 1, 0]])
OLD = torch.tensor([[-1.0, -2.0, -0.5], [-0.7, -1.2, 0.0]])
NEW = torch.tensor([[-0.6, -2.6, -0.4], [-0.1, -1.9, 0.0]])
REFERENCE = torch.tensor([[-1.1, -2.1, -0.9], [-0.6, -1.0, 0.0]])
ENTROPY = torch.tensor([[0.2, 1.4, 0.6], [0.9, 0.1, 5.0]])


def loss_of(trainer: GrpoTrainer) -> tuple[float, Tensor]:
    """TRL's loss on the batch above, and its gradient by the tokens' log-probabilities; the model is not asked."""
    scored = NEW.clone().requires_grad_()
    trainer._get_per_token_logps_and_entropies = lambda *_, **__: (scored, ENTROPY, None)  # type: ignore[method-assign]
    trainer._scored = NEW
    trainer.current_gradient_accumulation_steps = 1
    trainer.accelerator.gradient_state._set_sync_gradients(True)
    trainer.model.train()
    inputs = {
        "prompt_ids": torch.ones(2, 1, dtype=torch.long),
        "prompt_mask": torch.ones(2, 1, dtype=torch.long),
        "completion_ids": torch.ones(2, 3, dtype=torch.long),
        "completion_mask": MASK,
        "advantages": ADVANTAGES,
        "num_items_in_batch": MASK.sum() * trainer.args.steps_per_generation,
        "old_per_token_logps": OLD,
        "ref_per_token_logps": REFERENCE,
        "sampling_per_token_logps": OLD,
    }
    loss = trainer._compute_loss(trainer.model, inputs)
    loss.backward()
    return loss.item(), scored.grad


def clipped(ratio: Tensor, low: float = 0.2, high: float = 0.2, limit: float = math.inf) -> Tensor:
    """PPO's clipped objective, negated: (rows, tokens)."""
    gain = ADVANTAGES[:, None]
    return -torch.minimum(ratio.clamp(max=limit) * gain, ratio.clamp(1 - low, 1 + high) * gain)


def per_rollout(losses: Tensor) -> float:
    return float(((losses * MASK).sum(1) / MASK.sum(1)).mean())


RATIO = (NEW - OLD).exp()
SEQUENCE_RATIO = (((NEW - OLD) * MASK).sum(1) / MASK.sum(1)).exp()[:, None]
KL = (REFERENCE - NEW).exp() - (REFERENCE - NEW) - 1


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, per_rollout(clipped(RATIO))),
        ({"clip_range_high": 0.4}, per_rollout(clipped(RATIO, high=0.4))),
        ({"clip_range": 0.1, "clip_range_high": 0.3}, per_rollout(clipped(RATIO, 0.1, 0.3))),
        ({"clip_limit": 1.5}, per_rollout(clipped(RATIO, limit=1.5))),
        ({"importance_sampling": "sequence"}, per_rollout(clipped(SEQUENCE_RATIO))),
        ({"loss_type": "bnpo"}, float((clipped(RATIO) * MASK).sum() / 5)),
        ({"loss_type": "dapo"}, float((clipped(RATIO) * MASK).sum() / 5)),
        ({"loss_type": "dr_grpo"}, float((clipped(RATIO) * MASK).sum() / (2 * 12))),
        (
            {"loss_type": "luspo", "importance_sampling": "sequence"},
            float((clipped(SEQUENCE_RATIO) * MASK).sum(1).mean()),
        ),
        (
            {"loss_type": "cispo", "clip_range_high": 1.3},
            float((-RATIO.clamp(max=1.3) * ADVANTAGES[:, None] * NEW * MASK).sum() / 5),
        ),
        ({"beta": 0.5, "kl_correction": False}, per_rollout(clipped(RATIO) + 0.5 * KL)),
        ({"beta": 0.5}, per_rollout(clipped(RATIO) + 0.5 * KL * RATIO)),
        # the tokens of highest entropy: those of 0.6, 0.9 and 1.4 nats among five
        ({"entropy__top_share": 0.5}, per_rollout(clipped(RATIO) * (ENTROPY >= 0.6))),
        ({"entropy__bonus": 0.1}, per_rollout(clipped(RATIO)) - 0.1 * 3.2 / 5),
        # the second rollout has lost 0.05 nats a token
        ({"off_policy_limit": 0.04}, per_rollout(clipped(RATIO) * torch.tensor([[1.0], [0.0]]))),
        ({"off_policy_limit": 0.06}, per_rollout(clipped(RATIO))),
    ],
)
def test_the_loss_is_what_the_settings_say(make: Make, settings: dict[str, Any], expected: float) -> None:
    trainer = make(**{"beta": 0.0, "gradient_accumulation": 1, "batch_size": 8, **settings})
    assert loss_of(trainer)[0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("loss_type", ["sapo", "vespo"])
def test_smooth_losses_pull_by_the_advantage(make: Make, loss_type: str) -> None:
    trainer = make(beta=0.0, gradient_accumulation=1, batch_size=8, loss_type=loss_type)
    _, gradient = loss_of(trainer)
    assert (gradient[0] < 0).all()  # likelier where the advantage is positive
    assert (gradient[1, :2] > 0).all()
    assert gradient[1, 2] == 0


def test_a_truncated_rollout_gives_no_gradient(make: Make) -> None:
    trainer = make(mask_truncated=True, batch_size=8, gradient_accumulation=1, max_new_tokens=8)
    trainer.current_gradient_accumulation_steps = 1
    trainer.model.train()
    inputs = [row for row in trainer.train_dataset for _ in range(4)]
    batch = trainer._generate_and_score_completions(inputs)
    truncated = torch.tensor([ids[-1] != trainer.eos_id for ids in trainer.grader.ids])
    assert 0 < truncated.sum() < len(truncated), "the model must end some by itself, and not all"
    assert (batch["completion_mask"].sum(1) == 0).tolist() == truncated.tolist()

    def gradient(advantages: Tensor) -> Tensor:
        trainer.model.zero_grad()
        trainer._compute_loss(trainer.model, {**batch, "advantages": advantages}).backward()
        return trainer.model.transformer.wte.weight.grad.clone()

    base = gradient(torch.ones(len(inputs)))
    assert base.abs().max() > 0
    assert torch.equal(base, gradient(torch.where(truncated, 1000.0, 1.0)))
    assert not torch.equal(base, gradient(torch.where(truncated, 1.0, 1000.0)))


def grpo(stages: Stages, finished: dict[str, Stage], name: str, **settings: Any) -> Stage:
    changes = [(f"stages.grpo.{path.replace('__', '.')}", value) for path, value in settings.items()]
    return stages.make(name, "grpo", parent=finished["curriculum"].checkpoints / "final", changes=changes)


def test_a_policy_that_never_ends_by_itself_learns_nothing_and_is_recorded(
    finished: dict[str, Stage], stages: Stages
) -> None:
    made = grpo(stages, finished, "run", mask_truncated=True, max_new_tokens=1, prompts=4)
    assert made.run() == 0, made.journal.records("finished")
    rows = [row for rows in made.journal.rollouts().values() for row in rows]
    assert len(rows) == 16
    assert all(row["hit_limit"] and row["tokens"] == 1 and row["completion"] for row in rows)
    assert all(values["grad_norm"] == 0 for values in made.journal.metrics().values())


@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM"])
def test_iterations_reuse_rollouts_and_survive_being_stopped_among_them(
    finished: dict[str, Stage], stages: Stages, number: str
) -> None:
    settings = {"iterations": 2, "save_every": 4, "prompts": 8}
    whole = grpo(stages, finished, "whole", **settings)
    assert whole.run() == 0
    rollouts = whole.journal.rollouts()
    assert sorted(rollouts) == [1, 3, 5, 7]  # 8 prompts × 4 in batches of 8, each trained on twice
    assert sorted(whole.journal.metrics()) == [2, 4, 6, 8]
    assert whole.journal.metrics()[8]["clip_ratio"] >= 0

    broken = grpo(stages, finished, "broken", **settings)
    assert broken.run_until(5, getattr(signal, number)) != 0  # between the two passes over the third batch
    assert broken.run() == 0
    assert broken.journal.metrics() == whole.journal.metrics()
    assert broken.journal.rollouts() == rollouts
    groups = [row["group"] for rows in broken.journal.rollouts().values() for row in rows]
    assert groups == [i // 4 for i in range(32)]


def test_a_moving_reference_and_an_adaptive_bonus_go_on_after_a_kill(
    finished: dict[str, Stage], stages: Stages
) -> None:
    settings = {
        "reference__sync_every": 2,
        "reference__sync_share": 0.5,
        "entropy__target": 10.0,
        "entropy__bonus": 0.01,
        "entropy__bonus_step": 0.002,
        "optimizer__learning_rate": 0.01,
    }
    whole = grpo(stages, finished, "whole", **settings)
    assert whole.run() == 0
    metrics = whole.journal.metrics()
    # raised at every step, as the entropy is under the target: 0.012, 0.014 … and the record is of two steps' mean
    assert [metrics[step]["entropy_bonus"] for step in (2, 4, 6, 8)] == pytest.approx(
        [0.013, 0.017, 0.021, 0.025]
    )
    still = grpo(stages, finished, "still", **{**settings, "reference__sync_every": None})
    assert still.run() == 0
    assert metrics[2]["kl"] == pytest.approx(still.journal.metrics()[2]["kl"])
    assert metrics[8]["kl"] < still.journal.metrics()[8]["kl"]  # the reference follows

    broken = grpo(stages, finished, "broken", **settings)
    assert broken.run_until(5, signal.SIGKILL) == -signal.SIGKILL
    assert broken.run() == 0
    assert [fields["step"] for fields in broken.journal.records("started")] == [0, 3]
    assert broken.journal.metrics() == metrics
    assert broken.journal.rollouts() == whole.journal.rollouts()


@pytest.mark.parametrize("scale", ["batch", "none"])
def test_advantages_are_scaled_as_set(finished: dict[str, Stage], stages: Stages, scale: str) -> None:
    made = grpo(stages, finished, "run", scale_rewards=scale, prompts=6)
    assert made.run() == 0
    for rows in made.journal.rollouts().values():
        rewards = torch.tensor([row["reward"] for row in rows])
        expected = (rewards.view(-1, 4) - rewards.view(-1, 4).mean(1, keepdim=True)).flatten()
        expected = expected / (rewards.std() + 1e-4) if scale == "batch" else expected
        assert [row["advantage"] for row in rows] == pytest.approx(expected.tolist(), abs=1e-3)


@pytest.mark.parametrize(
    ("loss_type", "settings"),
    [
        ("bnpo", {"iterations": 2, "clip_range_high": 0.28, "clip_limit": 3.0}),
        ("dapo", {"iterations": 2, "entropy__top_share": 0.2, "off_policy_limit": 0.5}),
        ("dr_grpo", {"scale_rewards": "none", "beta": 0.0}),
        ("cispo", {"clip_range_high": 5.0, "entropy__bonus": 0.01}),
        ("sapo", {"iterations": 2}),
        ("luspo", {"importance_sampling": "sequence", "kl_correction": False}),
        ("vespo", {"iterations": 2}),
        (
            "grpo",
            {
                "importance_sampling": "sequence",
                "kl_correction": False,
                "iterations": 2,
                "clip_range": 0.0004,
            },
        ),
    ],
)
def test_every_loss_trains(
    finished: dict[str, Stage], stages: Stages, loss_type: str, settings: dict[str, Any]
) -> None:
    made = grpo(stages, finished, "run", loss_type=loss_type, prompts=8, **settings)
    assert made.run() == 0, made.journal.records("finished")
    metrics = made.journal.metrics()
    assert sum(values["grad_norm"] for values in metrics.values()) > 0
    assert all(math.isfinite(values["loss"]) for values in metrics.values())
    if loss_type not in ("sapo", "vespo"):
        assert all("clip_ratio" in values for values in metrics.values())


@pytest.mark.parametrize(
    ("path", "value", "more", "text"),
    [
        ("loss_type", "cispo", {}, "clip_range_high: loss_type cispo takes it as the largest ratio; set it"),
        ("clip_range_high", 0.3, {"loss_type": "sapo"}, "loss_type sapo clips nothing; leave it empty"),
        (
            "clip_limit",
            2.0,
            {"loss_type": "vespo"},
            "acts with loss_type grpo, bnpo, dapo, dr_grpo, luspo only",
        ),
        ("clip_limit", 1.2, {}, "must be more than 1 + clip_range_high = 1.2; raise it"),
        ("loss_type", "luspo", {}, "importance_sampling: loss_type luspo is made for sequence"),
        (
            "importance_sampling",
            "sequence",
            {"loss_type": "vespo"},
            "vespo weighs sequences itself; choose token",
        ),
        ("reference__sync_every", 5, {"beta": 0.0}, "there is no reference while beta is 0"),
        ("importance_sampling", "sequence", {}, "kl_correction: needs a ratio for each token"),
        ("entropy__bonus", 2.0, {"entropy__target": 1.0}, "is more than bonus_limit 1.0"),
        ("sampling__top_p", 0.0, {}, "must be more than 0"),
        ("loss_type", "gspo", {}, "must be 'grpo', 'bnpo', 'dapo'"),
        ("sampler", "vlm", {}, "must be 'auto', 'static_cache', 'generate' or 'vllm'"),
    ],
)
def test_what_would_not_act_is_refused_at_its_place(
    path: str, value: Any, more: dict[str, Any], text: str
) -> None:
    changes = {**more, path: value}
    with pytest.raises(RecipeError) as error:
        recipe.build(
            TINY, [(f"stages.grpo.{key.replace('__', '.')}", value) for key, value in changes.items()]
        )
    assert text in str(error.value)


def test_experiments_stored_with_the_samplers_first_names_are_read() -> None:
    for before, now in (("mulberry", "static_cache"), ("transformers", "generate")):
        built = recipe.build(TINY, [("stages.grpo.sampler", before)])
        assert next(s for s in built.stages if s.kind == "grpo").sampler == now
