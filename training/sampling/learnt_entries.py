"""Which entries of its vocabulary a model has never learnt, so that nothing samples them.

Only conditions with injection learn mul-tokens. Whether a model has learnt them stands in its configuration, which its
checkpoints keep: a model that starts from another one has learnt what that one has.
"""

from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

from training.text import reserved

_NAME = "learnt_mul_tokens"  # in a checkpoint's config.json


def record(model: GPT2LMHeadModel, learnt_mul_tokens: bool) -> None:
    """Note whether the model learns mul-tokens or has learnt them."""
    setattr(model.config, _NAME, learnt_mul_tokens)


def recorded(model: GPT2LMHeadModel) -> bool | None:
    """Whether the model has learnt mul-tokens; None where its checkpoint does not tell."""
    found: bool | None = getattr(model.config, _NAME, None)
    return found


def never_learnt(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """Return the ids that the model never learnt; where its checkpoint tells nothing, mul-tokens count as learnt."""
    return reserved.never_learnt(
        tokenizer, model.config.vocab_size, learnt_mul_tokens=recorded(model) is not False
    )
