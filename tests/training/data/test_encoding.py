"""Rows and their order: only completions are learnt, the end of text too; every row once an epoch."""

from collections import Counter
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from training.data import encoding
from training.data.example import Example, Turn
from training.engine.trainers import right_padded
from training.settings.shared import TokenizerSettings
from training.text import tokenizer


@pytest.fixture(scope="module")
def tokens(data_dir: Path) -> PreTrainedTokenizerFast:
    return tokenizer.load(TokenizerSettings(entries=400), lambda: iter(["What is 7 × 8?"]), data_dir)


def test_the_end_of_text_is_learnt_and_prompt_and_padding_are_not(tokens: PreTrainedTokenizerFast) -> None:
    examples = [Example("What is 7 × 8?", " 56"), Example("", " A longer text without a prompt.")]
    columns = encoding.supervised(tokens, examples, count=2, max_length=96)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    batch = right_padded(rows, tokens.pad_token_id)
    first = batch["labels"][0]
    learnt = first[first != encoding.IGNORED].tolist()
    assert tokens.decode(learnt) == " 56" + tokens.eos_token
    assert batch["attention_mask"][0].sum() == len(rows[0]["input_ids"]) < batch["input_ids"].shape[1]
    assert tokens.pad_token_id != tokens.eos_token_id


def test_the_end_of_text_is_learnt_even_where_it_is_the_padding(tokens: PreTrainedTokenizerFast) -> None:
    """What is learnt is decided by spans of tokens, never by an id."""
    end = tokens.eos_token_id
    columns = encoding.supervised(
        tokens, [Example("7?", " 7"), Example("Seven?", " " * 20)], count=2, max_length=96
    )
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    batch = right_padded(rows, end)
    for row, labels, mask in zip(rows, batch["labels"], batch["attention_mask"], strict=True):
        length = len(row["input_ids"])
        assert labels[length - 1] == end
        assert (labels[length:] == encoding.IGNORED).all()
        assert (labels == end).sum() == 1
        assert mask.tolist() == [1] * length + [0] * (len(mask) - length)


def test_what_is_too_long_is_left_out_and_nothing_fitting_is_an_error(
    tokens: PreTrainedTokenizerFast,
) -> None:
    long, short = Example("", "seven " * 50), Example("", "7")
    columns = encoding.supervised(tokens, [long, short, long, short], count=2, max_length=20)
    assert [len(ids) for ids in columns["input_ids"]] == [2, 2]
    with pytest.raises(ValueError, match="only 0 of 20 examples fit max_length 20"):
        encoding.supervised(tokens, [long] * 100, count=1, max_length=20)


def test_whole_texts_are_what_encode_gives_one_by_one(tokens: PreTrainedTokenizerFast) -> None:
    earlier = (Turn("What is 2 + 2?", " 4"), Turn("And 3 × 3?", " 9"))
    examples = [
        Example("What is 7 × 8?", " 56", earlier=earlier),
        Example("", "Running text."),
        Example("", ""),
    ]
    ids = encoding.whole_texts(tokens, examples)
    assert ids == [encoding.encode(tokens, example)[0] for example in examples]
    assert tokens.decode(ids[0]).count(tokens.eos_token) == 3
    assert encoding.whole_texts(tokens, []) == []


@pytest.mark.parametrize(("rows", "accumulation"), [(64, 1), (67, 1), (67, 3), (61, 4)])
def test_every_row_once_an_epoch_in_whole_steps(rows: int, accumulation: int) -> None:
    lengths = [i % 13 + 1 for i in range(rows)]
    plan = encoding.batches(lengths, batch_size=4, accumulation=accumulation, epochs=2, seed=0)
    steps = -(-rows // (4 * accumulation))
    assert len(plan) == 2 * steps * accumulation
    half = len(plan) // 2
    for epoch in (plan[:half], plan[half:]):
        seen = Counter(row for batch in epoch for row in batch)
        assert set(seen) == set(range(rows))
        assert sum(seen.values()) - rows < accumulation  # at most the short step's rows come twice
    assert plan[:half] != plan[half:]


def test_rows_of_like_length_go_together() -> None:
    lengths = [i * 37 % 100 for i in range(1000)]
    plan = encoding.batches(lengths, batch_size=10, accumulation=1, epochs=1, seed=0)
    spread = [max(lengths[i] for i in batch) - min(lengths[i] for i in batch) for batch in plan]
    assert sum(spread) / len(spread) < 5
