"""Pre-training's tokens: made once for everybody who needs the same ones, kept as shards in the cache folder.

What the tokens depend on names the folder: the data's identity, each source's settings and share, the seed, the
tokenizer's content, how texts are written, and the versions of the code. How many are needed is not part of it: who
needs more goes on where the last one stopped. So attempts, experiments, and conditions that learn the same text
share a folder; one process at a time writes to it, and the others wait.
"""

import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from transformers import PreTrainedTokenizerFast

from training.data.encoding import Tick
from training.data.files import FilesSource
from training.data.identity import DataIdentity
from training.data.kept import KeptTally, SourceDose, scaled
from training.data.shards import Folder, Part, TokenRows, Writer, key
from training.data.token_mixture import MixtureText, TokenMixture
from training.settings.shared import TextForm
from training.settings.source import Source
from training.text import mul_tokens
from training.text.tokenizer import mul_token_ids

VERSION = 2  # raised when the same sources and settings yield other tokens (mixing, mul-tokens, scratchpad, encoding)
SHARD_TOKENS = 1 << 26  # 128 MiB at two bytes; what a kill costs at most
WAIT = 0.2  # seconds between looks at a folder that another process writes


@dataclass(frozen=True)
class Pretokenized:
    """Rows to learn from, and rows to validate on that no training text repeats."""

    key: str
    training: TokenRows
    validation: TokenRows | None
    texts: list[int]  # of each source, that the shards hold
    made: int  # tokens that this call made; 0: all were there
    sources: list[SourceDose]  # what is learnt of each; empty where tokens from before did not record it


@dataclass(frozen=True)
class Making:
    """What the tokens are made from."""

    sources: Sequence[Source]
    identities: Sequence[DataIdentity]
    seed: int
    data_dir: Path
    tokenizer: PreTrainedTokenizerFast
    form: TextForm  # in which its texts are written
    validation_tokens: int
    left_out: frozenset[str] = frozenset()  # prompts of problems that are asked while it trains

    @property
    def shares(self) -> list[float]:
        """Each source's share of the tokens."""
        total = sum(source.weight for source in self.sources)
        return [source.weight / total for source in self.sources]

    @property
    def texts(self) -> dict[str, object]:
        """Which texts are read, and in which order, whatever a condition writes them as."""
        prompts = json.dumps(sorted(self.left_out)).encode()
        left_out = {"left_out": hashlib.sha256(prompts).hexdigest()} if self.left_out else {}
        return left_out | {
            "seed": self.seed,
            "validation_tokens": self.validation_tokens,
            "sources": [
                {
                    # where the files lie says nothing about what they hold
                    "settings": source.model_dump(mode="json", exclude={"weight", "path", "hub", "revision"}),
                    "share": share,
                    "version": identity["version"],
                    "sha256": identity["sha256"],
                }
                for source, share, identity in zip(self.sources, self.shares, self.identities, strict=True)
            ],
        }

    @property
    def texts_sha256(self) -> str:
        """One hash of these texts: the same in conditions that read the same ones, the treated one perhaps further."""
        return hashlib.sha256(json.dumps(self.texts, sort_keys=True).encode()).hexdigest()


def rows(
    cache_dir: Path, making: Making, *, length: int, count: int, tick: Tick, shard_tokens: int = SHARD_TOKENS
) -> Pretokenized:
    """`count` training rows of `length` tokens, from the cache or made now.

    Raises ValueError where files are missing or the validation part holds no row, OSError when the disk is full.
    """
    made_of = _made_of(making)
    name = key(made_of)
    folder = Folder(cache_dir / "shards" / name, made_of, len(making.tokenizer))
    folder.load()
    before = _held(folder)
    if not _enough(folder, making, count * length):
        folder.path.mkdir(parents=True, exist_ok=True)
        needed = making.validation_tokens + count * length
        with _locked(folder.path.with_suffix(".lock"), lambda: tick(min(folder.seen(), needed), needed)):
            folder.load()  # somebody else may have made what is missing
            before = _held(folder)
            if not _enough(folder, making, count * length):
                folder.clear_unnamed()
                _make(
                    folder, making, count * length, lambda done: tick(min(done, needed), needed), shard_tokens
                )
    validation = TokenRows(folder, "validation", length) if making.validation_tokens else None
    if validation is not None and not len(validation):
        raise ValueError(
            f"validation_tokens {making.validation_tokens} hold no row of {length} tokens; raise them"
        )
    return Pretokenized(
        name,
        TokenRows(folder, "training", length, count),
        validation,
        folder.manifest.shards[-1].drawn,
        _held(folder) - before,
        _sources(folder, count * length),
    )


def _sources(folder: Folder, tokens: int) -> list[SourceDose]:
    """What the first so many training tokens hold of each source: that of the shards with them, in proportion."""
    shards, left = [], tokens
    for shard in folder.manifest.of("training"):
        if left > 0:
            shards.append(shard)
            left -= shard.tokens
    part = tokens / (tokens - left)
    if not all(shard.sources for shard in shards):
        return []
    return scaled([cast("SourceDose", dose) for shard in shards for dose in shard.sources], part)


def _made_of(making: Making) -> dict[str, object]:
    return {
        "version": VERSION,
        "tokenizer": hashlib.sha256(making.tokenizer.backend_tokenizer.to_str().encode()).hexdigest(),
        "inject": making.form.inject and mul_tokens.VERSION,
        "format": making.form.format,
        **making.texts,
    }


def _held(folder: Folder) -> int:
    return folder.manifest.tokens("validation") + folder.manifest.tokens("training")


def _enough(folder: Folder, making: Making, training_tokens: int) -> bool:
    validated = not making.validation_tokens or bool(folder.manifest.of("validation"))
    return validated and folder.manifest.tokens("training") >= training_tokens


def _make(
    folder: Folder, making: Making, training_tokens: int, tick: Callable[[int], None], shard_tokens: int
) -> None:
    """Go on behind the last shard: first the validation part, one shard, then as many training tokens as are needed."""
    last = folder.manifest.shards[-1] if folder.manifest.shards else None
    nothing = [0] * len(making.sources)
    mixture = TokenMixture(
        pinned(making),
        making.shares,
        seed=making.seed,
        data_dir=making.data_dir,
        tokenizer=making.tokenizer,
        form=making.form,
        measured=len(making.sources) > 1 or making.validation_tokens > 0,
        drawn=last.drawn if last else nothing,
        sizes=last.sizes if last else nothing,
        left_out=making.left_out,
    )
    if making.validation_tokens and last is None:
        held_out: set[int] = set()
        with _shard(folder, "validation", mixture) as writer:
            while sum(mixture.sizes) < making.validation_tokens:
                text = mixture.take(held_out)
                held_out.add(text.key)
                writer.append(text)
                tick(writer.tokens)
            folder.hold_out(held_out)
    held_out = folder.held_out()
    while (missing := training_tokens - folder.manifest.tokens("training")) > 0:
        before = _held(folder)
        with _shard(folder, "training", mixture) as writer:
            while writer.tokens < min(missing, shard_tokens):
                writer.append(mixture.take(held_out))
                tick(before + writer.tokens)


def pinned(making: Making) -> list[Source]:
    """The sources, the hub's at the commit that names the folder."""
    return [
        source.model_copy(update={"revision": identity["revision"]})
        if isinstance(source, FilesSource) and source.hub
        else source
        for source, identity in zip(making.sources, making.identities, strict=True)
    ]


class _TextWriter:
    """Writes the texts of one shard, and counts what is in them."""

    def __init__(self, writer: Writer, mixture: TokenMixture) -> None:
        self.writer, self.mixture = writer, mixture
        self.tally = KeptTally("train", ids=mul_token_ids(mixture.tokenizer))

    @property
    def tokens(self) -> int:
        """Written so far."""
        return self.writer.tokens

    def append(self, text: MixtureText) -> None:
        """Write and count a text."""
        self.writer.append(text.ids)
        self.tally.keep(text.example, text.ids, self.mixture.form)


@contextmanager
def _shard(folder: Folder, part: Part, mixture: TokenMixture) -> Iterator[_TextWriter]:
    """Yield the writer of the next shard; it counts when the block ends without an error, else nothing of it stays."""
    writer = Writer(folder, part)
    texts = _TextWriter(writer, mixture)
    try:
        yield texts
        writer.close(mixture.texts_taken, mixture.sizes, texts.tally.record()["sources"])
    except BaseException:
        writer.drop()
        raise


@contextmanager
def _locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a file's lock, which ends with the process; calls `waiting` while another holds it."""
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waiting()
                time.sleep(WAIT)
        yield
