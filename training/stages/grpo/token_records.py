"""Tokens of some rollouts as their records have them, to be looked at: what sampler and trainer think of each.

The trainer scores them when they were just sampled, so its weights are still those that sampled; that costs a forward
pass of these rollouts alone, and changes nothing that is learnt.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from training.process.journal import RolloutRow
from training.text.tokenizer import pieces

DIGITS = 4  # of what is recorded, in nats
Scoring = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor | None, None]]


def add_tokens(
    rows: Sequence[RolloutRow],
    ids: Sequence[Sequence[int]],
    output: dict[str, Tensor],
    score: Scoring,
    tokenizer: PreTrainedTokenizerFast,
    *,
    mask_known: bool,
) -> None:
    """Add to each row its tokens' text, log-probabilities, entropies and mask.

    `ids` and `output`, TRL's tensors, begin with these rows. `score` takes ids and mask of prompts and completions and
    how many tokens at the end are asked for, and returns log-probabilities and entropies in nats, (rows, tokens).
    Without `mask_known` it is decided in each pass of the loss which tokens are learnt from, and not recorded.
    """
    count, width = len(rows), output["completion_ids"].shape[1]
    lengths = torch.tensor([len(one) for one in ids[:count]], device=output["completion_ids"].device)
    # not the completion mask, which leaves out truncated ones when they are not learnt from
    sampled = torch.arange(width, device=lengths.device) < lengths[:, None]
    with torch.no_grad():
        scored, entropies, _ = score(
            torch.cat([output["prompt_ids"][:count], output["completion_ids"][:count]], 1),
            torch.cat([output["prompt_mask"][:count], sampled.long()], 1),
            width,
        )
    assert entropies is not None
    learnt = output["completion_mask"].bool().tolist()
    for place, (row, own) in enumerate(zip(rows, ids, strict=False)):
        row["pieces"] = pieces(tokenizer, own)
        row["logprobs"] = _rounded(output["sampling_per_token_logps"][place], len(own))
        row["trainer_logprobs"] = _rounded(scored[place], len(own))
        row["entropies"] = _rounded(entropies[place], len(own))
        if mask_known:
            row["learnt"] = learnt[place][: len(own)]


def _rounded(values: Tensor, length: int) -> list[float]:
    return [round(value, DIGITS) for value in values[:length].tolist()]
