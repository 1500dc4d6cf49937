"""A memory of intermediate results: later positions read the hidden states of earlier results through a gate."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import GPT2Config
from transformers.pytorch_utils import Conv1D


class Memory(nn.Module):
    """Attention over the results before a position, added to the hidden states through a gate per head.

    Where there is no result yet a slot of zeros is read, so that nothing is added.
    """

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        width = config.n_embd
        self.heads = config.n_head
        self.ln = nn.LayerNorm(width, eps=config.layer_norm_epsilon)
        self.c_attn = Conv1D(3 * width, width)
        self.gate = nn.Linear(width, self.heads)
        self.c_proj = Conv1D(width, width)

    def project(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(rows, columns, width) → queries, keys, values, each (rows, heads, columns, head width), and gates."""
        x = self.ln(hidden)
        shape = (*hidden.shape[:2], 3, self.heads, -1)
        query, key, value = self.c_attn(x).view(shape).permute(2, 0, 3, 1, 4).unbind(0)
        gate = torch.sigmoid(self.gate(x)).transpose(1, 2)[..., None]
        return query, key, value, gate

    def read(self, query: Tensor, keys: Tensor, values: Tensor, gate: Tensor, visible: Tensor) -> Tensor:
        """What the queries find among the keys, to be added to the hidden states: (rows, columns, width)."""
        keys, values = F.pad(keys, (0, 0, 1, 0)), F.pad(values, (0, 0, 1, 0))  # the slot of zeros
        found = F.scaled_dot_product_attention(
            query, keys, values, attn_mask=F.pad(visible, (1, 0), value=True)
        )
        added: Tensor = self.c_proj((found * gate).transpose(1, 2).flatten(2))
        return added

    def forward(self, hidden: Tensor, results: Tensor, cache: Any = None, layer: int = 0) -> Tensor:
        """Hidden states with what was read; the cache keeps every column's keys and values under `layer`."""
        query, key, value, gate = self.project(hidden)
        if cache is not None:
            key, value = cache.update(key, value, layer)
        return hidden + self.read(query, key, value, gate, readable(results, hidden.shape[1]))


def readable(results: Tensor, queries: int) -> Tensor:
    """Which columns the last `queries` columns may read: results before them; bool (rows, 1, queries, columns)."""
    column = torch.arange(results.shape[1], device=results.device)
    earlier = column[None, :] < column[-queries:, None]
    return results[:, None, None, :] & earlier
