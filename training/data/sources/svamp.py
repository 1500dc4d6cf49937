"""SVAMP: word problems with one unknown; the equation of each is worked out as its answer.

The benchmark `svamp` asks the same problems, so that a recipe may have one of the two only.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from training.data.example import Example, prompt_for
from training.data.files import FilesSource, Row, field, rows_from, shuffled_rows
from training.programs.safe_python import calculate
from training.programs.worked import number_text

COLUMNS = ["ID", "Body", "Question", "Equation", "Answer", "Type"]


class SvampSource(FilesSource):
    """Word problems whose answer is one equation: `76 - 25 = 51`, `#### 51`."""

    source: Literal["svamp"]
    seekable: ClassVar[bool] = True
    prompt_tokens: ClassVar[int] = 43
    completion_tokens: ClassVar[int] = 9
    path: str = Field("svamp", description="Folder or file: SVAMP.json as published, or parquet or JSONL")


def examples(settings: SvampSource, *, seed: int, data_dir: Path, skip: int = 0) -> Iterator[Example]:
    """Yield the problems from the `skip`-th on; raises ValueError when there are no files."""
    for row in shuffled_rows(settings, seed=seed, data_dir=data_dir, skip=skip, columns=COLUMNS):
        answer = reference(settings, row)
        work = calculate(field(settings, row, "Equation")).worked()
        yield Example(prompt_for(question(settings, row)), f" {work}\n#### {answer}", answer)


def read(settings: SvampSource, *, data_dir: Path) -> list[Row]:
    """All problems as published, in the published order."""
    return list(rows_from(settings, 0, data_dir=data_dir, columns=COLUMNS))


def question(settings: SvampSource, row: Row) -> str:
    """What is told, ended as a sentence, and what is asked."""
    body = str(field(settings, row, "Body")).strip()
    return f"{body}{'' if body.endswith(('.', '?', '!')) else '.'} {str(field(settings, row, 'Question')).strip()}"


def reference(settings: SvampSource, row: Row) -> str:
    """The right answer."""
    return number_text(float(field(settings, row, "Answer")))
