"""Examples from several sources, mixed by weight; what pre-training reads is mixed in token_mixture.py."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

from training.data.example import Example
from training.data.files import FilesSource, count_rows
from training.data.identity import files_of
from training.data.sources import SOURCES
from training.settings.source import Source


def stream(
    sources: Sequence[Any],
    *,
    seed: int,
    data_dir: Path,
    skip: int = 0,
    watch: Callable[[int, Example], None] | None = None,
) -> Iterator[Example]:
    """Yield examples without end, each from a source drawn by weight; the same for the same seed.

    A finite source starts again after its end, in a new order. They are as the sources have them, not as a
    condition writes them. With `skip` the stream begins so many examples later: the files of the seekable
    sources are not read up to there, other sources draw again what they have drawn. `watch` is told of each example, as the
    source has it, with the place of its source.
    Raises ValueError where a source's files are missing.
    """
    rng = random.Random(f"mixture {seed}")
    weights = [source.weight for source in sources]
    passed = Counter(rng.choices(range(len(sources)), weights)[0] for _ in range(skip))
    endless = [cycled(source, place, seed, data_dir, passed[place]) for place, source in enumerate(sources)]
    places = range(len(sources))
    while True:
        place = rng.choices(places, weights)[0]
        example = next(endless[place])
        if watch is not None:
            watch(place, example)
        yield replace(example, source=sources[place].source)


def texts(sources: Sequence[Any], count: int, *, seed: int, data_dir: Path) -> Iterator[str]:
    """Yield prompt and completion of `count` examples as one text, not injected: a tokenizer's corpus."""
    for example in islice(stream(sources, seed=seed, data_dir=data_dir), count):
        yield example.text


def cycled(source: Source, place: int, seed: int, data_dir: Path, skip: int) -> Iterator[Example]:
    """The source's examples from the `skip`-th on, again and again; `place` is its number in the mixture."""
    if not (isinstance(source, FilesSource) and source.seekable):
        return islice(_passes(source, place, seed, data_dir, 0, 0), skip, None)
    rows = count_rows(source, data_dir=data_dir) if skip else None
    first, skip = divmod(skip, rows) if rows else (0, skip)  # length unknown: more than anybody draws
    return _passes(source, place, seed, data_dir, first, skip)


def _passes(
    source: Source, place: int, seed: int, data_dir: Path, first: int, skip: int
) -> Iterator[Example]:
    """The source's examples, pass after pass from number `first` on, that one from its `skip`-th example on."""
    for cycle in count(first):
        # Two entries of one source in a mixture must not yield the same examples, nor two passes the same order.
        own_seed = random.Random(f"{seed} {place} {cycle}").getrandbits(32)
        start = {"skip": skip} if skip and cycle == first else {}
        empty = True
        for example in SOURCES[source.source](source, seed=own_seed, data_dir=data_dir, **start):
            empty = False
            yield example
        if empty:
            raise ValueError(
                no_example(source, data_dir)
                if not start
                else f"the source {source.source} ended before its example {skip}; give it from local files"
            )


def no_example(source: Source, data_dir: Path) -> str:
    """Return what to say of a source that yields nothing: its files may be empty, or its settings too narrow."""
    found = [] if source.streams() else files_of(source, data_dir)
    place = f" in {found[0] if len(found) == 1 else found[0].parent}" if found else ""
    return f"the source {source.source} has no example{place} under these settings; loosen them{', or get the file again' if place else ''}"
