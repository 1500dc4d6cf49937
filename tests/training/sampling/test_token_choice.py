"""What the sampling settings leave to draw from: the same as transformers leaves, and the sampler keeps to it."""

from typing import Any

import pytest
import torch
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from tests.training.conftest import Stage, Stages
from training.architecture import model
from training.sampling.sampler import Sampler
from training.sampling.token_choice import choose, narrowed
from training.settings.shared import SamplingSettings
from training.text import tokenizer

EVERY: list[dict[str, Any]] = [
    {"top_k": 5},
    {"top_p": 0.6},
    {"min_p": 0.2},
    {"repetition_penalty": 1.7},
    {"top_k": 9, "top_p": 0.8, "min_p": 0.1, "repetition_penalty": 0.6},
    {"top_k": 1000, "top_p": 0.999},
]


@pytest.mark.parametrize("settings", EVERY)
def test_the_same_is_left_as_by_transformers(settings: dict[str, Any]) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 40, generator=generator) * 3
    ids = torch.randint(40, (6, 12), generator=generator)
    sampling = SamplingSettings(**settings)
    processors = LogitsProcessorList()
    if sampling.repetition_penalty != 1:
        processors.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    processors.append(TemperatureLogitsWarper(0.7))
    if sampling.top_k:
        processors.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        processors.append(TopPLogitsWarper(sampling.top_p))
    if sampling.min_p:
        processors.append(MinPLogitsWarper(sampling.min_p))
    expected = processors(ids, logits.clone()).softmax(-1)
    seen = torch.zeros(6, 40, dtype=torch.bool).scatter(1, ids, True)
    found = narrowed(logits, 0.7, sampling, seen if sampling.repetition_penalty != 1 else None)
    assert (found - expected).abs().max() < 1e-6
    assert (found == 0).equal(expected == 0)


def test_the_log_probability_is_the_unnarrowed_one() -> None:
    logits = torch.randn(5, 30, generator=torch.Generator().manual_seed(1))
    token, logprob = choose(logits, 0.5, torch.tensor([0.0, 0.2, 0.5, 0.9, 0.999]), SamplingSettings(top_k=1))
    assert token.tolist() == logits.argmax(-1).tolist()
    assert torch.allclose(logprob, (logits / 0.5).log_softmax(-1).max(-1).values)


def test_a_sampler_with_a_penalty_decodes_what_transformers_decodes(finished: dict[str, Stage]) -> None:
    folder = finished["curriculum"].checkpoints / "final"
    policy, tokens = model.load(folder), tokenizer.from_checkpoint(folder)
    sampler = Sampler(policy, eos_id=tokens.eos_token_id, pad_id=tokens.pad_token_id)
    prompt = tokens("User: What is 7 + 2?\nAssistant:").input_ids
    samples = sampler.sample(
        [prompt],
        group_size=3,
        temperature=1.0,
        max_new_tokens=20,
        generator=torch.Generator().manual_seed(0),
        sampling=SamplingSettings(top_k=1, repetition_penalty=1.5),
    )
    out = policy.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        do_sample=False,
        repetition_penalty=1.5,
        max_new_tokens=20,
        pad_token_id=tokens.pad_token_id,
        eos_token_id=tokens.eos_token_id,
    )
    expected = out[0, len(prompt) :].tolist()
    assert [sample.ids for sample in samples] == [expected] * 3
    assert expected != sampler.greedy([prompt], 20, 1)[0].ids, "the penalty must matter here"


@pytest.mark.parametrize("sampler", ["static_cache", "generate"])
def test_rollouts_keep_to_the_sampling_settings(
    finished: dict[str, Stage], stages: Stages, sampler: str
) -> None:
    changes = [
        ("stages.grpo.sampler", sampler),
        ("stages.grpo.prompts", 4),
        ("stages.grpo.sampling", {"top_k": 1, "top_p": 0.9, "min_p": 0.05, "repetition_penalty": 1.3}),
    ]
    made = stages.make("run", "grpo", parent=finished["curriculum"].checkpoints / "final", changes=changes)
    assert made.run() == 0, made.journal.records("finished")
    for rows in made.journal.rollouts().values():
        for start in range(0, len(rows), 4):
            assert len({row["completion"] for row in rows[start : start + 4]}) == 1
    assert all(values["logprob_mismatch"] < 1e-4 for values in made.journal.metrics().values())
