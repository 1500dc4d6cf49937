"""The head computes with more entries than it has, and nothing shows of it."""

import pytest
import torch
from torch import nn
from transformers import GPT2LMHeadModel

from training.architecture import model
from training.architecture.head import ALIGNED, Head, aligned
from training.settings.shared import ModelSettings

WIDTH = 32


def heads(entries: int) -> tuple[Head, nn.Linear]:
    """One of ours and torch's with equal weights of their own."""
    torch.manual_seed(0)
    plain = nn.Linear(WIDTH, entries, bias=False)
    return Head(nn.Parameter(plain.weight.detach().clone())), plain


@pytest.mark.parametrize("entries", [405, 408])
def test_logits_and_gradients_in_16_bits_are_those_of_a_linear_layer(entries: int) -> None:
    states = torch.randn(3, 7, WIDTH)
    targets = torch.randint(entries, (3, 7))
    found = {}
    for head in heads(entries):
        with torch.autocast("cpu", torch.bfloat16):
            logits = head(states)
        assert logits.shape == (3, 7, entries)
        assert logits.dtype == torch.bfloat16
        nn.functional.cross_entropy(logits.float().view(-1, entries), targets.view(-1)).backward()
        assert head.weight.grad is not None
        assert head.weight.grad.shape == (entries, WIDTH)
        found[type(head)] = (logits.detach().float(), head.weight.grad)
    for ours, torchs in zip(found[Head], found[nn.Linear], strict=True):
        assert torch.allclose(ours, torchs, rtol=0.02, atol=1e-4)


def test_outside_of_autocast_it_is_a_linear_layer() -> None:
    head, plain = heads(405)
    states = torch.randn(5, WIDTH)
    assert torch.equal(head(states), plain(states))


def test_a_model_shares_it_with_its_embeddings_and_saves_it_once() -> None:
    settings = ModelSettings(n_layer=1, n_head=2, n_embd=WIDTH, n_positions=16)
    built = model.build(settings, 405, eos_id=0, pad_id=1, seed=0)
    assert isinstance(built.lm_head, Head)
    assert built.lm_head.weight is built.transformer.wte.weight
    assert sorted(built.state_dict()) == sorted(GPT2LMHeadModel(built.config).state_dict())


def test_rows_are_added_up_to_a_multiple() -> None:
    weight = torch.ones(405, WIDTH)
    assert aligned(weight).shape == (408, WIDTH)
    assert aligned(weight)[405:].eq(0).all()
    assert aligned(weight[: 50 * ALIGNED]).data_ptr() == weight.data_ptr()
