"""TRL's GRPOTrainer with positions counted from the mask, Mulberry's sampler, and every rollout recorded."""

import math
import random
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from transformers import (
    GPT2LMHeadModel,
    LogitsProcessorList,
    PreTrainedTokenizerFast,
    RepetitionPenaltyLogitsProcessor,
    SuppressTokensLogitsProcessor,
)
from trl import GRPOConfig, GRPOTrainer

from training.engine.run_context import Run
from training.engine.stopwatch import LEARN, LEFT_OUT, REST, LearningTime, Stopwatch, timed
from training.engine.trainers import Engine, Phase, training_arguments
from training.process import ranks
from training.process.journal import RolloutRow
from training.rewards import total
from training.sampling import learnt_entries
from training.sampling.decoding import left_padded
from training.sampling.sampler import Sampler
from training.stages.grpo import metrics
from training.stages.grpo.config import GrpoSettings
from training.stages.grpo.grader import Grader
from training.stages.grpo.logprobs import ChosenLogprobs, biased
from training.stages.grpo.rollout_sampler import Chosen
from training.stages.grpo.step_sums import StepSums
from training.stages.grpo.token_records import add_tokens
from training.text.answers import extract_answer, same_number
from training.text.repetition import repeats
from training.text.reserved import text_ids
from training.text.tokenizer import mul_token_ids


def arguments(run: Run, settings: GrpoSettings, sampler: Chosen, never: Sequence[int] = ()) -> dict[str, Any]:
    """Mulberry's settings → GRPOConfig's; what TRL would choose otherwise is written beside it.

    `never`: the ids that no sampler may choose.
    """
    return {
        **training_arguments(
            run, settings, settings.planned_steps()
        ),  # TRL: bf16, gradient checkpointing, rate 1e-6
        "gradient_checkpointing": False,  # TRL: True
        "num_generations": settings.group_size,
        "max_completion_length": settings.max_new_tokens,
        "temperature": settings.temperature,
        "top_p": settings.sampling.top_p,
        "top_k": settings.sampling.top_k,
        "min_p": settings.sampling.min_p or None,
        # transformers' generate gets the penalty from us, behind what records log-probabilities
        "repetition_penalty": settings.sampling.repetition_penalty if sampler == "vllm" else 1.0,
        "use_vllm": sampler == "vllm",
        "generation_kwargs": {"logit_bias": dict.fromkeys(never, VLLM_NEVER)} if sampler == "vllm" else None,
        "vllm_gpu_memory_utilization": settings.vllm_memory,
        "beta": settings.beta,  # TRL: 0
        "use_bias_correction_kl": settings.kl_correction,
        "sync_ref_model": settings.reference.sync_every is not None,
        "ref_model_sync_steps": settings.reference.sync_every or 1,
        "ref_model_mixup_alpha": settings.reference.sync_share,
        "num_iterations": settings.iterations,
        "loss_type": settings.loss_type,  # TRL: dapo
        "epsilon": settings.clip_range,
        "epsilon_high": settings.clip_range_high,
        "delta": settings.clip_limit,
        "importance_sampling_level": settings.importance_sampling,
        "scale_rewards": settings.scale_rewards,
        "mask_truncated_completions": settings.mask_truncated,
        "off_policy_mask_threshold": settings.off_policy_limit,
        "top_entropy_quantile": settings.entropy.top_share,
        "entropy_coef": settings.entropy.bonus,
        "use_adaptive_entropy": settings.entropy.target is not None,
        "entropy_target": settings.entropy.target or 0.0,
        "entropy_coef_delta": settings.entropy.bonus_step,
        "entropy_coef_max": settings.entropy.bonus_limit,
        "disable_dropout": True,  # TRL: stays on, so that the policy that is scored is not the one that sampled
        "shuffle_dataset": False,  # the prompts come in a random order already
    }


VLLM_NEVER = -100.0  # the least bias that vLLM takes; e^-100 of a share
UNSAMPLED = -1e5  # finite: times a probability of 0 it must be 0, in the entropy
SAMPLE, GRADE, SCORE, SAVE = "sample", "grade", "score", "save"
PARTS = (SAMPLE, GRADE, SCORE, LEARN, SAVE, REST)  # of a step's time


class GrpoTrainer(Engine, GRPOTrainer):
    """One generation per optimizer step times `iterations`; rollouts in the order of their prompts.

    Several processes have consecutive parts of the rollouts, which may cut a group; rewards, advantages and metrics
    are those of all.
    """

    def __init__(
        self,
        *,
        run: Run,
        settings: GrpoSettings,
        model: GPT2LMHeadModel,
        tokenizer: PreTrainedTokenizerFast,
        prompts: Dataset,
        seed: int,
        sampler: Chosen,
    ) -> None:
        warn = partial(run.journal.log, level="warning")
        self.grader = Grader(settings, mul_token_ids(tokenizer).start, warn)
        self.never = learnt_entries.never_learnt(model, tokenizer)
        super().__init__(
            model=model,
            reward_funcs=[self.grader],
            args=GRPOConfig(**arguments(run, settings, sampler, self.never)),
            train_dataset=prompts,
            processing_class=tokenizer,
        )
        steps = settings.planned_steps()
        phases = [Phase("train", 0, steps, settings.optimizer.learning_rate)]
        # within the optimizer steps over one batch of rollouts there is no point to resume from
        self.set_up(run, settings, phases, multiple=settings.iterations)
        self.settings = settings
        self.sampler_name = sampler
        self.sampling = settings.sampling if settings.sampling.narrows else None
        self.eos_id = tokenizer.eos_token_id
        self.sampler = Sampler(
            model,
            eos_id=tokenizer.eos_token_id,
            pad_id=tokenizer.pad_token_id,
            never=self.never,
            dtype=torch.bfloat16 if settings.precision == "bf16" else torch.float32,
        )
        self.seed = seed
        self._sums = StepSums()
        self._prompts = metrics.PromptCounts(prompts["prompt"])
        self.stopwatch = Stopwatch(self.args.device)
        self.add_callback(LearningTime(self.stopwatch))
        self._unsampled = torch.zeros(model.config.vocab_size).index_fill_(
            0, torch.tensor(self.never, dtype=torch.long), UNSAMPLED
        )
        self._scored: Tensor | None = None  # log-probabilities of the last scoring of the policy

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """TRL's hook: the ids of prompts, in which reserved names are text."""
        return [text_ids(self.processing_class, prompt) for prompt in prompts], None, {}

    @timed(SAMPLE)
    def _generate_single_turn(
        self,
        prompt_ids: list[list[int]],
        images: Any,
        multimodal_fields: Any,
        num_generations: int,
        *rest: Any,
    ) -> tuple[list[list[int]], list[list[float]]]:
        """TRL's hook for sampling: each prompt comes num_generations times in a row; ids and log-probabilities go."""
        if self.sampler_name == "vllm":
            ids, logprobs = super()._generate_single_turn(
                prompt_ids, images, multimodal_fields, num_generations, *rest
            )
            return ids, logprobs
        if self.sampler_name == "generate":
            return self._generate_with_transformers(prompt_ids)
        together = math.gcd(
            num_generations, len(prompt_ids)
        )  # a group may be cut, always at multiples of this
        number = random.Random(f"{self.seed} {self.state.global_step}").getrandbits(63)
        samples = self.sampler.sample(
            prompt_ids[::together],
            group_size=together,
            temperature=self.settings.temperature,
            max_new_tokens=self.settings.max_new_tokens,
            generator=torch.Generator().manual_seed(number),  # of the step alone: a resume draws the same
            part=(ranks.index(), ranks.count()),
            sampling=self.sampling,
        )
        return [sample.ids for sample in samples], [sample.logprobs for sample in samples]

    def _generate_with_transformers(
        self, prompt_ids: list[list[int]]
    ) -> tuple[list[list[int]], list[list[float]]]:
        ids, mask = left_padded(prompt_ids, self.sampler.pad_id)
        recorder = ChosenLogprobs(self.settings.temperature)
        processors = LogitsProcessorList([recorder])
        if self.never:
            device = self.accelerator.device
            processors.insert(0, SuppressTokensLogitsProcessor(self.never, device=str(device)))
        if (penalty := self.settings.sampling.repetition_penalty) != 1:
            processors.append(RepetitionPenaltyLogitsProcessor(penalty))
        with torch.no_grad():
            out = self.accelerator.unwrap_model(self.model).generate(
                input_ids=ids.to(self.accelerator.device),
                attention_mask=mask.long().to(self.accelerator.device),
                generation_config=self.generation_config,
                logits_processor=processors,
            )
        rows = out[:, ids.shape[1] :].tolist()
        logprobs = recorder.finish(out).tolist()
        lengths = [row.index(self.eos_id) + 1 if self.eos_id in row else len(row) for row in rows]
        return (
            [row[:n] for row, n in zip(rows, lengths, strict=True)],
            [row[:n] for row, n in zip(logprobs, lengths, strict=True)],
        )

    _calculate_rewards = timed(GRADE)(GRPOTrainer._calculate_rewards)
    _save_checkpoint = timed(SAVE)(Engine._save_checkpoint)
    evaluate = timed(LEFT_OUT)(Engine.evaluate)

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        **_: Any,
    ) -> tuple[Tensor, Tensor | None, None]:
        """TRL's scoring of completions, (rows, logits_to_keep) each, for policy and reference.

        TRL's own passes no positions, so GPT-2 counts a left-padded row's from its padding: a different text from
        the one that was sampled (huggingface/trl#6800). Here they are counted from the mask. What the sampler never
        chooses has no share in the probabilities, nor in entropy.
        """
        head = self.accelerator.unwrap_model(model).get_output_embeddings()
        positions = (attention_mask.cumsum(1) - 1).clamp(min=0)
        labels = input_ids.masked_fill(attention_mask == 0, -100)
        labels[:, :-logits_to_keep] = -100
        logps, entropies = [], []
        size = batch_size or len(input_ids)
        for start in range(0, len(input_ids), size):
            rows = slice(start, start + size)
            part = self.stopwatch.part(LEARN if compute_entropy else SCORE)
            with part, self.accelerator.autocast(), biased(head, self._unsampled):
                out = model(
                    input_ids=input_ids[rows],
                    attention_mask=attention_mask[rows],
                    position_ids=positions[rows],
                    labels=labels[rows],
                    fused_lm_head=True,
                )
            logps.append(out.log_probs[:, -logits_to_keep:])
            if compute_entropy:
                entropies.append(out.entropy[:, -logits_to_keep:])
        scored = torch.cat(logps)
        if compute_entropy:  # the policy's scoring for the loss
            self._scored = scored.detach()
        return scored, torch.cat(entropies) if compute_entropy else None, None

    def _compute_loss(self, model: Any, inputs: dict[str, Tensor]) -> Tensor:
        loss: Tensor = super()._compute_loss(model, inputs)
        assert self._scored is not None
        mask = inputs["completion_mask"].bool()
        tokens, rows = ranks.total(mask.sum().item(), len(mask))
        # in the first step over a batch the weights are still those that sampled
        place = self._step % (self.args.steps_per_generation * self.num_iterations)
        first = place < self.args.gradient_accumulation_steps
        self._sums.compare(self._scored, inputs["sampling_per_token_logps"], mask, unmoved=first)
        self._sums.take(
            self._metrics["train"],
            tokens=tokens,
            clips=tokens if self.importance_sampling_level == "token" else rows,
            passes=self.current_gradient_accumulation_steps,
            loss_type=self.loss_type,
        )
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add what was summed over the passes of the step, and where its time went: the mean of the processes."""
        took = self.stopwatch.lap()
        seconds = [part / ranks.count() for part in ranks.total(*(took.get(name, 0.0) for name in PARTS))]
        times = {f"time/{name}": part for name, part in zip(PARTS, seconds, strict=True)}
        for name, value in {**self._sums.drain(), **times, "time/step": sum(seconds)}.items():
            self._metrics["train"][name].append(value)
        super().log(logs, start_time)

    @timed(REST)
    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Tensor]:
        output: dict[str, Tensor] = super()._generate_and_score_completions(inputs)
        output["advantages"][self._equal_rewards()] = 0.0  # TRL: what rounding leaves of reward less mean
        ids = self.grader.ids  # the mask leaves out truncated ones when they are not learnt from
        mine = [
            self._row(number, given, row, advantage)
            for number, (given, row, advantage) in enumerate(
                zip(inputs, ids, output["advantages"].tolist(), strict=True)
            )
        ]
        self._add_tokens(mine, output)
        rows = ranks.gathered(mine)
        self.run.journal.append("rollouts", step=self.state.global_step + 1, rows=rows)
        decided = metrics.of_rollouts(rows, self.num_generations) | self._prompts.of(rows)
        for name, value in (decided | self.grader.metrics()).items():
            self._metrics["train"][name].append(value)
        counted = self.journal_callback.counted
        counted["rollouts"] += len(rows)
        prompts = ranks.total(output["prompt_mask"].sum().item())[0]
        counted["tokens"] += int(prompts) + sum(row["tokens"] for row in rows)
        return output

    def _equal_rewards(self) -> Tensor:
        """Which of this process's rollouts belong to a group of equal rewards, (rows,), bool."""
        mine = [total(parts) for parts in self.grader.components]
        rewards = torch.tensor(ranks.gathered(mine)).view(-1, self.num_generations)
        equal = (rewards == rewards[:, :1]).all(1).repeat_interleave(self.num_generations)
        start = ranks.index() * len(mine)
        return equal[start : start + len(mine)].to(self.accelerator.device)

    def _row(self, number: int, given: dict[str, Any], ids: list[int], advantage: float) -> RolloutRow:
        parts, text = self.grader.components[number], self.grader.texts[number]
        rows = len(self.grader.components)
        before = self.state.global_step // self.num_iterations * ranks.count() + ranks.index()
        final_answer = extract_answer(text)
        return {
            "group": (before * rows + number) // self.num_generations,
            "prompt": given["prompt"],
            "completion": text,
            "reference": given["reference"],
            "final_answer": final_answer,
            "tokens": len(ids),
            "reward": total(parts),
            "components": parts,
            "advantage": advantage,
            "correct": same_number(final_answer, given["reference"]),
            "mul_tokens": self.grader.count(ids),
            "repeats": repeats(text),
            "hit_limit": ids[-1] != self.eos_id,
        }

    def _add_tokens(self, mine: list[RolloutRow], output: dict[str, Tensor]) -> None:
        """Add to the step's first groups their tokens, and what sampler and trainer think of each."""
        before = ranks.index() * len(mine)  # a step's rollouts lie in the order of the processes
        wanted = mine[: max(0, self.settings.record_logprobs * self.num_generations - before)]
        if not wanted:
            return
        score = partial(
            self._get_per_token_logps_and_entropies,
            self.accelerator.unwrap_model(self.model),  # other processes may have none to score
            batch_size=self.args.per_device_train_batch_size,
            compute_entropy=True,
        )
        mask_known = self.settings.entropy.top_share == 1
        add_tokens(wanted, self.grader.ids, output, score, self.processing_class, mask_known=mask_known)

    def engine_state(self) -> dict[str, Any]:
        """Add what training changes beside the policy: a synced reference and the entropy bonus."""
        state = super().engine_state()
        if self.args.sync_ref_model:
            state["reference"] = self.accelerator.unwrap_model(self.ref_model).state_dict()
        if self.use_adaptive_entropy:
            state["entropy"] = {"coef": self.entropy_coef, "last": self._last_world_entropy}
        return state

    def load_engine_state(self, state: dict[str, Any]) -> None:
        """Restore the synced reference and the entropy bonus that `engine_state` returned."""
        super().load_engine_state(state)
        if self.args.sync_ref_model:
            self.accelerator.unwrap_model(self.ref_model).load_state_dict(state["reference"])
        if self.use_adaptive_entropy:
            self.entropy_coef = state["entropy"]["coef"]
            self._last_world_entropy = state["entropy"]["last"]
