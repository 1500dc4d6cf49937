"""HellaSwag: which of four endings continues a scene; the validation set, 10,042 problems.

The likeliest ending per token counts, as in karpathy/build-nanogpt's hellaswag.py, whose recipe the report's
pre-training follows: the context as published, the ending behind a space.
"""

from pathlib import Path
from typing import ClassVar

from training.benchmarks.benchmark import Benchmark, Graded, Problem
from training.data import files, rows

GRADER = "likelihood_per_token/1"
PROMPT_FORMAT = "{question}"
COLUMNS = ["ind", "ctx", "endings", "label", "source_id"]


class _Files(files.FilesSource):
    hub_name: ClassVar[str] = "Rowan/hellaswag"
    path: str = "hellaswag"


_FILES = _Files(source="hellaswag")


def problems(count: int | None, *, data_dir: Path) -> list[Problem]:
    """Return the first `count` problems of the validation files. Raises ValueError when there are none."""
    found = [file for file in files.files(_FILES, data_dir=data_dir) if "val" in file.name]
    if not found:
        raise ValueError(
            f"no file in {data_dir / _FILES.path} has val in its name; put the validation set there"
        )
    published = [row for file in found for row in rows.whole(file, COLUMNS)]
    return [_problem(place, row) for place, row in enumerate(published[:count])]


def _problem(place: int, row: rows.Row) -> Problem:
    context, endings, label = row.text("ctx"), row.column("endings"), row.number("label")
    if not (isinstance(endings, list) and endings and all(isinstance(one, str) for one in endings)):
        raise row.error("endings", endings, "a list of texts")
    if label not in range(len(endings)):
        raise row.error("label", row["label"], f"the number of one of its {len(endings)} endings, from 0")
    source = str(row.get("source_id") or "").partition("~")[0]  # activitynet, wikihow
    choices = tuple(f" {ending}" for ending in endings)
    return Problem(f"val-{place:05d}", context, str(int(label)), choices, labels=(source,) if source else ())


def grade(problem: Problem, completion: str) -> Graded:
    """Return the number of the chosen ending and whether it is the right one."""
    answer = str(problem.choices.index(completion)) if completion in problem.choices else None
    return Graded(answer, answer == problem.reference)


BENCHMARK = Benchmark(
    "hellaswag",
    GRADER,
    PROMPT_FORMAT,
    problems,
    grade,
    size=10_042,
    tokens=400,
    reads=("hellaswag",),
    kind="choice",
)
