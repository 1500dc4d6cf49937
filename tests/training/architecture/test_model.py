"""A model starts equal in all conditions, and a saved one is proven to be the same."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2LMHeadModel

from training.architecture import model
from training.settings.shared import ModelSettings, TokenizerSettings
from training.text import tokenizer

SMALL = ModelSettings(n_layer=2, n_head=2, n_embd=24, n_positions=32, initial_std=0.1)


def build(vocabulary: int = 400, settings: ModelSettings = SMALL, seed: int = 0) -> GPT2LMHeadModel:
    return model.build(settings, vocabulary, eos_id=0, pad_id=1, seed=seed)


@pytest.fixture(scope="module")
def tokens(data_dir: Path) -> tokenizer.PreTrainedTokenizerFast:
    return tokenizer.load(TokenizerSettings(entries=400), lambda: iter(["7 × 8 = 56"]), data_dir)


def test_weights_depend_on_the_seed_only() -> None:
    torch.manual_seed(1)
    first = build()
    torch.manual_seed(2)
    second = build()
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first.lm_head.weight, build(seed=1).lm_head.weight)
    assert first.transformer.wte.weight.std().item() == pytest.approx(0.1, rel=0.05)


def test_building_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    build()
    assert torch.equal(torch.rand(3), expected)


def test_a_saved_model_is_verified(tmp_path: Path, tokens: tokenizer.PreTrainedTokenizerFast) -> None:
    built = build()
    model.save(built, tokens, tmp_path)
    model.verify(tmp_path, built)
    assert (tmp_path / "model.safetensors").is_file()
    assert model.load(tmp_path).config.eos_token_id == 0


def test_a_turned_square_weight_is_found(tmp_path: Path, tokens: tokenizer.PreTrainedTokenizerFast) -> None:
    """The error that once made every number behind it wrong: square weights exported untransposed."""
    built = build()
    model.save(built, tokens, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    name = next(name for name, weight in weights.items() if name.endswith("attn.c_proj.weight"))
    weights[name] = weights[name].T.contiguous()
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RuntimeError, match="does not reproduce its model"):
        model.verify(tmp_path, built)


def test_new_rows_of_a_larger_vocabulary_differ_from_each_other(
    tmp_path: Path, tokens: tokenizer.PreTrainedTokenizerFast
) -> None:
    model.save(build(355), tokens, tmp_path)
    grown = build(400, ModelSettings(**{**SMALL.model_dump(), "start_from": str(tmp_path)}))
    rows = grown.transformer.wte.weight[355:]
    assert rows.shape == (45, 24)
    assert rows.std(0).mean().item() == pytest.approx(0.1, rel=0.2)
    assert torch.equal(grown.transformer.wte.weight[:355], build(355).transformer.wte.weight)


def test_a_missing_start_is_one_line() -> None:
    with pytest.raises(ValueError, match="there is no model in /nowhere/at/all"):
        model.load("/nowhere/at/all")
