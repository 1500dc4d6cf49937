"""Which problems of benchmarks stand in the first examples of a source, told before anything is launched (no torch).

A stage looks at all that it draws (training.benchmarks.contamination); a plan cannot wait for that.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from training.benchmarks import BENCHMARKS
from training.benchmarks.contamination import Contamination, SoughtProblems
from training.data import first_examples, identity
from training.data.first_examples import SourceState
from training.process.journal import ContaminationRow
from training.recipes.availability import State, problems_asked, state_of
from training.settings.shared import BenchmarkSettings
from training.settings.source import Source

MOST_PROBLEMS = 3_000  # of a benchmark: of larger ones the problems take a plan too long
SECONDS = 0.2  # of looking, for each source

Asked = tuple[str, int | None, Path, State]  # benchmark, problems, folder, files: equal ones ask the same


def rows(source: Source, asked: Iterable[BenchmarkSettings], data_dir: Path) -> list[ContaminationRow] | None:
    """A row for each benchmark but those that are large or cannot be read; None where the source is so, or the hub's."""
    state = first_examples.state_of(source, data_dir)
    if state is None:
        return None
    kept = []
    for one in asked:
        benchmark = BENCHMARKS[one.benchmark]
        if min(one.problems or benchmark.size, benchmark.size) <= MOST_PROBLEMS:
            kept.append((one.benchmark, one.problems, *state_of(data_dir, benchmark.reads)))
    try:
        return _looked(state, tuple(kept))
    except (OSError, ValueError):
        return None  # the plan says elsewhere what is broken


@lru_cache(maxsize=256)
def _looked(state: SourceState, asked: tuple[Asked, ...]) -> list[ContaminationRow]:
    looked = Contamination(_sought(asked), SECONDS)
    examples = first_examples.drawn(state)
    for example in examples:
        looked.look("", 0, example)
    if not examples:
        raise ValueError("the source has no example")
    return looked.rows([identity.of_source("", state.source, state.data_dir, count_rows=False)])


@lru_cache(maxsize=4)  # a recipe has one list of benchmarks
def _sought(asked: tuple[Asked, ...]) -> SoughtProblems:
    found = {}
    for one in asked:
        try:
            found[one[0]] = problems_asked(*one)
        except ValueError:
            continue
    return SoughtProblems(found)
