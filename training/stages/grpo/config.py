"""Settings of GRPO (no torch)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from training.data import AnySource
from training.names import nearest
from training.recipe_errors import error_at
from training.rewards import REWARDS
from training.settings import Settings, Source, TrainingStageSettings, mean_tokens
from training.stages.grpo.groups import (
    enough_for_half,
    expected_without_gradient,
    half_without_gradient,
)
from training.work import Caution, Unit, Work, percent


class RewardSettings(Settings):
    """One component of the reward."""

    reward: str = Field(..., description="Name in the reward registry")
    weight: float = Field(1.0, description="Factor on the component's own value")

    @model_validator(mode="after")
    def _known(self) -> "RewardSettings":
        if self.reward not in REWARDS:
            raise ValueError(f"there is no reward {self.reward!r}{nearest(self.reward, REWARDS)}")
        return self


class GrpoSettings(TrainingStageSettings):
    """Each optimizer step takes batch_size × gradient_accumulation rollouts, in groups of group_size."""

    kind: Literal["grpo"]
    several_processes: ClassVar[bool] = True
    records_rollouts: ClassVar[bool] = True
    unit: ClassVar[Unit] = "rollouts"
    same_speed: ClassVar[tuple[str, ...]] = ("precision", "group_size", "max_new_tokens", "sampler")
    data: list[AnySource] = Field(..., min_length=1, description="Sources of prompts and their weights")
    prompts: int = Field(..., ge=1, description="Prompts drawn from the sources by weight")
    group_size: int = Field(..., ge=2, description="Rollouts per prompt; advantages compare within a group")
    batch_size: int = Field(64, ge=2, description="Rollouts in one forward pass")
    temperature: float = Field(1.0, gt=0, description="Sampling temperature of the rollouts")
    max_new_tokens: int = Field(256, ge=1, description="Token limit of a rollout")
    beta: float = Field(0.02, ge=0, description="Weight of the KL divergence from the stage's first policy")
    clip_range: float = Field(0.2, gt=0, description="PPO clip range of the probability ratio")
    iterations: int = Field(1, ge=1, description="Optimizer passes over each batch of rollouts")
    loss_type: Literal["grpo", "dapo", "dr_grpo", "bnpo"] = Field(
        "grpo", description="How token losses are averaged (TRL's names)"
    )
    scale_rewards: Literal["group", "batch", "none"] = Field(
        "group", description="Standard deviation that advantages are divided by"
    )
    rewards: list[RewardSettings] = Field(
        ..., min_length=1, description="Components that add up to the reward"
    )
    sampler: Literal["mulberry", "transformers"] = Field(
        "mulberry", description="What samples the rollouts: training/sampler.py, or transformers' generate"
    )

    @model_validator(mode="after")
    def _groups_fit(self) -> "GrpoSettings":
        per_step = self.batch_size * self.gradient_accumulation
        if per_step % self.group_size:
            raise error_at(
                "group_size",
                f"{self.group_size} does not divide batch_size × gradient_accumulation = {per_step}; "
                f"choose a multiple of {self.group_size} rollouts a step",
            )
        if self.prompts * self.group_size < per_step:
            raise error_at(
                "prompts",
                f"{self.prompts} prompts × {self.group_size} rollouts are fewer than one step's {per_step}; "
                "take more prompts or a smaller batch_size",
            )
        return self

    def planned_steps(self) -> int:
        """Optimizer steps for one pass over the prompts."""
        per_step = self.batch_size * self.gradient_accumulation
        return self.prompts * self.group_size // per_step * self.iterations

    def work(self) -> Work:
        """Every rollout is taken to fill max_new_tokens; a KL term has each scored by the reference model too."""
        steps, per_step = self.planned_steps(), self.batch_size * self.gradient_accumulation
        batches = steps // self.iterations
        rollouts = batches * per_step
        prompt = round(mean_tokens(self.data)[0])
        tokens = rollouts * (prompt + self.max_new_tokens)
        passes = (self.beta > 0) + (self.iterations > 1)  # the reference's, and the policy's before it moves
        return Work(
            steps=steps,
            rollouts=rollouts,
            learnt=tokens * self.iterations,
            scored=tokens * passes + rollouts // self.group_size * prompt,
            generated=rollouts * self.max_new_tokens,
            decoding_steps=batches * self.max_new_tokens,
            kept=tokens,
            records=steps // self.log_every,
        )

    def assumptions(self) -> list[str]:
        """The length of a rollout."""
        prompt = mean_tokens(self.data)[0]
        return [
            f"{self.name}: every rollout is taken to go to its limit of {self.max_new_tokens} tokens, "
            f"after a prompt of {prompt:.0f}: a model that stops by itself is faster"
        ]

    @property
    def only_correctness_pays(self) -> bool:
        """Whether a rollout's reward is one value when it is right and another one when it is wrong."""
        return all(one.reward == "correct" for one in self.rewards)

    def cautions(self, accuracy: float | None) -> list[Caution]:
        """How many groups would teach nothing: all their rollouts right, or all of them wrong."""
        size = self.group_size
        text = f"{self.name}: a group of {size} rollouts cannot tell right from wrong when all are right or all are wrong. "
        if accuracy is None:
            shares = ", ".join(
                f"{percent(expected_without_gradient(p, size))} at {percent(p)}" for p in (0.02, 0.1, 0.3)
            )
            half = percent(half_without_gradient(size), 1)
            text += f"By accuracy at least so many groups are like that: {shares}; below {half} most are. "
        else:
            share = percent(expected_without_gradient(accuracy, size))
            text += f"At the accuracy of {percent(accuracy, 1)} measured before, at least {share} of the groups are. "
        if not self.only_correctness_pays:
            text += (
                "They still have a gradient, from the other components of the reward: not from correctness."
            )
            return [Caution(text, warns=False)]
        likely = accuracy is not None and expected_without_gradient(accuracy, self.group_size) > 0.5
        if likely or accuracy is None:
            enough = enough_for_half(accuracy, self.group_size) if accuracy else None
            more = f" ({enough} would give half of the groups one)" if enough else ""
            text += (
                f"Such a group has no gradient. Take more rollouts a prompt{more}, easier prompts, a better model "
                "to start from, or a shaped reward."
            )
        return [Caution(text, warns=likely)]

    def context_needed(self) -> dict[str, int]:
        """A rollout and at least one token of its prompt stand in it."""
        return {"max_new_tokens": self.max_new_tokens + 1}

    def mixtures(self) -> Mapping[str, Sequence[Source]]:
        """The one mixture."""
        return {"data": self.data}
