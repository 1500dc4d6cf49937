"""Examples → token rows, and the order in which a stage reads them."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from transformers import PreTrainedTokenizerFast

from training.data.example import Example
from training.data.kept import KeptTally
from training.settings.shared import TextForm
from training.text.reserved import text_ids, texts_ids

IGNORED = -100  # label of a position that is not learnt
BUCKET = 50  # batches whose rows are sorted by length together
DRAWS_PER_EXAMPLE = 20  # drawing stops here when nearly nothing fits
Kept = TypeVar("Kept")
Tick = Callable[[int, int], None]  # told how many are done, of how many; may raise to stop


def _no_tick(done: int, total: int) -> None:
    """Nobody wants to know."""


def encode(tokenizer: PreTrainedTokenizerFast, example: Example) -> tuple[list[int], list[int]]:
    """Ids and labels of an example: each turn's prompt, not learnt, its completion and end-of-text, learnt.

    Prompt and completion are encoded apart, as a prompt stands alone in generation. Reserved names that a text writes
    are text; of its completions' mul-tokens those count that injection or the model itself wrote.
    """
    ids: list[int] = []
    labels: list[int] = []
    for turn in example.turns:
        prompt = text_ids(tokenizer, turn.prompt)
        learnt = text_ids(tokenizer, turn.completion, with_mul_tokens=example.mul_tokens)
        completion = [*learnt, tokenizer.eos_token_id]
        ids += prompt + completion
        labels += [IGNORED] * len(prompt) + completion
    return ids, labels


def whole_texts(tokenizer: PreTrainedTokenizerFast, examples: Sequence[Example]) -> list[list[int]]:
    """The ids of each example as pre-training reads it: as encode() gives them, in one call of the tokenizer."""
    parts = [
        part
        for example in examples
        for turn in example.turns
        for part in ((turn.prompt, False), (turn.completion, example.mul_tokens))
    ]
    encoded = iter(texts_ids(tokenizer, parts))
    rows = []
    for example in examples:
        ids: list[int] = []
        for _ in example.turns:
            ids += next(encoded)
            ids += next(encoded)
            ids.append(tokenizer.eos_token_id)
        rows.append(ids)
    return rows


def fitting(
    tokenizer: PreTrainedTokenizerFast, example: Example, max_length: int, forms: Sequence[TextForm] = ()
) -> tuple[list[int], list[int]] | None:
    """Ids and labels of an example in the first form; None where it is longer than max_length in any of them.

    So conditions that write it differently keep it, or leave it out, together. Without forms it is taken as it is.
    """
    written = [example.written(form) for form in forms] or [example]
    encoded = [encode(tokenizer, text) for text in dict.fromkeys(written)]
    return encoded[0] if max(len(ids) for ids, _ in encoded) <= max_length else None


def supervised(
    tokenizer: PreTrainedTokenizerFast,
    examples: Iterable[Example],
    *,
    count: int,
    max_length: int,
    forms: Sequence[TextForm] = (),
    tally: KeptTally | None = None,
    tick: Tick = _no_tick,
) -> dict[str, list[list[int]]]:
    """Columns input_ids and labels of the first `count` examples that fit max_length; only completions are learnt.

    They are written in the first of the forms, and fit in all of them (see `fitting`); `tally` counts them.
    """

    def row(example: Example) -> tuple[list[int], list[int]] | None:
        found = fitting(tokenizer, example, max_length, forms)
        if tally is not None and found is None:
            tally.leave_out()
        elif tally is not None and found is not None:
            learnt = [label for label in found[1] if label != IGNORED]
            tally.keep(example, learnt, forms[0] if forms else None)
        return found

    rows = list(first_fitting(map(row, examples), count, f"max_length {max_length}", tick))
    return {"input_ids": [ids for ids, _ in rows], "labels": [labels for _, labels in rows]}


def first_fitting(
    drawn: Iterable[Kept | None], count: int, limit: str, tick: Tick = _no_tick
) -> Iterator[Kept]:
    """Yield the first `count` that are not None. Raises ValueError when too few of those drawn fit."""
    kept = 0
    for number, item in enumerate(drawn, start=1):
        if item is not None:
            kept += 1
            tick(kept, count)
            yield item
            if kept == count:
                return
        if number >= DRAWS_PER_EXAMPLE * count:
            break
    raise ValueError(f"only {kept} of {number} examples fit {limit}; raise it, or choose shorter data")


def batches(
    lengths: Sequence[int], *, batch_size: int, accumulation: int, epochs: int, seed: int
) -> list[list[int]]:
    """Row indices of each forward pass, every epoch in a new order, rows of like length together.

    `accumulation` passes make an optimizer step; an epoch's last step may be short, and none spans two epochs.
    """
    rng = random.Random(seed)
    plan: list[list[int]] = []
    per_step = batch_size * accumulation
    for _ in range(epochs):
        order = rng.sample(range(len(lengths)), len(lengths))
        rest = order[len(order) - len(order) % per_step :]
        order = order[: len(order) - len(rest)]
        bucketed: list[int] = []
        for start in range(0, len(order), BUCKET * batch_size):
            bucketed += sorted(order[start : start + BUCKET * batch_size], key=lambda i: lengths[i])
        passes = [bucketed[i : i + batch_size] for i in range(0, len(bucketed), batch_size)]
        rng.shuffle(passes)
        plan += passes
        if rest:
            plan += _short_step(rest, accumulation)
    return plan


def _short_step(rest: list[int], accumulation: int) -> list[list[int]]:
    """The rows that are left, over as many passes as every step has; too few rows are taken twice."""
    while len(rest) < accumulation:
        rest = rest + rest
    return [rest[i::accumulation] for i in range(accumulation)]
