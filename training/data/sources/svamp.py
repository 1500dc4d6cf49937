"""SVAMP: word problems with one unknown; the equation of each is worked out as its answer.

The benchmark `svamp` asks the same problems, so that a recipe may have one of the two only.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from training.data import rows
from training.data.example import Example, prompt_for
from training.data.files import FilesSource, files, shuffled_rows
from training.data.rows import Row
from training.programs.safe_python import Refused, calculate
from training.programs.worked import number_text

COLUMNS = ["ID", "Body", "Question", "Equation", "Answer", "Type"]


class SvampSource(FilesSource):
    """Word problems whose answer is one equation: `76 - 25 = 51`, `#### 51`."""

    source: Literal["svamp"]
    hub_name: ClassVar[str] = "ChilleD/SVAMP"
    seekable: ClassVar[bool] = True
    asked_by: ClassVar[str] = "svamp"
    prompt_tokens: ClassVar[int] = 43
    completion_tokens: ClassVar[int] = 9
    path: str = Field("svamp", description="Folder or file: SVAMP.json as published, or parquet or JSONL")


def examples(settings: SvampSource, *, seed: int, data_dir: Path, skip: int = 0) -> Iterator[Example]:
    """Yield the problems from the `skip`-th on; raises ValueError when there are no files."""
    for row in shuffled_rows(settings, seed=seed, data_dir=data_dir, skip=skip, columns=COLUMNS):
        answer, equation = reference(row), row.text("Equation")
        try:
            work = calculate(equation).worked()
        except Refused:
            raise row.error("Equation", equation, "an equation like ( 8.0 - 3.0 )") from None
        yield Example(prompt_for(question(row)), f" {work}\n#### {answer}", answer)


def read(settings: SvampSource, *, data_dir: Path) -> list[Row]:
    """All problems as published, in the published order. Raises ValueError where a file is missing, broken or empty."""
    return [row for file in files(settings, data_dir=data_dir) for row in rows.whole(file, COLUMNS)]


def question(row: Row) -> str:
    """What is told, ended as a sentence, and what is asked."""
    body = row.text("Body").strip()
    return f"{body}{'' if body.endswith(('.', '?', '!')) else '.'} {row.text('Question').strip()}"


def reference(row: Row) -> str:
    """The right answer."""
    return number_text(row.number("Answer"))
