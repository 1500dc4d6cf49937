"""Thin subclasses of transformers' Trainer and TRL's SFTTrainer: one schedule, one checkpoint format, one resume.

What they share stands in Engine; GRPO's own part is in training/stages/grpo/trainer.py.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Sampler
from transformers import GPT2LMHeadModel, Trainer, TrainerCallback
from transformers.trainer_callback import PrinterCallback
from trl import SFTTrainer

from training.architecture import model
from training.data.encoding import IGNORED
from training.engine import room, stage_helpers
from training.engine.callback import JournalCallback
from training.engine.evaluation import Validation
from training.engine.run_context import DEADLINE, Run, Stopped
from training.process import checkpoints, ranks
from training.settings.shared import OptimizerSettings, TrainingStageSettings

ENGINE_STATE = "engine.pt"


@dataclass(frozen=True)
class Phase:
    """Steps with a schedule of their own: a curriculum has several, other stages one."""

    name: str
    start: int
    steps: int
    learning_rate: float


def learning_rate(step: int, phase: Phase, optimizer: OptimizerSettings) -> float:
    """Rate of the optimizer step with this number (from 0): linear warm-up, then the schedule down to final_ratio."""
    done = step - phase.start
    warmup = min(optimizer.warmup_steps, phase.steps)
    if done < warmup:
        return phase.learning_rate * (done + 1) / warmup
    share = (done - warmup + 1) / max(1, phase.steps - warmup)
    shape = {
        "cosine": 0.5 * (1 + math.cos(math.pi * min(1.0, share))),
        "linear": 1 - min(1.0, share),
        "constant": 1.0,
    }[optimizer.schedule]
    floor = 1.0 if optimizer.schedule == "constant" else optimizer.final_ratio
    return phase.learning_rate * (floor + (1 - floor) * shape)


def training_arguments(run: Run, settings: TrainingStageSettings, max_steps: int) -> dict[str, Any]:
    """Mulberry's settings → the arguments that all of transformers' and TRL's trainers share.

    Several processes hold the effective batch of one. Raises ValueError when they cannot.
    """
    optimizer = settings.optimizer
    share = ranks.share(settings.batch_size, settings.gradient_accumulation)
    return {
        "output_dir": str(run.checkpoints),
        "max_steps": max_steps,
        "per_device_train_batch_size": settings.batch_size // share.parts,
        "gradient_accumulation_steps": settings.gradient_accumulation // share.turns,
        "ddp_find_unused_parameters": False,
        "learning_rate": optimizer.learning_rate,
        "adam_beta1": optimizer.betas[0],
        "adam_beta2": optimizer.betas[1],
        "weight_decay": optimizer.weight_decay,
        "max_grad_norm": optimizer.clip,
        "optim": "adamw_torch_fused",
        "bf16": settings.precision == "bf16",
        "seed": run.spec.seed,
        "data_seed": run.spec.seed,
        "use_cpu": run.device == "cpu",
        "logging_steps": 1,  # the callback gathers; the journal gets every log_every-th
        "logging_nan_inf_filter": False,
        "save_strategy": "no",  # the callback decides
        "report_to": [],
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_pin_memory": run.device != "cpu",
    }


class Engine(Trainer):
    """What all trainers share: Mulberry's schedule, checkpoints and callback."""

    run: Run
    phases: Sequence[Phase]
    share: ranks.Share
    optimizer_settings: OptimizerSettings
    journal_callback: JournalCallback
    validation: Validation | None

    def set_up(
        self, run: Run, settings: TrainingStageSettings, phases: Sequence[Phase], multiple: int = 1
    ) -> None:
        """Call after __init__: take over reporting, saving and the schedule."""
        self.run, self.phases, self.optimizer_settings = run, phases, settings.optimizer
        self.share = ranks.share(settings.batch_size, settings.gradient_accumulation)
        self.journal_callback = JournalCallback(
            run, log_every=settings.log_every, save_every=settings.save_every, save_multiple=multiple
        )
        self.journal_callback.phase = phase_at(run.resume.step if run.resume else 0, phases).name
        self.remove_callback(PrinterCallback)
        self.add_callback(self.journal_callback)
        self.add_callback(_Phases(self))
        self.validation = Validation.of(run)
        if self.validation is not None:
            self.add_callback(_Pause(self, self.validation))

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Transformers' hook for a pause: what the validation split says, where it is due; its time is not training's."""
        step = self.state.global_step
        if self.validation is not None and self.validation.is_due(step, self.state.max_steps):
            began = time.monotonic()
            trained = self.accelerator.unwrap_model(self.model, keep_torch_compile=False)
            self.run.journal.metrics(step, self.validation.measure(trained, self.processing_class))
            self.journal_callback.leave_out(time.monotonic() - began)
        return {}

    def train_to_end(self) -> int:
        """Train, from the run's checkpoint where there is one; return the last step. Raises Stopped."""
        self.train(resume_from_checkpoint=str(self.run.resume.path) if self.run.resume else None)
        if self.journal_callback.stopped is not None:
            raise Stopped(self.journal_callback.stopped)
        return int(self.state.global_step)

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """One LambdaLR over the phases."""
        if self.lr_scheduler is None:  # type: ignore[has-type]
            peak = self.optimizer_settings.learning_rate

            def factor(step: int) -> float:
                step = min(step, num_training_steps - 1)  # LambdaLR asks once more after the last step
                phase = phase_at(step, self.phases)
                return learning_rate(step, phase, self.optimizer_settings) / peak

            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, factor)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def _save_checkpoint(self, model_: Any, trial: Any) -> None:
        """Transformers' hook for a point to resume from; ours is atomic and has a manifest."""
        if ranks.index() > 0:
            return
        step = self.state.global_step
        name = checkpoints.step_name(step)
        room.wait(self.run, room.of_weights(self.model, room.STATES))
        with checkpoints.write(self.run.checkpoints, name, step=step, key=self.run.key) as folder:
            model.save(self.model, self.processing_class, folder)
            self._save_optimizer_and_scheduler(str(folder))
            self._save_scaler(str(folder))
            self.state.save_to_json(str(folder / "trainer_state.json"))
            torch.save(self.engine_state(), folder / ENGINE_STATE)
        stage_helpers.announce(self.run, self.run.checkpoints / name)
        checkpoints.prune(self.run.checkpoints)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            self.load_engine_state(torch.load(Path(checkpoint) / ENGINE_STATE, weights_only=True))

    def engine_state(self) -> dict[str, Any]:
        """What a checkpoint keeps beyond transformers' own; tensors and plain values."""
        return {"window": self.journal_callback.window.state()}

    def load_engine_state(self, state: dict[str, Any]) -> None:
        """Take a checkpoint's engine state over."""
        self.journal_callback.window.load(state["window"])

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """TRL writes a README beside each checkpoint; nobody reads it."""

    def _send_telemetry(self) -> None:
        """TRL would tell its authors about each run; Mulberry tells nobody."""


class _Phases(TrainerCallback):
    """Each phase begins with a fresh optimizer, as a stage of its own would; each step with its own random numbers.

    So no random state needs to be saved, and dropout goes on after a resume as it would have.
    """

    def __init__(self, trainer: Engine) -> None:
        self.trainer = trainer

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        run = self.trainer.run
        torch.manual_seed(stage_helpers.seed(run, f"step {state.global_step} process {ranks.index()}"))
        phase = phase_at(state.global_step, self.trainer.phases)
        if self.trainer.journal_callback.phase != phase.name:
            self.trainer.journal_callback.phase = phase.name
        if state.global_step == phase.start and phase.start > 0:
            self.trainer.optimizer.state.clear()
            # where training was resumed right here, the checkpoint's rate is still the last phase's
            rate = learning_rate(phase.start, phase, self.trainer.optimizer_settings)
            for group in self.trainer.optimizer.param_groups:
                group["lr"] = rate


class _Pause(TrainerCallback):
    """Asks for an evaluation where one is due; a run past its deadline does not get it."""

    def __init__(self, trainer: Engine, validation: Validation) -> None:
        self.trainer, self.validation = trainer, validation

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        due = self.validation.is_due(state.global_step, state.max_steps)
        if due and self.trainer.journal_callback.stopped != DEADLINE:
            control.should_evaluate = True


def phase_at(step: int, phases: Sequence[Phase]) -> Phase:
    """The phase that the optimizer step with this number (from 0) belongs to."""
    return next(phase for phase in reversed(phases) if step >= phase.start)


class BatchPlan(Sampler[list[int]]):
    """Row indices of every batch of a stage, all epochs and phases, in order: resuming is skipping batches."""

    def __init__(self, batches: Sequence[list[int]]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _OfProcess(Sampler[list[int]]):
    """This process's part of a plan."""

    def __init__(self, plan: BatchPlan, share: ranks.Share) -> None:
        self.plan, self.share = plan, share

    def __iter__(self) -> Iterator[list[int]]:
        return self.share.passes(iter(self.plan))

    def __len__(self) -> int:
        return len(self.plan) // self.share.turns


class Planned(Engine):
    """An engine whose batches are planned before it starts."""

    plan: BatchPlan
    tokens_read: int = 0  # by all processes, since the stage began
    tokens_new: int = 0  # by this one, since the last log

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Read the planned batches; accelerate would share them out differently, and add rows to short ones."""
        return DataLoader(
            self.train_dataset,
            batch_sampler=_OfProcess(self.plan, self.share),
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def training_step(self, model_: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """Count the tokens read; what has nothing to learn stands in for a part without rows."""
        if bool((inputs["labels"] != IGNORED).any()):
            mask = inputs.get("attention_mask")
            self.tokens_new += inputs["input_ids"].numel() if mask is None else int(mask.sum())
        loss: Tensor = super().training_step(model_, inputs, num_items_in_batch)
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the tokens read since the stage began."""
        tokens = int(ranks.total(self.tokens_new)[0])
        self.journal_callback.counted["tokens"] += tokens
        self.tokens_read += tokens
        self.tokens_new = 0
        super().log({**logs, "tokens": float(self.tokens_read)}, start_time)

    def engine_state(self) -> dict[str, Any]:
        """The tokens too."""
        return {**super().engine_state(), "tokens_read": self.tokens_read}

    def load_engine_state(self, state: dict[str, Any]) -> None:
        """The tokens too."""
        super().load_engine_state(state)
        self.tokens_read = state["tokens_read"]


class SftTrainer(Planned, SFTTrainer):
    """Loss on the completion only; the output head is computed at the learnt positions and nowhere else."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # TRL's forward scores every position, prompts included; on a small model that is most of the time
        self.model.forward = MethodType(_learnt_positions_loss, self.model)

    def compute_loss(
        self,
        model_: Any,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Tensor:
        """Mean cross-entropy over the learnt positions of the optimizer step."""
        total = model_(**inputs)
        loss: Tensor = total / (num_items_in_batch if num_items_in_batch is not None else 1)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes  # gradients are averaged over processes afterwards
        return loss

    def train_to_end(self) -> int:
        """Train, and give the model its own forward back."""
        try:
            return super().train_to_end()
        finally:
            del self.model.forward


def _learnt_positions_loss(
    self: GPT2LMHeadModel, input_ids: Tensor, attention_mask: Tensor, labels: Tensor
) -> Tensor:
    """Summed cross-entropy at the positions whose label is not IGNORED; all arguments are (rows, columns)."""
    hidden = self.transformer(input_ids, attention_mask=attention_mask, use_cache=False).last_hidden_state
    targets = labels[:, 1:]
    learnt = targets != IGNORED
    logits = self.lm_head(hidden[:, :-1][learnt])
    return F.cross_entropy(logits.float(), targets[learnt], reduction="sum")


def right_padded(rows: list[dict[str, list[int]]], pad_id: int) -> dict[str, Tensor]:
    """Collate {input_ids, labels} of different lengths; padding has its own token, so eos labels survive.

    No rows become one that has nothing to learn: every process takes part in every pass.
    """
    rows = rows or [{"input_ids": [pad_id], "labels": [IGNORED]}]
    longest = max(len(row["input_ids"]) for row in rows)

    def padded(values: list[int], filler: int) -> list[int]:
        return values + [filler] * (longest - len(values))

    return {
        "input_ids": torch.tensor([padded(row["input_ids"], pad_id) for row in rows]),
        "labels": torch.tensor([padded(row["labels"], IGNORED) for row in rows]),
        "attention_mask": torch.tensor([padded([1] * len(row["input_ids"]), 0) for row in rows]),
    }
