"""What the variants know about tokens: which are digits, which announce a result, which are one."""

import re

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from training.text.tokenizer import mul_token_ids, vocabulary_size

# rows of a token table
DIGITS = 0  # digits in the token; 0: not a part of a number
STARTS = 1  # begins a number whatever stands before it: it has the space before the number in it
MARK = 2  # a result stands behind it: it ends in "="
RESULT = 3  # a result by itself: a mul-token
BLANK = 4  # nothing but space, which may stand between a mark and its result
ROWS = 5

_NUMBER = re.compile(r"(\s?)(\d+)", re.ASCII)


def table(tokenizer: PreTrainedTokenizerFast) -> Tensor:
    """What each token is: (ROWS, vocabulary), int8."""
    ids = range(vocabulary_size(tokenizer))
    texts = tokenizer.backend_tokenizer.decode_batch([[i] for i in ids], skip_special_tokens=False)
    found = torch.zeros(ROWS, len(ids), dtype=torch.int8)
    for i, text in zip(ids, texts, strict=True):
        if number := _NUMBER.fullmatch(text):
            found[DIGITS, i] = len(number[2])
            found[STARTS, i] = bool(number[1])
        found[MARK, i] = text.rstrip().endswith("=")
        found[BLANK, i] = text.isspace()
    results = mul_token_ids(tokenizer)
    found[RESULT, results.start : results.stop] = 1
    return found


def digit_positions(ids: Tensor, table: Tensor) -> Tensor:
    """Index from 1 of each token's first digit in its number, 0 for what is not a number; (rows, columns).

    Abacus embeddings (McLeish et al., 2024, arXiv 2405.17399) count within each run of digits. There the numbers
    are written least significant digit first, so that the index is the digit's power of ten; in ordinary text the
    number's length is not known at its first digit, so a causal model can only count from the front.
    """
    digits = table[DIGITS][ids].long()
    before = digits.cumsum(1) - digits
    at_start = torch.where(_starts(ids, table), before, 0).cummax(1).values
    return torch.where(digits > 0, before - at_start + 1, 0)


def results(ids: Tensor, table: Tensor) -> Tensor:
    """Which tokens are intermediate results: every token of a number right behind "=", and mul-tokens; bool, as ids."""
    starts = _starts(ids, table)
    mark = table[MARK][ids] > 0
    mark |= (table[BLANK][ids] > 0) & _before(mark)
    announced = starts & _before(mark)
    column = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    start = torch.where(starts, column, 0).cummax(1).values
    in_result = (table[DIGITS][ids] > 0) & announced.gather(1, start)
    return in_result | (table[RESULT][ids] > 0)


def _starts(ids: Tensor, table: Tensor) -> Tensor:
    """Which tokens begin a number."""
    number = table[DIGITS][ids] > 0
    return number & ((table[STARTS][ids] > 0) | ~_before(number))


def _before(flags: Tensor) -> Tensor:
    """Each column's left neighbour."""
    return F.pad(flags[:, :-1], (1, 0))
