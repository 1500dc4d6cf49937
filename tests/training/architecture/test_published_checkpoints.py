"""Models in the published format are started from and evaluated: tied embeddings, GPT-2's BPE, mul-tokens at 50304."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from tests.training.conftest import Stages
from tests.training.solved import RECIPE as SOLVED
from training.architecture import model
from training.process import checkpoints
from training.settings.shared import ModelSettings, TokenizerSettings
from training.text import tokenizer
from training.text.mul_tokens import TOKENS

pytestmark = pytest.mark.slow

GPT2 = [("tokenizer.kind", "gpt2"), ("tokenizer.path", "gpt2")]
UNUSED = {f"<|unused_{i}|>": i for i in range(50257, 50304)}
MUL_TOKENS = {text: 50304 + i for i, text in enumerate(TOKENS)}


def two_files(folder: Path, data: Path, added: dict[str, int]) -> None:
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(data / "gpt2" / name, folder)
    if added:
        (folder / "added_tokens.json").write_text(json.dumps(added))


def one_file(folder: Path, data: Path, added: dict[str, int]) -> None:
    made = Tokenizer(
        models.BPE.from_file(*(str(data / "gpt2" / name) for name in ("vocab.json", "merges.txt")))
    )
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    content = json.loads(made.to_str())
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    content["added_tokens"] += [{"id": i, "content": text, **plain} for text, i in added.items()]
    (folder / "tokenizer.json").write_text(json.dumps(content))


def nothing(folder: Path, data: Path, added: dict[str, int]) -> None:
    """Weights alone."""


def published(folder: Path, entries: int) -> GPT2LMHeadModel:
    """A small GPT-2 as transformers saves it, its logits as far below 0 as a trained one's."""
    torch.manual_seed(3)
    config = GPT2Config(
        vocab_size=entries, n_positions=96, n_embd=16, n_layer=1, n_head=2, initializer_range=0.02
    )
    made = GPT2LMHeadModel(config)
    with torch.no_grad():
        made.transformer.ln_f.bias.fill_(4.0)
        made.transformer.wte.weight -= 2.0
    made.save_pretrained(folder)
    return made


@pytest.mark.parametrize(
    ("files", "added"),
    [
        (two_files, UNUSED | MUL_TOKENS),
        (two_files, MUL_TOKENS),  # loading a gap moves the ids: such a tokenizer must not be used as it is
        (one_file, MUL_TOKENS),
        (one_file, {}),
        (two_files, {}),
        (nothing, {}),
    ],
)
def test_the_tokenizer_has_the_published_ids_however_it_was_saved(
    tmp_path: Path, data_dir: Path, files: Callable[..., None], added: dict[str, int]
) -> None:
    published(tmp_path, 50_349)
    files(tmp_path, data_dir, added)
    settings = TokenizerSettings(kind="gpt2", path="gpt2")
    found = tokenizer.of_start(
        str(tmp_path), model.entries(tmp_path), lambda: tokenizer.load(settings, lambda: iter(()), data_dir)
    )
    assert tokenizer.vocabulary_size(found) == 50_349
    assert tokenizer.mul_token_ids(found) == range(50_304, 50_349)
    assert found.pad_token_id != found.eos_token_id == 50_256
    ids = found.encode("7 × 8 = <MUL_7_8_56>")
    assert ids[-1] == 50_304 + TOKENS.index("<MUL_7_8_56>")
    assert found.decode(ids, skip_special_tokens=True) == "7 × 8 = <MUL_7_8_56>"


def test_a_whole_tokenizer_is_taken_as_it_is(tmp_path: Path, finished: dict[str, Any]) -> None:
    """Whatever the recipe's: ids of another one would be other words."""
    shutil.copytree(finished["sft"].checkpoints / "final", tmp_path / "start")
    own = tokenizer.from_checkpoint(tmp_path / "start")

    def never() -> PreTrainedTokenizerFast:
        raise AssertionError("the recipe's is not needed")

    found = tokenizer.of_start(str(tmp_path / "start"), model.entries(tmp_path / "start"), never)
    assert found.get_vocab() == own.get_vocab()


def test_another_vocabulary_than_the_recipes_is_refused(tmp_path: Path, data_dir: Path) -> None:
    published(tmp_path, 50_349)
    one_file(tmp_path, data_dir, MUL_TOKENS)
    small = tokenizer.load(TokenizerSettings(entries=400), lambda: iter(["a corpus"]), data_dir)
    with pytest.raises(ValueError, match=r"another one than the recipe's; choose tokenizer\.kind gpt2"):
        tokenizer.of_start(str(tmp_path), 50_349, lambda: small)


def test_new_entries_are_not_the_likeliest_ones(tmp_path: Path) -> None:
    published(tmp_path, 50_257)
    grown = model.build(ModelSettings(start_from=str(tmp_path)), 50_349, eos_id=50_256, pad_id=50_257, seed=0)
    with torch.no_grad():
        logits = grown(torch.arange(40).view(2, 20)).logits
    assert logits.max() < -50
    assert logits.argmax(-1).max() < 50_257


@pytest.mark.parametrize("entries", [50_257, 50_349])
def test_a_published_model_is_evaluated_as_it_is(
    tmp_path: Path, data_dir: Path, stages: Stages, entries: int
) -> None:
    made = published(tmp_path, entries)
    two_files(tmp_path, data_dir, MUL_TOKENS if entries == 50_349 else {})
    start = [("model.start_from", str(tmp_path)), ("stages.again.after", None)]
    stage = stages.make("again_run", "again", changes=[*GPT2, *start])
    assert stage.run() == 0, stage.journal.records("finished")
    rows = [row for record in stage.journal.records("outcomes") for row in record["rows"]]
    assert len(rows) == 7
    words = tokenizer.load(TokenizerSettings(kind="gpt2", path="gpt2"), lambda: iter(()), data_dir)
    first = rows[0]
    ids = torch.tensor([words.encode(first["prompt"])])
    with torch.no_grad():
        likeliest = int(made.eval()(ids).logits[0, -1].argmax())
    assert first["completion"].startswith(words.decode([likeliest]))
    assert stage.journal.records("checkpoint") == []  # nothing of its own


def test_training_goes_on_from_a_published_model(tmp_path: Path, data_dir: Path, stages: Stages) -> None:
    published(tmp_path, 50_349)
    with safe_open(tmp_path / "model.safetensors", "pt") as weights:
        assert not any("lm_head" in name for name in weights.keys())  # noqa: SIM118 - tied to the embedding
    two_files(tmp_path, data_dir, MUL_TOKENS)
    start = [("model.start_from", str(tmp_path)), ("stages.sft.after", None)]
    stage = stages.make("sft_run", "sft", condition="mul_tokens", changes=[*GPT2, *start])
    assert stage.run() == 0, stage.journal.records("finished")
    final = checkpoints.Own(stage.checkpoints).final()
    assert final is not None
    trained, words = model.load(final.path), tokenizer.from_checkpoint(final.path)
    assert trained.config.vocab_size == tokenizer.vocabulary_size(words) == 50_349
    assert tokenizer.mul_token_ids(words) == range(50_304, 50_349)
    assert trained.get_output_embeddings().weight is trained.get_input_embeddings().weight


@pytest.mark.parametrize("entries", [50_257, 50_349])
def test_a_published_model_can_be_asked_as_a_teacher(
    tmp_path: Path, data_dir: Path, stages: Stages, entries: int
) -> None:
    published(tmp_path, entries)
    two_files(tmp_path, data_dir, MUL_TOKENS if entries == 50_349 else {})
    changes = [
        *GPT2,
        ("stages.distill.teacher.checkpoint", str(tmp_path)),
        ("stages.distill.after", None),
        ("stages.distill.max_new_tokens", 4),
    ]
    stage = stages.make("taught", "distill", changes=changes, data=SOLVED)
    assert stage.run() == 1
    (finished,) = stage.journal.records("finished")  # it knows nothing, but was asked
    assert "completions are right, 0 were kept" in finished["hint"], finished
