"""Log-probabilities: of tokens that transformers chose, and of heads that leave entries out."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import LogitsProcessor


@contextmanager
def biased(head: nn.Linear, bias: Tensor) -> Iterator[None]:
    """Give a head without a bias this one, (entries,), for a while: it is neither learnt nor saved."""
    head.register_parameter("bias", nn.Parameter(bias.to(head.weight.device), requires_grad=False))
    try:
        yield
    finally:
        head.register_parameter("bias", None)


class ChosenLogprobs(LogitsProcessor):
    """Log-probabilities of the tokens that transformers' generate chose; it hands out none by itself cheaply."""

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature
        self.before: Tensor | None = None  # of all tokens, at the step before
        self.chosen: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """See the scores before they are divided by the temperature; change nothing."""
        self._take(input_ids)
        self.before = torch.log_softmax(scores.float() / self.temperature, dim=-1)
        return scores

    def finish(self, ids: Tensor) -> Tensor:
        """Return (rows, tokens) after the last token."""
        self._take(ids)
        return torch.stack(self.chosen, 1)

    def _take(self, ids: Tensor) -> None:
        if self.before is not None:
            self.chosen.append(self.before.gather(1, ids[:, -1:]).squeeze(1))
