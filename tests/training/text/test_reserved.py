"""Names of reserved entries that a text writes are text; mul-tokens that injection wrote are tokens."""

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from training.data import encoding
from training.data.example import Example, Turn
from training.settings.shared import TokenizerSettings
from training.text import tokenizer
from training.text.reserved import text_ids, texts_ids
from training.text.tokenizer import mul_token_ids

NAMES = ["<|endoftext|>", "<|pad|>", "<|unused_50300|>", "<MUL_6_9_54>", "<eos>", "<pad>", "<|unused_350|>"]
ORDINARY = [
    "What is 7 × 8?",
    " It is 56.\n#### 56",
    "",
    "Zürich, 東京, 😀  and   spaces\n\n",
    "a<b <MUL_6_9_55> <MUL_ 3*4=12",
]


@pytest.fixture(scope="module", params=["gpt2", "small_bpe"])
def tokens(request: pytest.FixtureRequest, data_dir: Path) -> PreTrainedTokenizerFast:
    settings = TokenizerSettings(kind=request.param, entries=400)
    return tokenizer.load(settings, lambda: iter(ORDINARY + NAMES), data_dir)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_text_is_read_as_its_letters(tokens: PreTrainedTokenizerFast, name: str) -> None:
    text = f"The mark {name} ends it. "
    ids = text_ids(tokens, text)
    reserved = set(tokens.backend_tokenizer.get_added_tokens_decoder())
    assert not reserved & set(ids)
    assert tokens.decode(ids) == text, "nothing is lost"


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_has_the_tokens_that_it_had(tokens: PreTrainedTokenizerFast, text: str) -> None:
    expected = tokens.encode(text, add_special_tokens=False)
    assert text_ids(tokens, text) == text_ids(tokens, text, with_mul_tokens=True) == expected


def test_injections_tokens_are_tokens_and_other_names_beside_them_are_not(
    tokens: PreTrainedTokenizerFast,
) -> None:
    text = "<MUL_6_9_54> is 6 × 9, <MUL_6_9_55> nothing<MUL_7_8_56><|pad|>\n#### 54"
    ids = text_ids(tokens, text, with_mul_tokens=True)
    reserved = set(tokens.backend_tokenizer.get_added_tokens_decoder())
    assert len([i for i in ids if i in reserved]) == len([i for i in ids if i in mul_token_ids(tokens)]) == 2
    assert tokens.decode(ids) == text
    assert texts_ids(tokens, [(text, True), (text, False), ("", True)]) == [ids, text_ids(tokens, text), []]


def test_an_example_ends_once_and_its_prompt_is_text(tokens: PreTrainedTokenizerFast) -> None:
    example = Example(
        "Say <|endoftext|> or <MUL_2_3_6>:<eos>",
        " 2*3=6, and <|endoftext|> or <eos>",
        earlier=(Turn("<pad>", " 7*8=56"),),
    )
    written = example.injected()
    assert written.completion.startswith(" <MUL_2_3_6>, and")
    ids, labels = encoding.encode(tokens, written)
    assert ids == encoding.whole_texts(tokens, [written])[0]
    assert ids.count(tokens.eos_token_id) == labels.count(tokens.eos_token_id) == 2  # one a turn
    assert tokens.pad_token_id not in ids
    assert [i for i in ids if i in mul_token_ids(tokens)] == [i for i in labels if i in mul_token_ids(tokens)]
    assert sum(i in mul_token_ids(tokens) for i in ids) == 2


def test_a_text_that_writes_a_mul_tokens_name_itself_is_left_as_it_is(
    tokens: PreTrainedTokenizerFast,
) -> None:
    example = Example("", "Write <MUL_2_3_6> for 2*3=6.")
    assert example.injected() is example
    assert not set(encoding.encode(tokens, example)[0]) & set(mul_token_ids(tokens))
    own = Example("", "It is <MUL_2_3_6>, and 7*8=56.", mul_tokens=True)  # a model's own, as it generated it
    assert own.injected().completion == "It is <MUL_2_3_6>, and <MUL_7_8_56>."
    ids = encoding.encode(tokens, own.injected())[0]
    assert sum(i in mul_token_ids(tokens) for i in ids) == 2
