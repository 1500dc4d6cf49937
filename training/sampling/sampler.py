"""Greedy and drawn completions of a GPT-2, for rollouts and evaluation; training/sampling/decoding.py reads and remembers the tokens.

It is written over the model's weights instead of its forward: transformers' `generate` takes two to three times as long on a
small model (its cache grows by copying, every prompt of a group is read group_size times, finished rows go on). On a
GPU a step is recorded and replayed (training/sampling/replay.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import GPT2LMHeadModel

from training.sampling.decoding import Decoding
from training.sampling.token_choice import choose
from training.settings.shared import SamplingSettings


@dataclass(frozen=True)
class Sample:
    """One decoded completion."""

    ids: list[int]  # the end-of-text token included when it came
    ended: bool  # whether it ended by itself, not at the limit
    logprobs: list[float]  # natural log-probability of each token at the temperature it was sampled with


class Sampler:
    """Decodes with the model's weights as they are at each call, in `dtype`; log-probabilities are float32.

    `never`: ids that are never chosen and have no share in log-probabilities. `replays`: take every step with the same shapes, so that it can be recorded and replayed; by default on a GPU.
    """

    def __init__(
        self,
        model: GPT2LMHeadModel,
        *,
        eos_id: int,
        pad_id: int,
        never: Sequence[int] = (),
        dtype: torch.dtype = torch.float32,
        replays: bool | None = None,
    ) -> None:
        self.model = model
        self.never = never
        self.replays = replays
        self.eos_id = eos_id
        self.pad_id = pad_id
        self.dtype = dtype
        self.context = model.config.n_positions

    def greedy(self, prompts: list[list[int]], max_new_tokens: int, batch_size: int) -> list[Sample]:
        """The most probable token each time; samples in the order of the prompts (log-probabilities at temperature 1)."""
        found: dict[int, Sample] = {}
        for batch in self.greedy_batches(prompts, max_new_tokens, batch_size):
            found.update(batch)
        return [found[i] for i in range(len(prompts))]

    def greedy_batches(
        self, prompts: list[list[int]], max_new_tokens: int, batch_size: int
    ) -> Iterator[dict[int, Sample]]:
        """Like greedy, batch by batch as {index of the prompt: sample}; prompts of like length go together."""
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            samples = self._decode([prompts[i] for i in indices], 1, max_new_tokens, None, None)
            yield dict(zip(indices, samples, strict=True))

    def sample(
        self,
        prompts: list[list[int]],
        *,
        group_size: int,
        temperature: float,
        max_new_tokens: int,
        generator: torch.Generator,
        part: tuple[int, int] = (0, 1),
        sampling: SamplingSettings | None = None,
    ) -> list[Sample]:
        """Draw group_size completions of each prompt; the rows of a group are consecutive.

        The generator is all the randomness there is: one number a row and token, whatever the model's device. The
        prompts may be a part (its number, of how many equal ones) of a larger batch; each part, given a generator in
        the same state, gets what it would have got in the whole. Log-probabilities are those of
        softmax(logits / temperature) over what can be drawn at all, as the trainer scores them, also where `sampling`
        narrows the choice.
        """
        rows, (number, parts) = len(prompts) * group_size, part
        noise = torch.rand(
            (rows * parts, max_new_tokens), generator=generator, dtype=torch.float64, device=generator.device
        )
        noise = noise[number * rows : (number + 1) * rows].to(self.model.device)
        return self._decode(prompts, group_size, max_new_tokens, temperature, noise, sampling)

    def sample_batches(
        self,
        prompts: list[list[int]],
        *,
        samples: int,
        temperature: float,
        max_new_tokens: int,
        batch_size: int,
        generator: torch.Generator,
    ) -> Iterator[dict[int, list[Sample]]]:
        """Like sample, at most batch_size rows at once, as {index of the prompt: its samples}, some prompts together.

        The draws depend on all prompts and the batch size too, as these share the generator.
        """
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
        together = max(1, batch_size // samples)
        for start in range(0, len(order), together):
            indices = order[start : start + together]
            found: dict[int, list[Sample]] = {i: [] for i in indices}
            while (left := samples - len(found[indices[0]])) > 0:
                size = min(left, batch_size)
                rows = self.sample(
                    [prompts[i] for i in indices],
                    group_size=size,
                    temperature=temperature,
                    max_new_tokens=max_new_tokens,
                    generator=generator,
                )
                for place, i in enumerate(indices):
                    found[i] += rows[place * size : (place + 1) * size]
            yield found

    @torch.inference_mode()
    def _decode(
        self,
        prompts: list[list[int]],
        group_size: int,
        max_new_tokens: int,
        temperature: float | None,
        noise: Tensor | None,
        sampling: SamplingSettings | None = None,
    ) -> list[Sample]:
        longest = max(len(prompt) for prompt in prompts)
        if longest >= self.context or min(len(prompt) for prompt in prompts) == 0:
            raise ValueError(
                f"a prompt of {longest} tokens does not fit the model's context of {self.context} (or one is empty); "
                "leave such prompts out, or take a larger n_positions"
            )
        steps = min(max_new_tokens, self.context - min(len(prompt) for prompt in prompts))
        state = Decoding(
            self.model,
            prompts,
            group_size,
            steps,
            pad_id=self.pad_id,
            never=self.never,
            dtype=self.dtype,
            replays=self.replays,
        )
        ids, logprobs = [], []
        seen = None
        if sampling is not None and sampling.repetition_penalty != 1:
            seen = self._seen(prompts, group_size, state.logits)
        for step in range(steps):
            rows = state.rows
            token, logprob = choose(
                state.logits,
                temperature,
                None if noise is None else noise[rows, step],
                sampling,
                None if seen is None else seen[rows],
            )
            if seen is not None:
                seen[rows, token] = True
            column, logprob_column, going_on = state.take(token, logprob, self.eos_id, self.pad_id)
            ids.append(column)
            logprobs.append(logprob_column)
            if not going_on or step == steps - 1:
                break
            state.advance()
        return self._samples(torch.stack(ids, 1).tolist(), torch.stack(logprobs, 1).tolist(), state)

    @staticmethod
    def _seen(prompts: list[list[int]], group_size: int, like: Tensor) -> Tensor:
        """Which tokens stand in each row's prompt, (rows, entries)."""
        seen = torch.zeros(len(prompts), like.shape[1], dtype=torch.bool)
        for row, prompt in zip(seen, prompts, strict=True):
            row[prompt] = True
        return seen.to(like.device).repeat_interleave(group_size, 0)

    def _samples(self, ids: list[list[int]], logprobs: list[list[float]], state: Decoding) -> list[Sample]:
        lengths, ended = state.lengths.tolist(), state.ended.tolist()
        return [
            Sample(row[:length], end, row_logprobs[:length])
            for row, row_logprobs, length, end in zip(ids, logprobs, lengths, ended, strict=True)
        ]
