"""A checkpoint on this machine as the teacher, through training/sampling/sampler.py."""

import hashlib
import json
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from training.data.example import Example
from training.sampling import learnt_entries
from training.sampling.sampler import Sampler
from training.teacher import Answer
from training.teacher.cache import Cache, key_of
from training.teacher.config import SolutionSettings
from training.text import mul_tokens
from training.text.reserved import text_ids
from training.text.tokenizer import mul_token_ids

LOOK = 0.1  # seconds between looks at what another run is sampling


class LocalTeacher:
    """Answers batch by batch; a batch's randomness comes from what is asked, so that it is the same whenever it is."""

    def __init__(
        self,
        model: GPT2LMHeadModel,
        tokenizer: PreTrainedTokenizerFast,
        settings: SolutionSettings,
        cache: Cache,
        stop_if_asked: Callable[[], None],
    ) -> None:
        self.model, self.tokenizer, self.settings = model.eval(), tokenizer, settings
        self.cache, self.stop_if_asked = cache, stop_if_asked
        self.dtype = torch.bfloat16 if settings.precision == "bf16" else torch.float32
        eos_id = tokenizer.eos_token_id  # pads too, as in an evaluation
        self.never = learnt_entries.never_learnt(model, tokenizer)
        self.sampler = Sampler(model, eos_id=eos_id, pad_id=eos_id, never=self.never, dtype=self.dtype)
        self.first_mul_token = mul_token_ids(tokenizer).start
        self.weights = _digest(model, tokenizer)
        self.name = f"a local model, weights {self.weights[:12]}"

    def answers(self, problems: Sequence[Example]) -> Generator[list[Answer], None, None]:
        """Yield each problem's samples, in order."""
        for start in range(0, len(problems), self.settings.sampling_batch):
            self.stop_if_asked()
            prompts = [problem.prompt for problem in problems[start : start + self.settings.sampling_batch]]
            yield from self._batch(prompts)

    def _batch(self, prompts: list[str]) -> list[list[Answer]]:
        asked: dict[str, Any] = {
            "weights": self.weights,
            "prompts": prompts,
            "samples": self.settings.samples,
            "temperature": self.settings.temperature,
            "max_new_tokens": self.settings.max_new_tokens,
            "dtype": str(self.dtype),
            "never": self.never,
        }
        while (known := self.cache.get(asked)) is None:
            if self.cache.claim(asked):
                try:
                    if (known := self.cache.get(asked)) is not None:
                        break
                    found = self._sampled(prompts, seed=int(key_of(asked)[:15], 16))
                    self.cache.put(asked, [[asdict(one) for one in group] for group in found])
                    return found
                finally:
                    self.cache.release(asked)
            time.sleep(LOOK)  # another run samples the same
            self.stop_if_asked()
        return [[replace(Answer(**one), cached=True) for one in group] for group in known]

    def _sampled(self, prompts: list[str], seed: int) -> list[list[Answer]]:
        ids = [text_ids(self.tokenizer, prompt) for prompt in prompts]
        samples = self.sampler.sample(
            ids,
            group_size=self.settings.samples,
            temperature=self.settings.temperature,
            max_new_tokens=self.settings.max_new_tokens,
            generator=torch.Generator(device=self.model.device).manual_seed(seed),
        )
        answers = [
            Answer(
                text=self.tokenizer.decode(sample.ids, skip_special_tokens=True),
                ended=sample.ended,
                tokens_in=len(ids[number // self.settings.samples]),
                tokens_out=len(sample.ids),
                mul_tokens=mul_tokens.count(sample.ids, self.first_mul_token),
            )
            for number, sample in enumerate(samples)
        ]
        return [answers[i : i + self.settings.samples] for i in range(0, len(answers), self.settings.samples)]


def _digest(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast) -> str:
    """SHA-256 of everything that a model's answers depend on: configuration, weights, tokenizer."""
    settings = {
        k: v for k, v in model.config.to_dict().items() if k not in ("_name_or_path", "transformers_version")
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    digest.update(tokenizer.backend_tokenizer.to_str().encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
