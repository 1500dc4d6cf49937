"""Token shards against datasets.Dataset and against packing anew: same tokens, same batches, one process, in turn.

python -m benchmarks.shards [--rows 4096] [--length 1024] [--batch 32] [--rounds 7]
"""

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset, disable_progress_bars, load_from_disk

from training.data import identity, mixture, pretokenized
from training.data.pretokenized import Making, Pretokenized
from training.data.sources.statements import StatementsSource
from training.data.token_mixture import TokenMixture
from training.settings.shared import TextForm, TokenizerSettings
from training.stages.pretrain.trainer import collated
from training.text import tokenizer

SOURCE = StatementsSource(source="statements")


def main() -> None:
    """Print a line for each way, and the ratios."""
    args = _arguments()
    disable_progress_bars()
    with tempfile.TemporaryDirectory() as folder:
        _compare(args, Path(folder))


def _compare(args: argparse.Namespace, folder: Path) -> None:
    texts = mixture.texts([SOURCE], 2_000, seed=0, data_dir=folder)
    making = Making(
        sources=[SOURCE],
        identities=identity.of_mixtures({"data": [SOURCE]}, folder),
        seed=0,
        data_dir=folder,
        tokenizer=tokenizer.load(TokenizerSettings(), lambda: texts, folder),
        form=TextForm(),
        validation_tokens=0,
    )
    _made(folder, making, args, args.rows // 8)
    small = _megabytes()
    made, seconds = _made(folder, making, args, args.rows)
    tokens = args.rows * args.length * 7 // 8
    print(f"{'made':32} {tokens / seconds / 1e6:9.2f} million tokens/s")
    print(f"{'memory for 8 times as many':32} {_megabytes() - small:+9.0f} MB")
    rows = made.training

    Dataset.from_generator(
        lambda: ({"input_ids": rows[i]} for i in range(len(rows))), cache_dir=str(folder / "cache")
    ).save_to_disk(folder / "dataset")
    peer = load_from_disk(folder / "dataset").with_format("numpy")
    for name, order in (
        ("in order", list(range(args.rows))),
        ("at random", random.Random(0).sample(range(args.rows), args.rows)),
    ):
        plan = [order[i : i + args.batch] for i in range(0, args.rows, args.batch)]

        def from_shards(plan: list[list[int]] = plan) -> Iterator[torch.Tensor]:
            return (collated([rows[i] for i in batch])["input_ids"] for batch in plan)

        def from_dataset(plan: list[list[int]] = plan) -> Iterator[torch.Tensor]:
            return (torch.from_numpy(np.asarray(peer[batch]["input_ids"])) for batch in plan)

        own, other = _in_turn(from_shards, from_dataset, args.rounds)
        _report(f"read {name}, shards", f"read {name}, datasets", own, other, args.rows * args.length)

    count = args.rows // 8

    def packed_anew() -> Iterator[torch.Tensor]:
        taken = TokenMixture(
            [SOURCE], [1.0], seed=0, data_dir=folder, tokenizer=making.tokenizer, form=making.form,
            measured=False, drawn=[0], sizes=[0],
        )  # fmt: skip
        ids = chain.from_iterable(taken.take(set()).ids for _ in iter(int, 1))
        for _ in range(count // args.batch):
            flat = np.fromiter(ids, dtype=np.int64, count=args.batch * args.length)
            yield torch.from_numpy(flat.reshape(args.batch, args.length))

    def read() -> Iterator[torch.Tensor]:
        for i in range(0, count, args.batch):
            yield collated([rows[j] for j in range(i, i + args.batch)])["input_ids"]

    assert all(torch.equal(a, b) for a, b in zip(read(), packed_anew(), strict=True))
    own, other = _in_turn(read, packed_anew, min(args.rounds, 3))
    _report("read, shards", "tokenized and packed anew", own, other, count * args.length)


def _made(folder: Path, making: Making, args: argparse.Namespace, count: int) -> tuple[Pretokenized, float]:
    began = time.perf_counter()
    made = pretokenized.rows(
        folder, making, length=args.length, count=count, tick=lambda done, total: None, shard_tokens=1 << 20
    )
    return made, time.perf_counter() - began


def _in_turn(
    one: Callable[[], Iterator[torch.Tensor]], other: Callable[[], Iterator[torch.Tensor]], rounds: int
) -> tuple[float, float]:
    """Median seconds that each takes, one round of each after the other."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        for way, taken in zip((one, other), seconds, strict=True):
            began = time.perf_counter()
            for batch in way():
                assert batch.dtype == torch.int64
            taken.append(time.perf_counter() - began)
    return statistics.median(seconds[0][1:]), statistics.median(seconds[1][1:])


def _report(own: str, peer: str, own_seconds: float, peer_seconds: float, tokens: int) -> None:
    for name, seconds in ((own, own_seconds), (peer, peer_seconds)):
        print(f"{name:32} {tokens / seconds / 1e6:9.2f} million tokens/s")
    print(f"{'ratio':32} {peer_seconds / own_seconds:9.2f}")


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("rows", 4096), ("length", 1024), ("batch", 32), ("rounds", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


if __name__ == "__main__":
    main()
