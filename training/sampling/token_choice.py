"""Choosing each row's next token: greedy, or drawn at a temperature from what the sampling settings leave."""

import torch
import torch.nn.functional as F
from torch import Tensor

from training.settings.shared import SamplingSettings


def choose(
    logits: Tensor,
    temperature: float | None,
    noise: Tensor | None,
    sampling: SamplingSettings | None = None,
    seen: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the next token of each row of logits, (rows, entries), and its log-probability; greedy without noise.

    Otherwise it is the token at which the distribution function passes the row's noise, a number in [0, 1). `sampling` narrows what is drawn from, `seen` (rows, entries) marks the tokens that its repetition penalty applies
    to. The log-probability is that of softmax(logits / temperature) all the same, as a trainer scores the token.
    """
    logprobs = F.log_softmax(logits if temperature is None else logits / temperature, dim=-1)
    if noise is None or temperature is None:
        token = logits.argmax(-1)
    else:
        drawn_from = logprobs.exp() if sampling is None else narrowed(logits, temperature, sampling, seen)
        below = drawn_from.cumsum(-1, dtype=torch.float64)
        token = torch.searchsorted(below, (noise * below[:, -1])[:, None], right=True).squeeze(1)
    return token, logprobs.gather(1, token[:, None]).squeeze(1)


def narrowed(logits: Tensor, temperature: float, sampling: SamplingSettings, seen: Tensor | None) -> Tensor:
    """Return the probabilities to draw from, (rows, entries); the same steps in the same order as transformers'."""
    if seen is not None:
        factor = sampling.repetition_penalty
        logits = torch.where(seen, torch.where(logits < 0, logits * factor, logits / factor), logits)
    probabilities = F.softmax(logits / temperature, dim=-1)
    if 0 < sampling.top_k < logits.shape[-1]:
        least = probabilities.topk(sampling.top_k).values[:, -1:]
        probabilities = _kept(probabilities, probabilities >= least)
    if sampling.top_p < 1:
        ordered, order = probabilities.sort(descending=True)
        before = ordered.cumsum(-1) - ordered  # the likelier tokens' share
        kept = torch.zeros_like(order, dtype=torch.bool).scatter(1, order, before < sampling.top_p)
        probabilities = _kept(probabilities, kept)
    if sampling.min_p > 0:
        least = sampling.min_p * probabilities.amax(-1, keepdim=True)
        probabilities = _kept(probabilities, probabilities >= least)
    return probabilities


def _kept(probabilities: Tensor, kept: Tensor) -> Tensor:
    left = probabilities.masked_fill(~kept, 0)
    return left / left.sum(-1, keepdim=True)
