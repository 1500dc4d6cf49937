"""Settings of GRPO (no torch)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from training.data.sources import AnySource
from training.rewards import AnyReward
from training.settings.base import Settings
from training.settings.errors import error_at
from training.settings.shared import CodeChange, Learns, SamplingSettings, TrainingStageSettings
from training.settings.source import Source, mean_tokens
from training.settings.work_estimate import Caution, Unit, Work, percent
from training.stages.grpo.groups import (
    enough_for_half,
    expected_without_gradient,
    half_without_gradient,
)

LossType = Literal["grpo", "bnpo", "dapo", "dr_grpo", "cispo", "sapo", "luspo", "vespo"]
CLIPPING: tuple[LossType, ...] = ("grpo", "bnpo", "dapo", "dr_grpo", "luspo")  # the ratio, on both sides of 1
SamplerName = Literal["auto", "static_cache", "generate", "vllm"]


class ReferenceSettings(Settings):
    """The policy that the KL divergence is measured from; as set at first, the one that the stage began with."""

    sync_every: int | None = Field(
        None,
        ge=1,
        description="Steps after which the reference moves towards the policy (TR-DPO); empty: it never moves",
    )
    sync_share: float = Field(
        0.6,
        gt=0,
        le=1,
        description="How far it moves each time: share × policy + (1 − share) × reference; 1 replaces it",
    )


class EntropySettings(Settings):
    """What is done about tokens where the policy wavers, and about a policy that no longer does."""

    top_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Learn only from this share of the tokens, those of highest entropy (0.2: Beyond the 80/20 Rule); "
        "1: from all. The KL term counts at every token",
    )
    bonus: float = Field(
        0.0,
        ge=0,
        description="How much the loss rewards mean entropy (nats a token), against a policy that collapses; 0: off",
    )
    target: float | None = Field(
        None,
        gt=0,
        description="With it the bonus applies only while the entropy is at most so many nats, and grows or shrinks by "
        "bonus_step each step (Skywork-OR1); choose it near the entropy of the first steps. Empty: constant",
    )
    bonus_step: float = Field(0.005, gt=0, description="Change of the bonus a step; counts with a target")
    bonus_limit: float = Field(1.0, gt=0, description="Largest bonus; counts with a target")

    @model_validator(mode="after")
    def _within_limit(self) -> "EntropySettings":
        if self.target is not None and self.bonus > self.bonus_limit:
            raise error_at(
                "bonus", f"is more than bonus_limit {self.bonus_limit}; lower it or raise the limit"
            )
        return self


class GrpoSettings(TrainingStageSettings):
    """Each optimizer step takes batch_size × gradient_accumulation rollouts, in groups of group_size."""

    kind: Literal["grpo"]
    code_changes: ClassVar[tuple[CodeChange, ...]] = (
        CodeChange("2026-11-30", "rewards read final answers as grader final_number/2"),
    )
    learns: ClassVar[Learns] = "rewards"
    several_processes: ClassVar[bool] = True
    draws_by: ClassVar[tuple[str, ...]] = ("prompts", "max_new_tokens")
    without_effect: ClassVar[frozenset[str]] = TrainingStageSettings.without_effect | {"record_logprobs"}
    records_rollouts: ClassVar[bool] = True
    samples_every_step: ClassVar[bool] = True
    has_dynamics: ClassVar[bool] = True
    report_curves: ClassVar[tuple[str, ...]] = ("accuracy", "reward")
    sections: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "Sampling": (
            *("prompts", "group_size", "temperature", "max_new_tokens"),
            *("sampler", "vllm_memory", "record_logprobs", "sampling"),
        ),
        "Loss and clipping": (
            *("loss_type", "iterations", "beta", "kl_correction", "importance_sampling", "scale_rewards"),
            *("clip_range", "clip_range_high", "clip_limit", "off_policy_limit", "mask_truncated"),
            *("reference", "entropy"),
        ),
        **TrainingStageSettings.sections,
    }
    unit: ClassVar[Unit] = "rollouts"
    same_speed: ClassVar[tuple[str, ...]] = ("precision", "group_size", "max_new_tokens", "sampler")
    data: list[AnySource] = Field(..., min_length=1, description="Sources of prompts and their weights")
    prompts: int = Field(..., ge=1, description="Prompts drawn from the sources by weight")
    group_size: int = Field(..., ge=2, description="Rollouts per prompt; advantages compare within a group")
    batch_size: int = Field(64, ge=2, description="Rollouts in one forward pass")
    log_every: int = Field(1, ge=1, description="Steps between metric records; a slope takes 60 records")
    temperature: float = Field(1.0, gt=0, description="Sampling temperature of the rollouts")
    max_new_tokens: int = Field(256, ge=1, description="Token limit of a rollout")
    iterations: int = Field(
        1,
        ge=1,
        description="Optimizer passes over each batch of rollouts (μ). With 1 the policy that learns is the one that "
        "sampled, and no clip range ever acts",
    )
    loss_type: LossType = Field(
        "grpo",
        description="How the tokens' losses add up, and what bounds the probability ratio. sapo and vespo take their "
        "papers' constants",
        json_schema_extra={
            "options": {
                "grpo": "mean of each rollout, then of all; favours short right and long wrong ones",
                "bnpo": "mean over the tokens of a forward pass",
                "dapo": "mean over the tokens of the whole step",
                "dr_grpo": "sum over max_new_tokens, the same for every length",
                "cispo": "as dapo, with the ratio itself cut off at clip_range_high",
                "sapo": "as grpo, with a smooth gate instead of the clip",
                "luspo": "a ratio for each rollout, weighted by its length",
                "vespo": "as dapo, with each rollout weighted smoothly",
            }
        },
    )
    beta: float = Field(
        0.02, ge=0, description="Weight of the KL divergence from the reference; 0: no reference is loaded"
    )
    kl_correction: bool = Field(
        True,
        description="Multiply the KL term by the probability ratio, so that its gradient is that of the KL divergence "
        "(DeepSeek-V3.2). Off: the estimate of the first GRPO paper, a weaker pull on tokens that became unlikely",
    )
    clip_range: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="How far below 1 the probability ratio may fall before it stops counting (ε)",
    )
    clip_range_high: float | None = Field(
        None,
        gt=0,
        description="How far above 1 it may rise; empty: clip_range. DAPO took 0.28. For cispo the largest ratio "
        "itself, 5 in ScaleRL",
    )
    clip_limit: float | None = Field(
        None,
        gt=1,
        description="Largest ratio even where the advantage is negative (INTELLECT-2's two-sided clip), more than "
        "1 + clip_range_high; empty: none",
    )
    importance_sampling: Literal["token", "sequence"] = Field(
        "token",
        description="What has a probability ratio of its own",
        json_schema_extra={
            "options": {
                "token": "each token",
                "sequence": "each rollout: its tokens' geometric mean (GSPO: with loss_type grpo, clip_range near 0.0004)",
            }
        },
    )
    scale_rewards: Literal["group", "batch", "none"] = Field(
        "group",
        description="Standard deviation of rewards that advantages are divided by",
        json_schema_extra={
            "options": {
                "group": "of the prompt's own rollouts; favours prompts of nearly equal rewards",
                "batch": "of all rollouts in the step",
                "none": "not divided (Dr. GRPO)",
            }
        },
    )
    mask_truncated: bool = Field(
        False,
        description="Learn nothing from rollouts that hit max_new_tokens (DAPO); they still count in their group's "
        "mean. A model that never ends by itself then learns nothing at all",
    )
    off_policy_limit: float | None = Field(
        None,
        gt=0,
        description="Leave out rollouts with a negative advantage whose tokens became less likely by more than so many "
        "nats in the mean since they were sampled (DeepSeek-V3.2), e.g. 0.5; empty: none",
    )
    rewards: list[AnyReward] = Field(..., min_length=1, description="Components that add up to the reward")
    sampler: SamplerName = Field(
        "auto",
        description="What samples the rollouts; the log says which one did. With vllm a resumed run draws other "
        "rollouts than one that was never stopped",
        json_schema_extra={
            "options": {
                "auto": "vllm where it is installed and can run this model, else static_cache",
                "static_cache": "training/sampling/sampler.py, every model",
                "generate": "transformers' own, slower, every model",
                "vllm": "on the same GPU; plain GPT-2 only",
            }
        },
    )
    record_logprobs: int = Field(
        0,
        ge=0,
        description="Groups of each step whose tokens are recorded, to be looked at, with the log-probabilities that sampler and "
        "trainer gave them, their entropy and whether they are learnt from; about 45 bytes a token. 0: none",
    )
    vllm_memory: float = Field(
        0.3, gt=0, lt=1, description="Share of the GPU's memory that vLLM reserves; counts where vLLM samples"
    )
    sampling: SamplingSettings = Field(
        SamplingSettings(),
        description="What narrows the draw of each token. The trainer scores tokens without it, so rollouts are then "
        "drawn from another distribution than the one that learns",
    )
    reference: ReferenceSettings = Field(
        ReferenceSettings(), description="The policy that the KL divergence is measured from"
    )
    entropy: EntropySettings = Field(
        EntropySettings(), description="Which tokens count, and what is done against collapse"
    )

    @field_validator("sampler", mode="before")
    @classmethod
    def _named_before(cls, name: Any) -> Any:
        """Stored experiments know two samplers by the names that they had first."""
        return {"mulberry": "static_cache", "transformers": "generate"}.get(str(name), name)

    @model_validator(mode="after")
    def _settings_act(self) -> "GrpoSettings":
        """A setting that would change nothing, or mean something else, is refused."""
        loss = self.loss_type
        if loss == "cispo" and self.clip_range_high is None:
            raise error_at(
                "clip_range_high", "loss_type cispo takes it as the largest ratio; set it, e.g. to 5"
            )
        if loss in ("sapo", "vespo") and self.clip_range_high is not None:
            raise error_at("clip_range_high", f"loss_type {loss} clips nothing; leave it empty")
        if self.clip_limit is not None and loss not in CLIPPING:
            raise error_at("clip_limit", f"acts with loss_type {', '.join(CLIPPING)} only; leave it empty")
        high = self.clip_range if self.clip_range_high is None else self.clip_range_high
        if self.clip_limit is not None and self.clip_limit <= 1 + high:
            raise error_at("clip_limit", f"must be more than 1 + clip_range_high = {1 + high:g}; raise it")
        if loss == "luspo" and self.importance_sampling != "sequence":
            raise error_at("importance_sampling", "loss_type luspo is made for sequence; choose that")
        if loss == "vespo" and self.importance_sampling != "token":
            raise error_at("importance_sampling", "loss_type vespo weighs sequences itself; choose token")
        if self.kl_correction and self.beta > 0 and self.importance_sampling == "sequence":
            raise error_at(
                "kl_correction",
                "needs a ratio for each token (huggingface/trl#6586); turn it off, or take importance_sampling token",
            )
        if self.reference.sync_every is not None and self.beta == 0:
            raise error_at(
                "reference.sync_every", "there is no reference while beta is 0; raise beta or leave it empty"
            )
        return self

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

    def size(self) -> str:
        """Prompts and rollouts."""
        return f"{self.prompts:,} prompts × {self.group_size} = {self.prompts * self.group_size:,} rollouts"

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
        figures = ("", "")
        if accuracy is None:
            first, *others = (
                (percent(p), percent(expected_without_gradient(p, size))) for p in (0.02, 0.1, 0.3)
            )
            half = percent(half_without_gradient(size), 1)
            now = (
                f"At {first[0]} accuracy, at least {first[1]} of the groups give no signal from correctness; "
                f"{'; '.join(f'at {p}, {share}' for p, share in others)}; below {half}, most give none. "
            )
        else:
            figures = percent(expected_without_gradient(accuracy, size)), percent(accuracy, 1)
            now = (
                f"At the accuracy of {figures[1]} measured before, at least {figures[0]} of the groups are. "
            )
        shaped = not self.only_correctness_pays
        likely = accuracy is not None and expected_without_gradient(accuracy, self.group_size) > 0.5
        then = ""
        if shaped:
            then = (
                "They still have a gradient, from the other components of the reward: not from correctness."
            )
        elif likely or accuracy is None:
            enough = enough_for_half(accuracy, self.group_size) if accuracy else None
            more = f" ({enough} would give half of the groups one)" if enough else ""
            then = (
                f"Such a group has no gradient. Take more rollouts a prompt{more}, easier prompts, a better model "
                "to start from, or a shaped reward."
            )
        whole = f"{text}{now}{then}"
        if accuracy is None:
            return [Caution(whole, warns=False)]
        listed = f"{text}By the accuracy measured before, at least so many groups are like that: "
        return [Caution(whole, warns=likely and not shaped, around=(listed, f". {then}"), figures=figures)]

    def context_needed(self) -> dict[str, int]:
        """A rollout and at least one token of its prompt stand in it."""
        return {"max_new_tokens": self.max_new_tokens + 1}

    def mixtures(self) -> Mapping[str, Sequence[Source]]:
        """The one mixture."""
        return {"data": self.data}
