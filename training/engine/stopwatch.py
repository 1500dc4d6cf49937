"""Where the seconds of a step go: parts that are told as they begin and end."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

import torch
from transformers import TrainerCallback

LEARN = "learn"
REST = "other"  # what is in no part
LEFT_OUT = "left out"  # what is no part of a step
T = TypeVar("T")


class Stopwatch:
    """Seconds of each part since the last lap; a part within another one counts for itself alone, so that all add up."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._parts = [REST]
        self._last = time.perf_counter()

    def begin(self, part: str) -> None:
        """A part begins."""
        self._charge()
        self._parts.append(part)

    def end(self) -> None:
        """The part that began last is over."""
        self._charge()
        self._parts.pop()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What the block does is a part."""
        self.begin(name)
        try:
            yield
        finally:
            self.end()

    def lap(self) -> dict[str, float]:
        """Seconds of each part since the last lap, the rest among them."""
        self._charge()
        found = dict(self._seconds)
        self._seconds.clear()
        found.pop(LEFT_OUT, None)
        return found

    def _charge(self) -> None:
        if self._device.type == "cuda":  # what was asked of the GPU belongs to who asked
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        self._seconds[self._parts[-1]] += now - self._last
        self._last = now


def timed(part: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """A decorator of methods: what they do is a part, by the `stopwatch` of the object that they belong to."""

    def decorated(method: Callable[..., T]) -> Callable[..., T]:
        @wraps(method)
        def called(self: Any, *args: Any, **kwargs: Any) -> T:
            with self.stopwatch.part(part):
                return method(self, *args, **kwargs)

        return called

    return decorated


class LearningTime(TrainerCallback):
    """Tells a stopwatch of the optimizer steps; what samples, grades and scores within one tells it by itself."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        self.stopwatch = stopwatch

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.stopwatch.lap()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.stopwatch.begin(LEARN)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.stopwatch.end()
