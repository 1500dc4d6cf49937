"""Texts of several sources as tokens, so mixed that each source's share of the tokens is its weight.

The next text comes from the source that lies furthest behind its share; nothing is drawn by chance, so the shares are
right to one text at every length. Tokens are counted in the text as the source has it, before mul-tokens go in, so
that conditions read the same texts in the same order.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from training.data import encoding
from training.data.example import Example
from training.data.mixture import cycled
from training.settings.shared import TextForm
from training.settings.source import Source

TEXTS, CHARACTERS = 512, 1 << 20  # that are tokenized together, at most; one text may be longer
SKIPPED = 1_000  # held-out texts in a row beyond their number, after which a source holds no others


@dataclass(frozen=True)
class MixtureText:
    """One text of a mixture."""

    ids: list[int]  # as it is learnt, with its end-of-text
    size: int  # tokens of the text as the source has it
    key: int  # 64 bits of the SHA-256 of that text
    example: Example  # as its source has it


class TokenMixture:
    """The endless sequence of texts of a mixture, from any place on."""

    def __init__(
        self,
        sources: Sequence[Source],
        shares: Sequence[float],
        *,
        seed: int,
        data_dir: Path,
        tokenizer: PreTrainedTokenizerFast,
        form: TextForm,
        measured: bool,
        drawn: Sequence[int],
        sizes: Sequence[int],
        left_out: frozenset[str] = frozenset(),
    ) -> None:
        """`form` is how examples are written that are learnt; `drawn` and `sizes` say where to go on.

        Examples of prompts that are `left_out` are read and passed over.

        Unless `measured`, sizes are those of what is learnt: tokenizing twice is for nothing where nothing is shared.
        """
        self.sources, self.shares, self.tokenizer, self.form = sources, shares, tokenizer, form
        self.measured, self.left_out = measured, left_out
        self.texts_taken, self.sizes = list(drawn), list(sizes)
        self._streams = [
            self._texts(source.source, cycled(source, place, seed, data_dir, skip))
            for place, (source, skip) in enumerate(zip(sources, drawn, strict=True))
        ]

    def take(self, held_out: set[int]) -> MixtureText:
        """The next text whose key is not held out. Raises ValueError when a source has no others."""
        place = min(range(len(self.sources)), key=lambda i: self.sizes[i] / self.shares[i])
        for text in islice(self._streams[place], len(held_out) + len(self.left_out) + SKIPPED):
            self.texts_taken[place] += 1
            if text.key not in held_out and text.example.prompt not in self.left_out:
                self.sizes[place] += text.size
                return text
        raise ValueError(
            f"validation_tokens take every text of the source {self.sources[place].source}; lower them, or give more text"
        )

    def _texts(self, source: str, examples: Iterator[Example]) -> Iterator[MixtureText]:
        for plain in _together(examples):
            written = [example.written(self.form) for example in plain]
            ids = encoding.whole_texts(self.tokenizer, written)
            sizes = [len(tokens) for tokens in ids]
            if self.measured:
                other = [place for place, example in enumerate(plain) if example != written[place]]
                encoded = encoding.whole_texts(self.tokenizer, [plain[place] for place in other])
                for place, tokens in zip(other, encoded, strict=True):
                    sizes[place] = len(tokens)
            for example, tokens, size in zip(plain, ids, sizes, strict=True):
                yield MixtureText(tokens, size, _key(example), replace(example, source=source))


def _key(example: Example) -> int:
    return int.from_bytes(example.digest[:8], "little")


def _together(examples: Iterable[Example]) -> Iterator[list[Example]]:
    """Groups of texts, bounded in number and in characters."""
    group: list[Example] = []
    characters = 0
    for example in examples:
        group.append(example)
        characters += len(example.text)
        if len(group) == TEXTS or characters >= CHARACTERS:
            yield group
            group, characters = [], 0
    yield group
