"""TinyGSM's problems; their Python solutions become step-by-step text by safe_python, never by running them."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from training.data import skipped
from training.data.example import Example, prompt_for
from training.data.files import FilesSource, shuffled_rows
from training.data.rows import Row
from training.programs.safe_python import Refused, run
from training.programs.worked import number_text


class TinyGsmSource(FilesSource):
    """Grade-school word problems with solutions in Python, worked out as `bags = 3 × 7 = 21`, `#### 21`."""

    source: Literal["tinygsm"]
    hub_name: ClassVar[str] = "TinyGSM/TinyGSM"
    prompt_tokens: ClassVar[int] = 65
    completion_tokens: ClassVar[int] = 60
    path: str = Field("tinygsm", description="Folder or file of parquet or JSONL with question and code")
    longest_answer: int | None = Field(
        600, ge=1, description="Leave out problems whose worked answer has more characters; empty: keep all"
    )


def examples(settings: TinyGsmSource, *, seed: int, data_dir: Path, skip: int = 0) -> Iterator[Example]:
    """Yield the problems whose solution can be worked out, from the `skip`-th of them on; the others are counted."""
    rows = shuffled_rows(settings, seed=seed, data_dir=data_dir, skip=0, columns=["question", "code"])
    yield from islice(_worked(settings, rows), skip, None)


def _worked(settings: TinyGsmSource, rows: Iterator[Row]) -> Iterator[Example]:
    for row in rows:
        code = row.column("code")
        try:
            code = row.text("code") if isinstance(code, str) else str(code)
            example = worked(code, row.text("question") if row.get("question") else "")
            if settings.longest_answer is not None and len(example.completion) > settings.longest_answer:
                raise Refused("too much text")
        except Refused as refused:
            skipped.count("tinygsm", str(refused))
        else:
            skipped.count("tinygsm", skipped.KEPT)
            yield example


def worked(code: str, question: str = "") -> Example:
    """The example of a solution; without a question the function's docstring is it. Raises Refused."""
    solution = run(code)
    question = question.strip() or solution.question
    if not question:
        raise Refused("no question")
    answer = number_text(solution.value)
    return Example(prompt_for(question), " " + "\n".join([*solution.lines, f"#### {answer}"]), answer)
