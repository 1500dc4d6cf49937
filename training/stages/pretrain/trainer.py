"""Pre-training on transformers' Trainer: consecutive rows of shards, validation, and how well the device is used."""

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.architecture import flops
from training.engine.run_context import DEADLINE
from training.engine.trainers import Planned


class Consecutive(Sequence[list[int]]):
    """Batches of a stage that reads its rows in order, each once: row numbers made when they are asked for."""

    def __init__(self, batches: int, batch_size: int) -> None:
        self.batches, self.batch_size = batches, batch_size

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, number: Any) -> Any:
        """The rows of one batch."""
        if not 0 <= number < self.batches:
            raise IndexError(number)
        return list(range(number * self.batch_size, (number + 1) * self.batch_size))


class PretrainTrainer(Planned):
    """Next-token prediction on packed rows, with transformers' own loss."""

    shards: str  # key of the folder that the rows come from

    def set_up_pretraining(
        self, *, shards: str, length: int, peak_flops: float | None, precision: str, validate_every: int
    ) -> None:
        """Call after set_up: what only pre-training has."""
        self.shards = shards
        if peak_flops is None and self.args.device.type == "cuda":
            peak_flops = flops.peak(torch.cuda.get_device_name(self.args.device), precision)
        if peak_flops is not None:
            peak_flops *= self.args.world_size  # tokens are counted over all processes
            self.journal_callback.mfu_of_one_token = flops.of_a_token(self.model, length) / peak_flops
        self.validate_every = validate_every
        if self.eval_dataset is not None:
            self.add_callback(_LossPause(self))

    def loss_is_due(self, state: TrainerState) -> bool:
        """Whether the validation rows are read after this step."""
        due = state.global_step % self.validate_every == 0 or state.global_step >= state.max_steps
        return due and self.eval_dataset is not None

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Mean loss of a token of the validation rows, into the journal; the time is not training's."""
        if self.loss_is_due(self.state):
            began = time.monotonic()
            loss = Trainer.evaluate(self, *args, **kwargs)["eval_loss"]
            values = {"validation_loss": loss, "perplexity": math.exp(min(loss, 700.0))}
            self.run.journal.metrics(self.state.global_step, values)
            self.journal_callback.leave_out(time.monotonic() - began)
        return super().evaluate()

    def engine_state(self) -> dict[str, Any]:
        """Which rows were read, too."""
        return {**super().engine_state(), "shards": self.shards}

    def load_engine_state(self, state: dict[str, Any]) -> None:
        """Refuse to go on with other rows. Raises ValueError."""
        super().load_engine_state(state)
        if state["shards"] != self.shards:
            raise ValueError(
                "the data, the tokenizer or the code that mixes them changed since this stage began; put back what it "
                "was, or remove the stage's checkpoints to start it again"
            )


class _LossPause(TrainerCallback):
    """Asks for a validation every so many steps, and after the last one."""

    def __init__(self, trainer: PretrainTrainer) -> None:
        self.trainer = trainer

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.trainer.loss_is_due(state) and self.trainer.journal_callback.stopped != DEADLINE:
            control.should_evaluate = True


def collated(rows: list[NDArray[np.int64]]) -> dict[str, torch.Tensor]:
    """Rows of one length → input_ids and labels, (rows, length)."""
    ids = torch.from_numpy(np.stack(rows))
    return {"input_ids": ids, "labels": ids}
