"""Reserved entries of a vocabulary: text that merely writes their names stays text, and which of them nothing teaches.

A tokenizer reads the name of an added token, such as `<|endoftext|>`, as that token, wherever it stands. In a text that
came from elsewhere it is a name and nothing else; only injection puts mul-tokens into a text.
"""

import re
from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from training.text.mul_tokens import TOKEN
from training.text.tokenizer import UNUSED, mul_token_ids

_UNUSED = re.compile(re.escape(UNUSED).replace(r"\{\}", r"\d+"))


def text_ids(tokenizer: PreTrainedTokenizerFast, text: str, *, with_mul_tokens: bool = False) -> list[int]:
    """Return the ids of a text in which reserved names are text, or, with_mul_tokens, all but those of mul-tokens."""
    plain = _text_alone(tokenizer)
    ids: list[int] = []
    for piece in _pieces(tokenizer, text, with_mul_tokens):
        ids += [piece] if isinstance(piece, int) else plain.encode(piece, add_special_tokens=False).ids
    return ids


def texts_ids(tokenizer: PreTrainedTokenizerFast, texts: Iterable[tuple[str, bool]]) -> list[list[int]]:
    """Return the ids of many texts, each with its with_mul_tokens, in one call of the tokenizer."""
    split = [_pieces(tokenizer, text, with_mul_tokens) for text, with_mul_tokens in texts]
    written = [piece for pieces in split for piece in pieces if isinstance(piece, str)]
    encoded = iter(_text_alone(tokenizer).encode_batch_fast(written, add_special_tokens=False))
    rows = []
    for pieces in split:
        ids: list[int] = []
        for piece in pieces:
            ids += [piece] if isinstance(piece, int) else next(encoded).ids
        rows.append(ids)
    return rows


def never_learnt(tokenizer: PreTrainedTokenizerFast, entries: int, *, learnt_mul_tokens: bool) -> list[int]:
    """Return the ids, of so many entries, that no training text holds: padding, unused entries, mul-tokens not learnt.

    What a model has beyond its tokenizer's entries is among them.
    """
    added = tokenizer.backend_tokenizer.get_added_tokens_decoder()
    found = {i for i, token in added.items() if _UNUSED.fullmatch(token.content)}
    if tokenizer.pad_token_id is not None and tokenizer.pad_token_id != tokenizer.eos_token_id:
        found.add(tokenizer.pad_token_id)
    if not learnt_mul_tokens:
        found |= set(mul_token_ids(tokenizer))
    return sorted(i for i in found | set(range(len(tokenizer), entries)) if i < entries)


def _text_alone(tokenizer: PreTrainedTokenizerFast) -> Tokenizer:
    """The tokenizer without its added tokens; it shares the model's memory."""
    whole = tokenizer.backend_tokenizer
    alone = Tokenizer(whole.model)
    if whole.normalizer is not None:
        alone.normalizer = whole.normalizer
    alone.pre_tokenizer = whole.pre_tokenizer
    return alone


def _pieces(tokenizer: PreTrainedTokenizerFast, text: str, with_mul_tokens: bool) -> Sequence[str | int]:
    """The text, cut at its mul-tokens, which stand as their ids."""
    if not with_mul_tokens or "<MUL_" not in text:
        return [text]
    reserved, done = mul_token_ids(tokenizer), 0
    pieces: list[str | int] = []
    for found in TOKEN.finditer(text):
        id_ = tokenizer.convert_tokens_to_ids(found[0])
        if id_ not in reserved:  # a name with another result
            continue
        if found.start() > done:
            pieces.append(text[done : found.start()])
        pieces.append(id_)
        done = found.end()
    return [*pieces, text[done:]] if done < len(text) else pieces
