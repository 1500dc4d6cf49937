"""SVAMP's 1,000 problems, in the published order; ids name the type of each."""

from pathlib import Path

from training.benchmarks.benchmark import Benchmark, Problem
from training.benchmarks.clusters import STORIES
from training.benchmarks.final_number import GRADER, grade
from training.data.example import PROMPT_FORMAT, prompt_for
from training.data.sources.svamp import SvampSource, question, read, reference

_FILES = SvampSource(source="svamp")


def problems(count: int | None, *, data_dir: Path) -> list[Problem]:
    """Return the first `count` problems; raises ValueError when there are no files."""
    found = []
    for row in read(_FILES, data_dir=data_dir)[:count]:
        written = row.text("Type").strip().lower().replace("-", "_")
        kind = written.replace("divison", "division")  # once misspelt
        name = f"{row.text('ID')}-{kind}"
        found.append(Problem(name, prompt_for(question(row)), reference(row), labels=(kind,)))
    return found


BENCHMARK = Benchmark(
    "svamp",
    GRADER,
    PROMPT_FORMAT,
    problems,
    grade,
    size=1_000,
    tokens=43,
    reads=("svamp",),
    clusters=STORIES,
)
