"""Variants of GPT-2: other positions, a memory of intermediate results; training and the sampler share each one's code."""

import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from training.architecture import tokens
from training.architecture.gpt2 import MulberryConfig, MulberryGPT2
from training.text import mul_tokens
from training.text.tokenizer import mul_token_ids

COMPATIBLE = {"learned": {"learned", "abacus"}, "abacus": {"abacus"}, "rope": {"rope"}, "none": {"none"}}


def build(config: GPT2Config, positions: str, memory: bool) -> GPT2LMHeadModel:
    """Random weights for the variant; plain GPT-2 stays transformers' own class, readable without Mulberry."""
    if positions == "learned" and not memory:
        return GPT2LMHeadModel(config)
    own = {
        name: value for name, value in config.to_dict().items() if name not in ("model_type", "architectures")
    }
    return MulberryGPT2(MulberryConfig(**{**own, "positions": positions, "memory": memory}))


def class_of(config: GPT2Config) -> type[GPT2LMHeadModel]:
    """The class that a checkpoint with this configuration is loaded as."""
    return MulberryGPT2 if isinstance(config, MulberryConfig) else GPT2LMHeadModel


def extend(model: GPT2LMHeadModel, positions: str, memory: bool) -> GPT2LMHeadModel:
    """The model with abacus positions or a memory added, which change nothing until they are trained.

    What a checkpoint has and the settings do not ask for by name stays. Raises ValueError for positions that its
    weights were not trained with.
    """
    has, had_memory = "learned", False
    if isinstance(model, MulberryGPT2):
        has, had_memory = model.config.positions, model.config.memory
    if positions == "learned":
        positions = has
    memory = memory or had_memory
    if positions not in COMPATIBLE[has]:
        raise ValueError(
            f"the checkpoint has {has} positions and cannot go on with {positions}; leave model.positions at {has}, "
            "or train from random weights"
        )
    if (positions, memory) == (has, had_memory):
        return model
    extended = build(model.config, positions, memory)
    assert isinstance(extended, MulberryGPT2)
    with torch.no_grad():
        if positions != has and extended.transformer.abacus is not None:
            extended.transformer.abacus.weight.zero_()
        if memory != had_memory and extended.transformer.memory is not None:
            extended.transformer.memory.c_proj.weight.zero_()
    extended.load_state_dict(model.state_dict(), strict=False)
    return extended


def know_tokens(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Tell a variant which tokens are digits and results; it is saved with the weights."""
    if isinstance(model, MulberryGPT2):
        table = tokens.table(tokenizer)
        model.transformer.token_table = table.to(model.device)


def compose_mul_tokens(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, known: int) -> None:
    """Set each mul-token's vector to the mean of its operands' digits', but for the first `known` entries."""
    vectors = model.get_input_embeddings().weight
    digits = tokens.table(tokenizer)[tokens.DIGITS]
    with torch.no_grad():
        for text, row in zip(mul_tokens.TOKENS, mul_token_ids(tokenizer), strict=True):
            found = mul_tokens.TOKEN.fullmatch(text)
            assert found is not None
            operands = [_digit(vectors, tokenizer, digits, digit) for digit in found.groups()[:2]]
            if row >= known:
                vectors[row] = torch.stack(operands).mean(0)


def with_results(model: GPT2LMHeadModel, ids: Tensor) -> Tensor:
    """The ids with every fourth one an intermediate result, for a model that keeps them."""
    if not isinstance(model, MulberryGPT2) or not model.config.memory:
        return ids
    results = model.transformer.token_table[tokens.RESULT].nonzero().flatten()
    if len(results):
        ids = ids.clone()
        places = torch.arange(ids.numel(), device=ids.device).view_as(ids)[:, ::4]
        ids[:, ::4] = results[places % len(results)]
    return ids


def _digit(vectors: nn.Parameter, tokenizer: PreTrainedTokenizerFast, digits: Tensor, digit: str) -> Tensor:
    """A digit's vector: the mean of those with and without a space before it; not the space's own."""
    ids = [i for text in (digit, f" {digit}") for i in tokenizer.encode(text, add_special_tokens=False)]
    return vectors[[i for i in ids if digits[i]]].mean(0)


__all__ = ["MulberryGPT2", "build", "class_of", "compose_mul_tokens", "extend", "know_tokens", "with_results"]
