"""Every research recipe, launched at `scale=tiny` on a stack of its own and waited for.

    python -m tests.recipes [RECIPE…]

Prints a line for each: whether it succeeded, how long it took, the filled cells of its comparison. Fails when one
did not succeed or left a cell empty.
"""

import csv
import io
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.stack import RunningStack
from training.recipes import recipe as recipes

TOGETHER = 2  # launched side by side: while one waits for its last stage, the other keeps the slots busy
PATIENCE = 3_000  # seconds for one
TINY = (
    "--set",
    "scale=tiny",
    "--no-reuse",
)  # every stage is computed, also one that another recipe has at this scale


@dataclass(frozen=True)
class Outcome:
    """How one recipe ended."""

    recipe: str
    seconds: float
    complaint: str  # empty when it succeeded and its table is full
    cells: int = 0  # of the primary benchmark's table, stages × conditions


def tiny() -> list[str]:
    """The shipped recipes that have a `tiny` scale."""
    return [name for name in recipes.names() if "tiny" in recipes.build(recipes.read(name)).scales]


def launch(stack: RunningStack, names: Sequence[str], together: int = TOGETHER) -> Iterator[Outcome]:
    """Launch each at `scale=tiny`, so many side by side; yield in the order given."""
    with ThreadPoolExecutor(together) as pool:
        yield from pool.map(lambda name: _launch(stack, name), names)


def _launch(stack: RunningStack, name: str) -> Outcome:
    began = time.monotonic()
    done = stack.mulberry("launch", name, *TINY, "--wait", timeout=PATIENCE)
    seconds = time.monotonic() - began
    if done.returncode:
        return Outcome(name, seconds, done.stderr.strip() or done.stdout.strip())
    return checked(stack, name, f"{name}-1", seconds)


def checked(stack: RunningStack, name: str, experiment: str, seconds: float = 0.0) -> Outcome:
    """How a recipe's experiment ended, all of whose runs succeeded: whether its table is full."""
    shown = stack.mulberry("table", experiment, "--format", "csv", timeout=120)
    if shown.returncode:
        return Outcome(name, seconds, shown.stderr.strip())
    filled = {
        (row["stage"], row["condition"])
        for row in csv.DictReader(io.StringIO(shown.stdout))
        if int(row["problems"] or 0)
    }
    empty = _evaluated(recipes.build(recipes.read(name), [("scale", "tiny")])) - filled
    complaint = "empty cells: " + ", ".join(sorted(map(" ".join, empty))) if empty else ""
    return Outcome(name, seconds, complaint, len(filled))


def _evaluated(recipe: recipes.Recipe) -> set[tuple[str, str]]:
    """Stage and condition of every cell that the primary benchmark fills."""
    return {
        (stage.name, condition.name)
        for stage in recipe.stages
        for condition in recipe.conditions
        if recipe.primary.benchmark in {one.benchmark for one in stage.benchmarks or recipe.benchmarks}
    }


def main(names: Sequence[str]) -> int:
    """Run them; 1 when one did not succeed."""
    stack, began, failed = RunningStack(), time.monotonic(), 0
    try:
        stack.start()
        for one in launch(stack, names or tiny()):
            failed += bool(one.complaint)
            told = f"failed: {one.complaint}" if one.complaint else f"succeeded, {one.cells} cells filled"
            print(f"{one.recipe:<32} {one.seconds / 60:5.1f} min  {told}", flush=True)
        stack.stop()
    finally:
        stack.remove()
    print(f"all in {(time.monotonic() - began) / 60:.1f} min, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
