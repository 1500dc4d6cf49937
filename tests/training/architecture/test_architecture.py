"""Every variant decodes with a cache as it reads at once, sees no later token, and survives being saved."""

import json
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, GPT2LMHeadModel, PreTrainedTokenizerFast

from training.architecture import gpt2, memory, model, positions, tokens
from training.sampling.decoding import Decoding, left_padded
from training.sampling.sampler import Sampler
from training.settings.shared import ModelSettings, TokenizerSettings
from training.text import tokenizer
from training.text.tokenizer import mul_token_ids, vocabulary_size

SMALL = {"n_layer": 3, "n_head": 2, "n_embd": 24, "n_positions": 64, "initial_std": 0.2}
VARIANTS = [
    {"positions": "learned"},
    {"positions": "rope"},
    {"positions": "none"},
    {"positions": "abacus"},
    {"memory": True},
    {"positions": "abacus", "memory": True},
    {"positions": "rope", "memory": True},
]
TEXTS = [  # of different lengths: left padding is where positions go wrong
    "7 × 8 = 56",
    "User: Ben has 1234 jars of 7 pens. How many?\nAssistant: 12 × 7 = 84; 84 = 8",
    "5",
    "<MUL_7_8_56> + 3 = 59",
    "User: 9 + 12 = 21, 21 + 1 = 2",
]


def name(variant: dict) -> str:
    return "+".join(key if value is True else value for key, value in variant.items())


@pytest.fixture(scope="module")
def known() -> PreTrainedTokenizerFast:
    return tokenizer.load(TokenizerSettings(entries=400), lambda: iter(TEXTS * 3), Path())


def build(known: PreTrainedTokenizerFast, variant: dict, seed: int = 0, **changes: object) -> GPT2LMHeadModel:
    return model.build(
        ModelSettings(**{**SMALL, **variant, **changes}),
        vocabulary_size(known),
        eos_id=known.eos_token_id,
        pad_id=known.pad_token_id,
        seed=seed,
        tokenizer=known,
    )


@pytest.fixture(scope="module", params=VARIANTS, ids=name)
def variant(request: pytest.FixtureRequest) -> dict:
    return request.param


@pytest.fixture(scope="module")
def built(variant: dict, known: PreTrainedTokenizerFast) -> GPT2LMHeadModel:
    """Random weights, biases too."""
    made = build(known, variant)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return made.eval()


def telling(known: PreTrainedTokenizerFast) -> list[int]:
    """Tokens that variants look at: digits with and without a space, "=" and mul-tokens."""
    texts = ["0", "1", "2", "3", " 4", " 5", " =", "=", " +"]
    return [known.encode(text)[-1] for text in texts] + list(mul_token_ids(known))[::9]


def one_row(built: GPT2LMHeadModel, ids: list[int]) -> Tensor:
    with torch.no_grad():
        logits: Tensor = built(torch.tensor([ids])).logits[0]
    return logits


def test_the_sampler_reads_with_its_cache_what_the_model_reads_at_once(
    built: GPT2LMHeadModel, known: PreTrainedTokenizerFast
) -> None:
    prompts = [known.encode(text) for text in TEXTS]
    eos_id, pad_id = known.eos_token_id, known.pad_token_id
    rng = random.Random(0)
    with torch.inference_mode():
        state = Decoding(built, prompts, 2, 12, pad_id=pad_id, never=[], dtype=torch.float32)
        rows = [list(prompt) for prompt in prompts for _ in range(2)]
        for _ in range(12):
            for row, found in zip(rows, state.logits, strict=True):
                assert (found - one_row(built, row)[-1]).abs().max() < 1e-4
            chosen = torch.tensor([rng.choice(telling(known)) for _ in rows])
            state.take(chosen, torch.zeros(len(rows)), eos_id, pad_id)
            state.advance()
            for row, token in zip(rows, chosen.tolist(), strict=True):
                row.append(token)


def test_generate_reads_with_its_cache_what_the_model_reads_at_once(
    built: GPT2LMHeadModel, known: PreTrainedTokenizerFast
) -> None:
    prompts = [known.encode(text) for text in TEXTS]
    ids, mask = left_padded(prompts, known.pad_token_id)
    out = built.generate(
        input_ids=ids,
        attention_mask=mask.long(),
        max_new_tokens=12,
        min_new_tokens=12,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    for number, prompt in enumerate(prompts):
        row = prompt + out.sequences[number, ids.shape[1] :].tolist()
        found = torch.stack([logits[number] for logits in out.logits])
        assert (found - one_row(built, row)[len(prompt) - 1 : -1]).abs().max() < 1e-4


def test_padding_on_either_side_changes_nothing(
    built: GPT2LMHeadModel, known: PreTrainedTokenizerFast
) -> None:
    prompts = [known.encode(text) for text in TEXTS]
    ids, mask = left_padded(prompts, known.pad_token_id)
    positions = (mask.long().cumsum(1) - 1).clamp(min=0)
    width = ids.shape[1]
    right = torch.tensor([prompt + [known.pad_token_id] * (width - len(prompt)) for prompt in prompts])
    right_mask = torch.arange(width) < mask.sum(1, keepdim=True)
    with torch.no_grad():
        left = built(ids, attention_mask=mask.long(), position_ids=positions).logits
        right_logits = built(right, attention_mask=right_mask.long()).logits
    for number, prompt in enumerate(prompts):
        alone = one_row(built, prompt)
        assert (left[number, width - len(prompt) :] - alone).abs().max() < 1e-4
        assert (right_logits[number, : len(prompt)] - alone).abs().max() < 1e-4


def leak(built: GPT2LMHeadModel, known: PreTrainedTokenizerFast) -> float:
    """The largest change of a logit when only later tokens change."""
    rng = random.Random(2)
    worst = 0.0
    for _ in range(20):
        row = [rng.choice(telling(known)) for _ in range(24)]
        place = rng.randrange(1, 24)
        changed = row[:place] + [rng.choice(telling(known)) for _ in range(24 - place)]
        difference = one_row(built, row)[:place] - one_row(built, changed)[:place]
        worst = max(worst, difference.abs().max().item())
    return worst


def test_no_position_sees_a_later_token(built: GPT2LMHeadModel, known: PreTrainedTokenizerFast) -> None:
    assert leak(built, known) < 1e-4


def test_a_planted_read_of_later_tokens_is_found(
    built: GPT2LMHeadModel,
    variant: dict,
    known: PreTrainedTokenizerFast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted = tokens.digit_positions

    def from_the_last_digit(ids: Tensor, table: Tensor) -> Tensor:
        return counted(ids.flip(1), table.clone().index_fill_(0, torch.tensor(tokens.STARTS), 0)).flip(1)

    if variant.get("memory"):
        monkeypatch.setattr(memory, "readable", lambda results, queries: results[:, None, None, :])
    elif variant["positions"] == "abacus":
        monkeypatch.setattr(tokens, "digit_positions", from_the_last_digit)
    elif variant["positions"] == "learned":
        monkeypatch.setattr(built.transformer, "forward", _seeing_all(built.transformer.forward))
    else:
        monkeypatch.setattr(gpt2, "create_causal_mask", _everything)
    assert leak(built, known) > 1e-3


def _everything(inputs_embeds: Tensor, **_: object) -> Tensor:
    rows, columns = inputs_embeds.shape[:2]
    return torch.ones(rows, 1, columns, columns, dtype=torch.bool)


def _seeing_all(forward):  # type: ignore[no-untyped-def]
    def seeing_all(ids: Tensor, attention_mask: object = None, **kwargs: object) -> object:
        mask = torch.ones(ids.shape[0], 1, ids.shape[1], ids.shape[1], dtype=torch.bool)
        return forward(ids, attention_mask=mask, **kwargs)

    return seeing_all


def test_a_checkpoint_is_the_model_that_was_saved(
    built: GPT2LMHeadModel, variant: dict, known: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    model.save(built, known, tmp_path)
    model.verify(tmp_path, built)
    loaded = model.load(tmp_path)
    assert type(loaded) is type(built)
    row = known.encode(TEXTS[1])
    assert (one_row(loaded.eval(), row) - one_row(built, row)).abs().max() < 1e-5
    plain = variant == {"positions": "learned"}
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == (
        "gpt2" if plain else "mulberry_gpt2"
    )
    assert type(AutoModelForCausalLM.from_pretrained(tmp_path)) is type(built)  # as TRL reads its reference


@pytest.mark.parametrize("part", ["memory.c_proj", "memory.c_attn", "abacus", "memory.gate"])
def test_verifying_sees_every_part_of_a_variant(
    part: str, known: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    made = build(known, {"positions": "abacus", "memory": True})
    model.save(made, known, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights[f"transformer.{part}.weight"] = weights[f"transformer.{part}.weight"].flip(0).contiguous()
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RuntimeError, match="does not reproduce its model"):
        model.verify(tmp_path, made)


def test_what_variants_share_with_gpt2_starts_equal(variant: dict, known: PreTrainedTokenizerFast) -> None:
    plain, made = build(known, {}).state_dict(), build(known, variant).state_dict()
    missing = set(plain) - set(made)
    assert missing <= {"transformer.wpe.weight"}
    assert all(torch.equal(plain[key], made[key]) for key in set(plain) - missing)


@pytest.mark.parametrize("added", [{"positions": "abacus"}, {"memory": True}], ids=name)
def test_a_variant_added_to_a_checkpoint_changes_nothing_at_first(
    added: dict, known: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    plain = build(known, {}, seed=3)
    model.save(plain, known, tmp_path)
    grown = build(known, added, start_from=str(tmp_path))
    row = known.encode(TEXTS[1])
    assert (one_row(grown, row) - one_row(plain, row)).abs().max() < 1e-5
    grown(torch.tensor([row]), labels=torch.tensor([row])).loss.backward()
    part = grown.transformer.memory.c_proj if added.get("memory") else grown.transformer.abacus
    assert part.weight.grad.abs().max() > 1e-6  # and it learns
    with pytest.raises(ValueError, match="has learned positions and cannot go on with rope"):
        build(known, {"positions": "rope"}, start_from=str(tmp_path))


@pytest.mark.parametrize("text", ["no number at all", TEXTS[1]])
def test_every_weight_takes_part(text: str, variant: dict, known: PreTrainedTokenizerFast) -> None:
    """Several processes wait for the gradient of every weight, in a batch without numbers too."""
    made = build(known, variant)
    ids = torch.tensor([known.encode(text)])
    made(ids, labels=ids).loss.backward()
    assert all(parameter.grad is not None for parameter in made.parameters())


def test_a_checkpoint_of_a_variant_stays_that_variant(known: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    made = build(known, {"positions": "rope", "memory": True})
    model.save(made, known, tmp_path)
    again = build(known, {}, start_from=str(tmp_path))
    assert (again.config.positions, again.config.memory) == ("rope", True)


def test_composed_mul_tokens_are_the_mean_of_their_operands(known: PreTrainedTokenizerFast) -> None:
    plain = build(known, {}).transformer.wte.weight
    composed = build(known, {}, mul_token_embeddings="composed").transformer.wte.weight
    first = mul_token_ids(known).start
    assert torch.equal(plain[:first], composed[:first])
    digits = [i for i in range(first) if known.decode([i]).strip() in ("1", "2")]
    groups = [[i for i in digits if known.decode([i]).strip() == d] for d in "12"]
    wanted = torch.stack([plain[group].mean(0) for group in groups]).mean(0)
    assert torch.allclose(composed[first + 1], wanted, atol=1e-6)  # <MUL_1_2_2>
    assert len({tuple(row.tolist()) for row in composed[first:].detach()}) == 45


def test_bf16_decoding_is_near_the_model(built: GPT2LMHeadModel, known: PreTrainedTokenizerFast) -> None:
    prompts = [known.encode(text) for text in TEXTS]
    exact, rough = (
        Sampler(built, eos_id=-1, pad_id=known.pad_token_id, dtype=dtype).greedy(prompts, 1, 5)
        for dtype in (torch.float32, torch.bfloat16)
    )
    for one, other in zip(exact, rough, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=0.3)


@pytest.mark.parametrize("kind", ["small_bpe", "gpt2"])
def test_what_is_a_digit_and_what_is_a_result(kind: str, request: pytest.FixtureRequest) -> None:
    data_dir = request.getfixturevalue("data_dir") if kind == "gpt2" else Path()
    known = tokenizer.load(TokenizerSettings(kind=kind), lambda: iter(["a = 5 × 1"]), data_dir)
    text = "12 pens = 34 × 5 = 567 8 <MUL_7_8_56> <<2*3=6>>6"
    ids = torch.tensor([known.encode(text)])
    table = tokens.table(known)
    found = tokens.results(ids, table)[0]
    kept = [known.decode([i]).strip() for i, result in zip(ids[0].tolist(), found, strict=True) if result]
    assert "".join(kept) == "34567<MUL_7_8_56>6"
    counted = tokens.digit_positions(ids, table)[0].tolist()
    pairs = list(zip([known.decode([i]) for i in ids[0].tolist()], counted, strict=True))
    assert all((number == 0) == (not text.strip().isdigit()) for text, number in pairs)
    if kind == "small_bpe":
        digits = [(text.strip(), number) for text, number in pairs if number]
        numbers = ["12", "34", "5", "567", "8", "2", "3", "6", "6"]
        assert digits == [(digit, i) for number in numbers for i, digit in enumerate(number, start=1)]


def test_rotary_attention_depends_on_distances_only() -> None:
    x = torch.randn(2, 1, 2, 5, 8, generator=torch.Generator().manual_seed(0))

    def scores(first: int) -> Tensor:
        turned = positions.rotation(torch.arange(first, first + 5)[None], 8)
        return positions.rotated(x[0], turned) @ positions.rotated(x[1], turned).transpose(-1, -2)

    assert torch.allclose(scores(0), scores(7), atol=1e-5)
    assert not torch.allclose(scores(0), x[0] @ x[1].transpose(-1, -2), atol=1e-2)
