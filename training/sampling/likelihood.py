"""Choosing among continuations: the likeliest per token."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from training.benchmarks import Problem
from training.text.reserved import text_ids


@dataclass(frozen=True)
class Choice:
    """What a model chose."""

    number: int  # the choice's place, from 0
    tokens: int  # of the chosen continuation
    logprobs: tuple[float, ...]  # mean log-probability of a token of each choice, nats


def choices(
    model: torch.nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    problems: Sequence[Problem],
    *,
    context: int,
    batch_size: int,
) -> Iterator[dict[int, Choice]]:
    """Yield the choices of some problems together, by the problem's index, longest first.

    Prompt and choice are encoded apart. What is longer than `context` tokens loses its beginning.
    """
    rows = [
        [_row(tokenizer, problem.prompt, text, context) for text in problem.choices] for problem in problems
    ]
    order = sorted(range(len(rows)), key=lambda i: -max(len(ids) for ids, _ in rows[i]))
    together = max(1, batch_size // max((len(row) for row in rows), default=1))
    for start in range(0, len(order), together):
        chosen = order[start : start + together]
        means = iter(_mean_logprobs(model, [row for i in chosen for row in rows[i]]))
        found = {}
        for i in chosen:
            logprobs = tuple(next(means) for _ in rows[i])
            number = max(range(len(logprobs)), key=logprobs.__getitem__)
            found[i] = Choice(number, rows[i][number][1], logprobs)
        yield found


def _row(tokenizer: PreTrainedTokenizerFast, prompt: str, text: str, context: int) -> tuple[list[int], int]:
    """Ids of prompt and continuation, and how many tokens the latter has."""
    before = text_ids(tokenizer, prompt) or [tokenizer.eos_token_id]
    continuation = text_ids(tokenizer, text)
    ids = (before + continuation)[-context:]
    return ids, min(len(continuation), len(ids) - 1)


@torch.no_grad()
def _mean_logprobs(model: torch.nn.Module, rows: list[tuple[list[int], int]]) -> list[float]:
    """The mean log-probability of each row's last tokens, as many as it says."""
    device = next(model.parameters()).device
    width = max(len(ids) for ids, _ in rows)
    padded = torch.zeros(len(rows), width, dtype=torch.long)  # padding stands behind, where nothing looks
    mask, learnt = torch.zeros_like(padded), torch.zeros(len(rows), width, dtype=torch.bool)
    for place, (ids, tokens) in enumerate(rows):
        padded[place, : len(ids)] = torch.tensor(ids)
        mask[place, : len(ids)] = 1
        learnt[place, len(ids) - tokens : len(ids)] = True
    padded, mask, learnt = padded.to(device), mask.to(device), learnt.to(device)
    logits = model(input_ids=padded, attention_mask=mask, use_cache=False).logits[:, :-1]
    losses = torch.zeros(learnt.shape, device=device)[:, 1:]
    losses[learnt[:, 1:]] = functional.cross_entropy(
        logits[learnt[:, 1:]].float(), padded[:, 1:][learnt[:, 1:]], reduction="none"
    )
    means: list[float] = (-losses.sum(dim=1) / learnt.sum(dim=1).clamp(min=1)).tolist()
    return means
