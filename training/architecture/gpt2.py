"""GPT-2 with variants: its configuration, its forward pass, and what the sampler takes from it."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache, GPT2Config, GPT2LMHeadModel
from transformers.cache_utils import DynamicLayer
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions
from transformers.models.gpt2.modeling_gpt2 import GPT2Model

from training.architecture import tokens
from training.architecture.memory import Memory
from training.architecture.positions import Abacus, NoTable, RotaryAttention, Rotation, rotation


class MulberryConfig(GPT2Config):
    """GPT-2's configuration and the variant's."""

    model_type = "mulberry_gpt2"
    auto_map: ClassVar[Mapping[str, str]] = {}  # TRL asks for it where the class is not transformers' own
    positions: str = "learned"
    memory: bool = False


class _Initialised:
    """Weights are drawn as transformers draws its own models': for other modules it leaves GPT-2's scaled ones out."""

    @classmethod
    def is_custom_code(cls) -> bool:
        """Transformers' hook: whether it should not rely on how weights are drawn."""
        return False


class MulberryTransformer(_Initialised, GPT2Model):
    """GPT-2's blocks with other positions or a memory."""

    config: MulberryConfig

    def __init__(self, config: MulberryConfig) -> None:
        super().__init__(config)  # all weights that GPT-2 has too, drawn as GPT-2 draws them
        self.abacus = Abacus(config.n_embd) if config.positions == "abacus" else None
        self.memory = Memory(config) if config.memory else None
        self.memory_after = (config.n_layer - 1) // 2  # number of the block behind which the memory is read
        self.rotary = config.positions == "rope"
        if config.positions in ("rope", "none"):
            self.wpe = NoTable()
        if self.rotary:
            for block in self.h:
                block.attn = RotaryAttention.instead_of(block.attn)
        self.register_buffer("token_table", torch.zeros(tokens.ROWS, config.vocab_size, dtype=torch.int8))

    @property
    def reads_ids(self) -> bool:
        """Whether a position needs the ids of the tokens before it."""
        return self.abacus is not None or self.memory is not None

    def embed(self, ids: Tensor, position_ids: Tensor, context_ids: Tensor) -> Tensor:
        """Vectors of the last columns of context_ids, at their positions: (rows, columns, width)."""
        hidden: Tensor = self.wte(ids) + self.wpe(position_ids)
        if self.abacus is not None:
            hidden = hidden + self.abacus(self.digit_positions(context_ids)[:, -ids.shape[1] :])
        return hidden

    def digit_positions(self, ids: Tensor) -> Tensor:
        """Index of each digit in its number, 0 elsewhere."""
        return tokens.digit_positions(ids, self.token_table)

    def results(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Which columns the memory keeps; never padding."""
        return tokens.results(ids, self.token_table) & mask.bool()

    def rotation(self, position_ids: Tensor) -> Rotation | None:
        """What turns queries and keys at these positions."""
        return rotation(position_ids, self.config.n_embd // self.config.n_head) if self.rotary else None

    def forward(
        self,
        input_ids: Tensor,
        past_key_values: Any = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        use_cache: bool | None = None,
        context_ids: Tensor | None = None,
        **_: Any,
    ) -> BaseModelOutputWithPastAndCrossAttentions:
        """As GPT2Model's; without position_ids they are counted from the mask.

        context_ids: with a cache, the ids of all columns, those in the cache too, for variants that read them.
        """
        if use_cache is None:
            use_cache = self.config.use_cache
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        past = past_key_values.get_seq_length() if past_key_values is not None else 0
        if context_ids is None:
            if past and self.reads_ids:
                raise ValueError("with a cache this model needs context_ids: the ids of all columns so far")
            context_ids = input_ids
        if attention_mask is None:
            position_ids = self._counted(input_ids, past) if position_ids is None else position_ids
            mask = torch.ones_like(context_ids)
        else:
            mask = attention_mask
            if position_ids is None:
                position_ids = (mask.long().cumsum(1) - 1).clamp(min=0)[:, past:]

        hidden = self.drop(self.embed(input_ids, position_ids, context_ids))
        causal = create_causal_mask(
            config=self.config,
            inputs_embeds=hidden,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            position_ids=position_ids,
        )
        turned = self.rotation(position_ids)
        for number, block in enumerate(self.h):
            hidden = block(hidden, past_key_values, causal, use_cache=use_cache, rotation=turned)
            if self.memory is not None and number == self.memory_after:
                results = self.results(context_ids, mask)
                hidden = self.memory(hidden, results, _with_room(past_key_values, len(self.h)), len(self.h))
        return BaseModelOutputWithPastAndCrossAttentions(
            last_hidden_state=self.ln_f(hidden), past_key_values=past_key_values if use_cache else None
        )

    def _counted(self, ids: Tensor, past: int) -> Tensor:
        return torch.arange(past, past + ids.shape[1], device=ids.device)[None]


class MulberryGPT2(_Initialised, GPT2LMHeadModel):
    """GPT2LMHeadModel over MulberryTransformer."""

    config: MulberryConfig

    def __init__(self, config: MulberryConfig) -> None:
        super(GPT2LMHeadModel, self).__init__(config)
        self.transformer = MulberryTransformer(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.post_init()

    def prepare_inputs_for_generation(self, input_ids: Tensor, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Transformers' hook before each forward pass of generate; it has all ids so far."""
        prepared: dict[str, Any] = super().prepare_inputs_for_generation(input_ids, *args, **kwargs)
        return {**prepared, "context_ids": input_ids}


def _with_room(cache: Any, layer: int) -> Any:
    """The cache with a layer for the memory's keys and values behind the blocks'."""
    if cache is not None and len(cache.layers) == layer:
        cache.layers.append(DynamicLayer())
    return cache


AutoConfig.register(MulberryConfig.model_type, MulberryConfig)
AutoModelForCausalLM.register(MulberryConfig, MulberryGPT2)
