"""The projection to the vocabulary, at full speed for any number of entries."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ALIGNED = 8  # tensor cores read rows of so many 16-bit numbers; 50,349 entries cost them a kernel several times slower


class Head(nn.Linear):
    """A linear layer that computes in 16 bits as if it had the next multiple of ALIGNED entries, and returns its own.

    Its weight is the given one, which may be shared with an embedding.
    """

    def __init__(self, weight: nn.Parameter) -> None:
        entries, width = weight.shape
        super().__init__(width, entries, bias=False, device="meta")
        self.weight = weight

    def forward(self, input: Tensor) -> Tensor:
        """Logits, (..., entries), of states, (..., width)."""
        if not torch.is_autocast_enabled(input.device.type):
            return super().forward(input)
        return F.linear(input, aligned(self.weight))[..., : self.out_features]


def aligned(weight: Tensor) -> Tensor:
    """The weight, (entries, width), with rows of zeros up to a multiple of ALIGNED."""
    missing = -len(weight) % ALIGNED
    return F.pad(weight, (0, 0, 0, missing)) if missing else weight
