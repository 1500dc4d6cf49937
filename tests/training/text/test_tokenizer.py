"""Both tokenizers: the ids of the reserved block, mul-tokens that stay visible, and padding that is not the end."""

from pathlib import Path

import pytest

from training.data.mixture import texts
from training.data.sources.statements import StatementsSource
from training.data.sources.word_problems import WordProblemsSource
from training.settings.shared import TokenizerSettings
from training.text.mul_tokens import TOKENS, count
from training.text.tokenizer import from_checkpoint, load, mul_token_ids, vocabulary_size

SOURCES = [
    StatementsSource(source="statements"),
    WordProblemsSource(source="word_problems", phrasing="mixed"),
]
TEXT = "User: Ben has 3 jars…\nAssistant: 7 × 8 = <MUL_7_8_56>\n#### 56"


def corpus():
    return texts(SOURCES, 2000, seed=0, data_dir=Path())


@pytest.fixture(params=["small_bpe", "gpt2"])
def tokenizer(request):
    data_dir = request.getfixturevalue("data_dir") if request.param == "gpt2" else Path()
    return load(TokenizerSettings(kind=request.param), corpus, data_dir)


def test_mul_tokens_are_one_id_each_and_stay_visible(tokenizer):
    ids = mul_token_ids(tokenizer)
    assert tokenizer.convert_tokens_to_ids(list(TOKENS)) == list(ids)
    assert ids[-1] == vocabulary_size(tokenizer) - 1
    encoded = tokenizer(TEXT).input_ids
    assert count(encoded, ids[0]) == 1
    assert tokenizer.decode(encoded, skip_special_tokens=True) == TEXT
    every = "".join(TOKENS)
    assert tokenizer(every).input_ids == list(ids)
    assert tokenizer.decode(list(ids), skip_special_tokens=True) == every


def test_padding_is_not_the_end_of_text(tokenizer):
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    ids = [*tokenizer("a").input_ids, tokenizer.eos_token_id, tokenizer.pad_token_id]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "a"
    assert tokenizer(f"a{tokenizer.eos_token}").input_ids == ids[:-1]


def test_a_saved_tokenizer_is_the_same(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    again = from_checkpoint(tmp_path)
    assert again.get_vocab() == tokenizer.get_vocab()
    assert (again.eos_token_id, again.pad_token_id) == (tokenizer.eos_token_id, tokenizer.pad_token_id)
    assert again(TEXT).input_ids == tokenizer(TEXT).input_ids
    assert again.decode(again(TEXT).input_ids, skip_special_tokens=True) == TEXT
    assert mul_token_ids(again) == mul_token_ids(tokenizer)


def test_gpt2_has_the_published_ids(data_dir):
    tokenizer = load(TokenizerSettings(kind="gpt2", path="gpt2"), corpus, data_dir)
    assert vocabulary_size(tokenizer) == 50349
    assert mul_token_ids(tokenizer) == range(50304, 50349)
    assert tokenizer.eos_token_id == 50256
    assert 50257 <= tokenizer.pad_token_id < 50304
    assert tokenizer("Hello world, 12 × 3!").input_ids == [15496, 995, 11, 1105, 13958, 513, 0]


def test_small_bpe_has_the_size_that_is_set_and_single_digits():
    tokenizer = load(TokenizerSettings(entries=648), corpus, Path())
    assert vocabulary_size(tokenizer) == 648
    assert mul_token_ids(tokenizer) == range(603, 648)
    assert tokenizer.tokenize(" 1234567890")[1:] == list("234567890")
    assert tokenizer.tokenize("a 7 × 8 = 56")[-6:] == ["Ġ7", "ĠÃĹ", "Ġ8", "Ġ=", "Ġ5", "6"]
    for entry in set(tokenizer.get_vocab()) - set(TOKENS):
        assert sum(c.isdigit() for c in entry) <= 1 or entry.startswith("<|unused")


def test_small_bpe_is_the_same_each_time():
    first = load(TokenizerSettings(), corpus, Path())
    second = load(TokenizerSettings(), corpus, Path())
    assert first.get_vocab() == second.get_vocab()
    assert first.backend_tokenizer.to_str() == second.backend_tokenizer.to_str()


def test_a_small_corpus_leaves_unused_entries():
    tokenizer = load(TokenizerSettings(entries=648), lambda: iter(["a tiny corpus"]), Path())
    assert vocabulary_size(tokenizer) == 648
    assert mul_token_ids(tokenizer) == range(603, 648)


def test_missing_files_are_explained(tmp_path):
    with pytest.raises(ValueError, match="set MULBERRY_DATA to the data folder"):
        load(TokenizerSettings(kind="gpt2"), corpus, tmp_path)
