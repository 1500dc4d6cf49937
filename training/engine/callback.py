"""What a trainer reports while it trains: metrics and progress into the journal, and when it stops."""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.engine.run_context import TERMINATED, Run
from training.process.devices import figures

LAST = frozenset({"learning_rate", "epoch", "tokens", "prompts/seen"})  # the window's last value
LEAST, MOST = (
    ("/min", "_min"),
    ("/max", "_max"),
)  # ends of names: the window's least and largest; of the others, the mean
NAMES = {  # what the engines call it → what Mulberry does; the rest of their logs is left out
    "loss": "loss",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "epoch": "epoch",
    "tokens": "tokens",
    "num_tokens": "tokens",  # TRL's name in GRPO: prompts and completions since the stage began
    "reward": "reward",
    "reward_std": "reward_std",
    "kl": "kl",
    "entropy": "entropy",
    "policy_loss": "policy_loss",
    "clip_ratio/region_mean": "clip_ratio",
    "clip_ratio/low_mean": "clip_ratio/low",
    "clip_ratio/high_mean": "clip_ratio/high",
    "clip_ratio/low_min": "clip_ratio/low_min",
    "clip_ratio/high_max": "clip_ratio/high_max",
    "cispo_clip_ratio": "clip_ratio",
    "entropy_coef": "entropy_bonus",
    "accuracy": "accuracy",
    "groups_without_gradient": "groups_without_gradient",
    "repetition": "repetition",
    "mul_tokens": "mul_tokens",
    "completion_length": "completion_length",
    "hit_limit": "hit_limit",
    "logprob_mismatch": "logprob_mismatch",
}
GROUPS = (  # what names that are Mulberry's own begin with
    "reward/", "reward_std/", "reward_errors/", "reward_time/", "solved/", "pass_at/", "length/", "advantage/",
    "prompts/", "importance_ratio/", "logprob_mismatch/", "time/",
)  # fmt: skip


class Window:
    """Values of the steps since the last metrics record; their means are what is recorded, of ends the least or the largest.

    It goes into checkpoints, so that a resumed run records the same means as one that was never stopped.
    """

    def __init__(self) -> None:
        self.sums: defaultdict[str, float] = defaultdict(float)
        self.counts: defaultdict[str, int] = defaultdict(int)

    def add(self, values: Mapping[str, float | None]) -> None:
        """Take one step's values; what has none, or is not finite, is left out."""
        for name, value in values.items():
            if value is None or not math.isfinite(value):
                continue
            if name in LAST:
                self.sums[name], self.counts[name] = value, 1
            elif name.endswith(LEAST + MOST):
                known = self.sums.get(name, value)
                least = name.endswith(LEAST)
                self.sums[name], self.counts[name] = (min if least else max)(known, value), 1
            else:
                self.sums[name] += value
                self.counts[name] += 1

    def drain(self) -> dict[str, float]:
        """Return what is recorded and start anew."""
        means = {name: total / self.counts[name] for name, total in self.sums.items()}
        self.sums.clear()
        self.counts.clear()
        return means

    def state(self) -> dict[str, dict[str, float]]:
        """What a checkpoint keeps."""
        return {"sums": dict(self.sums), "counts": dict(self.counts)}

    def load(self, state: dict[str, dict[str, float]]) -> None:
        """Take a checkpoint's window over."""
        self.sums = defaultdict(float, state["sums"])
        self.counts = defaultdict(int, {name: int(count) for name, count in state["counts"].items()})


class JournalCallback(TrainerCallback):
    """Writes the journal, and stops the trainer when the run is told to."""

    def __init__(self, run: Run, *, log_every: int, save_every: int, save_multiple: int = 1) -> None:
        self.run = run
        self.log_every = log_every
        self.save_multiple = save_multiple  # a checkpoint is possible only at multiples of so many steps
        self.save_every = max(1, save_every // save_multiple) * save_multiple
        self.save_last = False  # a stage's last step is its final checkpoint, not one to resume from
        self.window = Window()
        self.phase = "train"
        self.counted: Counter[str] = Counter()  # tokens, rollouts since the window began
        self.stopped: str | None = None
        self.mfu_of_one_token: float | None = None  # a second; None: the device's peak is not known
        self._window_began = time.monotonic()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Show the stage as begun, and its length."""
        self._window_began = time.monotonic()
        self.run.journal.progress(state.global_step, state.max_steps, "steps", self.phase)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Decide on saving and stopping, in all processes alike; the trainer logs first, then saves."""
        reason = self.run.stop_reason()
        possible = state.global_step % self.save_multiple == 0
        last = state.global_step >= state.max_steps
        if reason is not None and (possible or reason != TERMINATED):
            self.stopped = reason
            control.should_training_stop = True
            control.should_save = reason == TERMINATED
        elif self.save_last if last else state.global_step % self.save_every == 0:
            control.should_save = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Take the values of one step; at every log_every-th, record the window's means."""
        state.log_history.clear()  # it would grow into every checkpoint
        if logs is None or "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise ValueError(
                f"the loss is {logs['loss']} at step {state.global_step}; lower the learning rate or warm up longer"
            )
        values = {
            NAMES.get(name, name): value
            for name, value in logs.items()
            if name in NAMES or name.startswith(GROUPS)
        }
        if (norm := logs.get("grad_norm")) is not None:
            values["grad_clipped"] = float(norm >= args.max_grad_norm)
        self.window.add(values)
        if state.global_step % self.log_every == 0 or state.global_step >= state.max_steps:
            self._record(state)

    def leave_out(self, seconds: float) -> None:
        """Do not count this time in the window's rates: something else than training took it."""
        self._window_began += seconds

    def _record(self, state: TrainerState) -> None:
        now = time.monotonic()
        values = self.window.drain()
        for name, count in self.counted.items():
            values[f"{name}_per_second"] = count / (now - self._window_began)
        if self.mfu_of_one_token is not None and "tokens_per_second" in values:
            values["mfu"] = values["tokens_per_second"] * self.mfu_of_one_token
        values |= figures(self.run.device)
        self.counted.clear()
        self._window_began = now
        self.run.journal.metrics(state.global_step, values)
        self.run.journal.progress(state.global_step, state.max_steps, "steps", self.phase)
