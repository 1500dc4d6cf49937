"""Caller's time to record one step of ten metrics: the journal against TensorBoard's event writer, in one run.

    python -m benchmarks.journal [--steps 5000]

TensorBoard is the quickest of the peers in their own writing. It gets the ten values in one event, which is its best;
torch's SummaryWriter.add_scalar makes an event of each. It is only in the benchmarks' environment.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from training.process.journal import Journal

NAMES = [f"metric_{i}" for i in range(10)]


def main() -> None:
    """Print median and 99th percentile in µs, and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=5000)
    steps = parser.parse_args().steps
    with tempfile.TemporaryDirectory() as folder:
        journal, peer = Journal(Path(folder) / "journal"), EventFileWriter(folder)

        def own(step: int) -> None:
            journal.metrics(step, dict.fromkeys(NAMES, step * 0.5))

        def theirs(step: int) -> None:
            values = [Summary.Value(tag=name, simple_value=step * 0.5) for name in NAMES]
            peer.add_event(Event(step=step, wall_time=time.time(), summary=Summary(value=values)))

        medians = [
            _measure(label, write, steps) for label, write in (("journal", own), ("TensorBoard", theirs))
        ]
        journal.close()
        peer.close()
    print(f"ratio of medians {medians[1] / medians[0]:.1f}")


def _measure(label: str, write: Callable[[int], None], steps: int) -> float:
    times = []
    for step in range(steps):
        start = time.perf_counter()
        write(step)
        times.append((time.perf_counter() - start) * 1e6)
        time.sleep(0.0002)  # a paced caller: what a training loop sees
    median = statistics.median(times)
    print(f"{label:12} median {median:7.1f} µs, p99 {statistics.quantiles(times, n=100)[98]:8.1f} µs")
    return median


if __name__ == "__main__":
    main()
