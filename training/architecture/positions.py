"""Where a token stands: rotary positions, none at all, or each digit's index in its number beside GPT-2's own."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.gpt2.modeling_gpt2 import GPT2Attention, eager_attention_forward

ROPE_BASE = 10_000.0
ABACUS_DIGITS = 32  # longer numbers keep the last index

Rotation = tuple[Tensor, Tensor]


class NoTable(nn.Module):
    """In the place of GPT-2's table of positions where there is none."""

    def forward(self, position_ids: Tensor) -> Tensor:
        """Zero, whatever the positions."""
        return position_ids.new_zeros(1)


class Abacus(nn.Embedding):
    """One vector for each index of a digit in its number; 0, for what is not a number, adds nothing."""

    def __init__(self, width: int) -> None:
        super().__init__(ABACUS_DIGITS + 1, width, padding_idx=0)

    def forward(self, digit_positions: Tensor) -> Tensor:
        """(rows, columns) → (rows, columns, width)."""
        return super().forward(digit_positions.clamp(max=ABACUS_DIGITS))


class RotaryAttention(GPT2Attention):
    """GPT-2's attention over queries and keys that are turned by their positions."""

    @classmethod
    def instead_of(cls, attention: GPT2Attention) -> "RotaryAttention":
        """With the weights of another attention, so that all variants start equal."""
        with torch.device("meta"):
            made = cls(attention.config, layer_idx=attention.layer_idx)
        made.c_attn, made.c_proj = attention.c_attn, attention.c_proj
        made._is_hf_initialized = True  # or transformers would draw c_proj once more
        return made

    def forward(
        self,
        hidden_states: Tensor,
        past_key_values: Any = None,
        attention_mask: Tensor | None = None,
        rotation: Rotation | None = None,
        **_: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """As GPT2Attention's, (rows, columns, width); the cache holds turned keys."""
        assert rotation is not None
        shape = (*hidden_states.shape[:-1], 3, self.num_heads, self.head_dim)
        query, key, value = self.c_attn(hidden_states).view(shape).permute(2, 0, 3, 1, 4).unbind(0)
        query, key = rotated(query, rotation), rotated(key, rotation)
        if past_key_values is not None:
            key, value = past_key_values.update(key, value, self.layer_idx)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        dropout = self.attn_dropout.p if self.training else 0.0
        found, weights = attend(
            self, query, key, value, attention_mask, dropout=dropout, scaling=self.scaling
        )
        return self.resid_dropout(self.c_proj(found.flatten(-2).contiguous())), weights


def rotation(position_ids: Tensor, head_width: int) -> Rotation:
    """Cosines and sines of (rows, columns) positions, each (rows, 1, columns, head_width / 2), float32.

    RoFormer (Su et al., 2021, arXiv 2104.09864), its pairs taken from the two halves of a head.
    """
    exponents = torch.arange(0, head_width, 2, device=position_ids.device) / head_width
    angles = position_ids[:, None, :, None].float() * ROPE_BASE**-exponents
    return angles.cos(), angles.sin()


def rotated(x: Tensor, rotation: Rotation) -> Tensor:
    """Queries or keys, (rows, heads, columns, head width), turned by their positions."""
    cos, sin = rotation
    first, second = x.float().chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)
