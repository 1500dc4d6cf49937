"""Decoding of one batch: a static key-value cache, where each row stands, which rows still go on.

Written over the model's weights instead of its forward. Prompts are padded on the left; positions are counted from each
row's first real token, as GPT-2 was trained.
"""

import copy
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import GPT2LMHeadModel

from training.architecture import MulberryGPT2
from training.architecture.head import aligned
from training.architecture.positions import Rotation, rotated
from training.sampling.replay import Replay

DROP_FROM_ROWS = 256  # copying the cache without the finished rows pays from about here on
DROP_SHARE = 0.25  # of the rows have finished
STRETCH = 128  # columns that are read by one recorded step
FEW_STEPS = 24  # are not worth recording one


@dataclass(frozen=True)
class _Layer:
    ln_1: tuple[Tensor, Tensor]
    qkv: tuple[Tensor, Tensor]  # weight (width, 3 × width), bias
    out: tuple[Tensor, Tensor]
    ln_2: tuple[Tensor, Tensor]
    up: tuple[Tensor, Tensor]
    down: tuple[Tensor, Tensor]
    scaling: float


class Decoding:
    """The rows of one batch: cache, where each row stands, which rows still go on."""

    def __init__(
        self,
        model: GPT2LMHeadModel,
        prompts: list[list[int]],
        group_size: int,
        steps: int,
        *,
        pad_id: int,
        never: Sequence[int],
        dtype: torch.dtype,
        replays: bool | None = None,
    ) -> None:
        self.config = model.config
        self.act = model.transformer.h[0].mlp.act
        self.dtype = dtype
        self.layers = [_layer(block, dtype) for block in model.transformer.h]
        device = model.device
        self.wte = model.transformer.wte.weight.to(dtype)
        # a variant's own parts are the model's code; plain GPT-2 is read faster from its tables
        self.variant = model.transformer if isinstance(model, MulberryGPT2) else None
        self.wpe = None if self.variant else model.transformer.wpe.weight.to(dtype)
        self.memory = self.variant.memory if self.variant else None
        if self.memory is not None and dtype != torch.float32:
            self.memory = copy.deepcopy(self.memory).to(dtype)
        self.entries = len(model.lm_head.weight)
        self.head = model.lm_head.weight.to(dtype)
        if device.type == "cuda":
            self.head = aligned(self.head)
        self.never = _runs(never)
        self.ln_f = _pair(model.transformer.ln_f, dtype)
        self.context = model.config.n_positions

        ids, mask = left_padded(prompts, pad_id)
        ids, mask = ids.to(device), mask.to(device)
        rows, columns = len(prompts) * group_size, ids.shape[1] + steps
        self.prompt_lengths = mask.sum(1).repeat_interleave(group_size)
        # the key at each column: real tokens of the prompt now, every generated token later
        self.keys_seen = F.pad(mask.repeat_interleave(group_size, 0), (0, steps), value=True)
        self.any_padding = not bool(mask.all())
        heads, width = self.config.n_head, self.config.n_embd
        kept = len(self.layers) + (self.memory is not None)
        wanted = device.type == "cuda" if replays is None else replays
        # ids of all columns: with each step there are more, so that it cannot be recorded
        reads_ids = self.variant is not None and self.variant.reads_ids
        self.replays = wanted and steps > FEW_STEPS and not reads_ids
        self.replay: Replay | None = None  # a step that reads `extent` columns
        self.extent = 0
        # in a recorded step: the new column, and how many are read
        self.fixed: tuple[Tensor, int] | None = None
        # a recorded step reads columns that are still to come, with no weight: they must be numbers
        empty = torch.zeros if self.replays else torch.empty
        self.cache = empty((kept, 2, rows, heads, columns, width // heads), dtype=self.dtype, device=device)
        self.column = 0  # columns that have been read
        self.ids: Tensor | None = None  # of all columns, where a variant reads them
        if reads_ids:
            self.ids = F.pad(ids.repeat_interleave(group_size, 0), (0, steps), value=pad_id)
        self.logits = self._prefill(ids, mask, group_size)

        self.rows = torch.arange(rows, device=device)  # which row of the batch each decoded row is
        self.lengths = torch.zeros(rows, dtype=torch.long, device=device)  # of all rows, dropped ones too
        self.ended = torch.zeros(rows, dtype=torch.bool, device=device)
        self.active = torch.ones(rows, dtype=torch.bool, device=device)
        self.token = torch.empty(rows, dtype=torch.long, device=device)

    def take(self, token: Tensor, logprob: Tensor, eos_id: int, pad_id: int) -> tuple[Tensor, Tensor, bool]:
        """Record the chosen tokens: (a column of ids, of log-probabilities, for all rows; whether any row goes on)."""
        column = torch.full_like(self.lengths, pad_id)
        logprob_column = torch.zeros(len(column), dtype=torch.float32, device=column.device)
        on = self.active[self.rows]
        column[self.rows] = torch.where(on, token, pad_id)
        logprob_column[self.rows] = torch.where(on, logprob, 0.0)
        self.lengths[self.rows] += on.long()
        end = on & (token == eos_id)
        self.ended[self.rows] |= end
        full = self.prompt_lengths[self.rows] + self.lengths[self.rows] >= self.context
        self.active[self.rows] = on & ~end & ~full
        self.token = token
        left = int(self.active.sum())
        if left and len(self.rows) >= DROP_FROM_ROWS and left <= (1 - DROP_SHARE) * len(self.rows):
            self._drop_finished()
        return column, logprob_column, left > 0

    def advance(self) -> None:
        """Read the last tokens into the cache and compute the logits of the next ones."""
        position = self.prompt_lengths[self.rows] + self.lengths[self.rows] - 1
        position = position.clamp(max=self.context - 1)[:, None]
        end = self.column + 1
        if self.replays:
            self._replay(position)
            self.column = end
            return
        token, context, seen = self.token[:, None], self.token[:, None], self.keys_seen[:, :end]
        if self.ids is not None:
            self.ids[:, self.column] = self.token
            context = self.ids[:, :end]
        h = self._embed(token, position, context)
        allowed = seen[:, None, None] if self.any_padding else None
        h = self._read(h, position, allowed, False, context, seen)
        self.column = end
        self.logits = self._project(h)

    def _replay(self, position: Tensor) -> None:
        """As advance, by a recorded step; one for each stretch of columns and number of rows."""
        if self.replay is None or self.column >= self.extent:
            self.replay = None  # its memory is for the next one
            self.extent = min((self.column // STRETCH + 1) * STRETCH, self.cache.shape[4])
            itself = weakref.proxy(self)  # else the cache would wait for the garbage collector
            self.replay = Replay(partial(Decoding._step, itself, self.extent))
        column = self.lengths.new_full((1,), self.column)
        self.logits = self.replay(self.token[:, None], position, column)

    def _step(self, extent: int, token: Tensor, position: Tensor, column: Tensor) -> Tensor:
        """As advance, for any column below `extent`: token and position are (rows, 1), column (1,)."""
        read = torch.arange(extent, device=column.device) <= column
        allowed = (self.keys_seen[:, :extent] & read)[:, None, None]
        self.fixed = (column, extent)
        h = self._read(self._embed(token, position, token), position, allowed, False, token, allowed)
        self.fixed = None
        return self._project(h)

    def _prefill(self, ids: Tensor, mask: Tensor, group_size: int) -> Tensor:
        """Read the prompts, (prompts, columns); return the logits after them for every row of every group."""
        prompts, columns = ids.shape
        position = (mask.long().cumsum(1) - 1).clamp(min=0)
        causal = torch.ones(columns, columns, dtype=torch.bool, device=ids.device).tril()
        # a padding token sees itself only: a row that sees nothing would be NaN
        itself = torch.eye(columns, dtype=torch.bool, device=ids.device)
        allowed = ((causal & mask[:, None, :]) | itself)[:, None] if self.any_padding else None
        h = self._read(self._embed(ids, position, ids), position, allowed, allowed is None, ids, mask)
        self.column = columns
        last = h.reshape(prompts, columns, -1)[:, -1]
        return self._project(last).repeat_interleave(group_size, 0)

    def _embed(self, ids: Tensor, position: Tensor, context: Tensor) -> Tensor:
        """Vectors of ids, (rows, columns), that are the last columns of context; rows × columns flattened."""
        if self.variant is not None:
            h = self.variant.embed(ids, position, context).to(self.dtype)
        else:
            assert self.wpe is not None
            h = self.wte[ids] + self.wpe[position]
        return h.flatten(0, 1)

    def _read(
        self,
        h: Tensor,
        position: Tensor,
        allowed: Tensor | None,
        is_causal: bool,
        context: Tensor,
        seen: Tensor,
    ) -> Tensor:
        """New columns, rows × columns flattened, through the blocks; their keys and values go into the cache."""
        rows, columns = position.shape
        rotation = self.variant.rotation(position) if self.variant else None
        for index, layer in enumerate(self.layers):
            q, k, v = self._qkv(layer, h, rows, columns, rotation)
            k, v = self.update(k, v, index)
            attended = F.scaled_dot_product_attention(
                q, k, v, attn_mask=allowed, is_causal=is_causal, scale=layer.scaling
            )
            h = self._finish(layer, h, attended)
            if self.variant is not None and self.memory is not None and index == self.variant.memory_after:
                results = self.variant.results(context, seen)
                h = self.memory(h.view(rows, columns, -1), results, self, len(self.layers)).flatten(0, 1)
        return h

    def update(self, key: Tensor, value: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """Keep the keys and values of new columns, and return those of all columns; as transformers' caches do.

        Those of prompts, each read once, are kept for every row of their groups.
        """
        keys, values = self.cache[layer]
        if self.fixed is not None:
            column, extent = self.fixed
            keys.index_copy_(2, column, key)
            values.index_copy_(2, column, value)
            return keys[:, :, :extent], values[:, :, :extent]
        end = self.column + key.shape[2]
        if self.column == 0:
            group_size = len(keys) // len(key)
            keys[:, :, :end] = key.repeat_interleave(group_size, 0)
            values[:, :, :end] = value.repeat_interleave(group_size, 0)
            return key, value
        keys[:, :, self.column : end] = key
        values[:, :, self.column : end] = value
        return keys[:, :, :end], values[:, :, :end]

    def _qkv(
        self, layer: _Layer, h: Tensor, rows: int, columns: int, rotation: Rotation | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys, values, each (rows, heads, columns, head width)."""
        x = F.layer_norm(h, h.shape[-1:], *layer.ln_1, eps=self.config.layer_norm_epsilon)
        qkv = torch.addmm(layer.qkv[1], x, layer.qkv[0])
        q, k, v = qkv.view(rows, columns, 3, self.config.n_head, -1).permute(2, 0, 3, 1, 4).unbind(0)
        if rotation is not None:
            q, k = rotated(q, rotation), rotated(k, rotation)
        return q, k, v

    def _finish(self, layer: _Layer, h: Tensor, attended: Tensor) -> Tensor:
        """The rest of a block: output projection, residuals, MLP; rows × columns flattened."""
        h = torch.addmm(layer.out[1], attended.transpose(1, 2).reshape(h.shape), layer.out[0]).add_(h)
        x = F.layer_norm(h, h.shape[-1:], *layer.ln_2, eps=self.config.layer_norm_epsilon)
        x = self.act(torch.addmm(layer.up[1], x, layer.up[0]))
        return torch.addmm(layer.down[1], x, layer.down[0]).add_(h)

    def _project(self, h: Tensor) -> Tensor:
        h = F.layer_norm(h, h.shape[-1:], *self.ln_f, eps=self.config.layer_norm_epsilon)
        logits = F.linear(h, self.head)[:, : self.entries].float()
        for run in self.never:
            logits[:, run] = -torch.inf
        return logits

    def _drop_finished(self) -> None:
        keep = self.active[self.rows].nonzero().squeeze(1)
        self.rows, self.token = self.rows[keep], self.token[keep]
        self.keys_seen = self.keys_seen[keep]
        self.cache = self.cache[:, :, keep]
        self.replay = None  # it has another number of rows
        if self.ids is not None:
            self.ids = self.ids[keep]


def left_padded(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Return ids and a bool mask of real tokens, both (rows, longest), padded on the left."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[pad_id] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[False] * (longest - len(row)) + [True] * len(row) for row in rows])
    return ids, mask


def _runs(ids: Sequence[int]) -> list[slice]:
    """The same ids as slices: reserved entries lie side by side, and filling a slice costs next to nothing."""
    runs: list[slice] = []
    for i in sorted(ids):
        if runs and runs[-1].stop == i:
            runs[-1] = slice(runs[-1].start, i + 1)
        else:
            runs.append(slice(i, i + 1))
    return runs


def _layer(block: Any, dtype: torch.dtype) -> _Layer:
    return _Layer(
        ln_1=_pair(block.ln_1, dtype),
        qkv=_pair(block.attn.c_attn, dtype),
        out=_pair(block.attn.c_proj, dtype),
        ln_2=_pair(block.ln_2, dtype),
        up=_pair(block.mlp.c_fc, dtype),
        down=_pair(block.mlp.c_proj, dtype),
        scaling=block.attn.scaling,
    )


def _pair(module: Any, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return module.weight.to(dtype), module.bias.to(dtype)
