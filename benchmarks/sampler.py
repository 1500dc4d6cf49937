"""Rollouts per second of training/sampling/sampler.py against transformers' generate: same model, same process, in turn.

never: with entries that are not sampled.

python -m benchmarks.sampler [--layers 2 --width 96 --heads 4 --vocabulary 648] [--rows 256] [--tokens 28]
    [--device cpu] [--dtype float32]
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from transformers import GPT2LMHeadModel

from training.architecture.model import build
from training.sampling.decoding import left_padded
from training.sampling.sampler import Sampler
from training.settings.shared import ModelSettings


def main() -> None:
    """Print one line a way of decoding, and the ratio."""
    args = _arguments()
    torch.set_num_threads(args.threads)
    torch.backends.cuda.enable_cudnn_sdp(False)  # as in training; generate gains by it too
    settings = ModelSettings(
        n_layer=args.layers, n_head=args.heads, n_embd=args.width, n_positions=args.context
    )
    model = build(settings, args.vocabulary, eos_id=0, pad_id=1, seed=0).eval()
    model.to(args.device)
    dtype: torch.dtype = getattr(torch, args.dtype)
    draw = torch.Generator().manual_seed(0)
    lengths = torch.randint(20, 50, (args.rows // args.group,), generator=draw).tolist()
    prompts = [torch.randint(2, args.vocabulary, (n,), generator=draw).tolist() for n in lengths]
    # the sampler casts weights at each call, as it must in training; generate is given cast ones
    cast = copy.deepcopy(model).to(dtype)

    never = [1, *range(args.vocabulary - 92, args.vocabulary)]  # as many as GPT-2's, with the mul-tokens

    def own(replays: bool, never: Sequence[int] = ()) -> None:
        sampler = Sampler(
            model, eos_id=-1, pad_id=1, never=never, dtype=dtype, replays=replays
        )  # no end: all decode every token
        sampler.sample(
            prompts, group_size=args.group, temperature=1.0, max_new_tokens=args.tokens, generator=draw
        )

    ways: dict[str, Callable[[], None]] = {
        "sampler": lambda: own(False),
        "never": lambda: own(False, never),
        "generate": lambda: _generate(cast, [p for p in prompts for _ in range(args.group)], args.tokens),
    }
    if model.device.type == "cuda":
        ways["replays"] = lambda: own(True)
    seconds = _medians(ways, args.rounds)
    for name, s in seconds.items():
        print(f"{name:10} {args.rows / s:8.0f} rollouts/s, {seconds['generate'] / s:.2f} times generate's")


def _generate(model: GPT2LMHeadModel, prompts: list[list[int]], tokens: int) -> None:
    ids, mask = left_padded(prompts, 1)
    with torch.inference_mode():
        model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.long().to(model.device),
            do_sample=True,
            top_k=0,
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            pad_token_id=1,
        )


def _medians(ways: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """The median seconds of each way, which take turns: another's work on the machine hits them alike."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if number:  # the first warms up
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (
        ("layers", 2), ("width", 96), ("heads", 4), ("vocabulary", 648), ("rows", 256), ("group", 8),
        ("tokens", 28), ("rounds", 7), ("threads", 1), ("context", 128),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    return parser.parse_args()


if __name__ == "__main__":
    main()
