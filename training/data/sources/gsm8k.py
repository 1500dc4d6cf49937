"""GSM8K's training problems, from gsm8k/train.jsonl in the data folder or from the hub."""

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from training.data import rows
from training.data.example import Example, prompt_for
from training.data_sets import how_to_get
from training.settings.source import Source
from training.text.answers import extract_answer

HUB = "openai/gsm8k"
TRAINING = "gsm8k/train.jsonl"  # below the data folder
Split = Literal["train", "test"]
MARKS = re.compile(r"<<[^<>\n]*>>")


class Gsm8kSource(Source):
    """Grade-school word problems with worked answers that end with `#### n`."""

    source: Literal["gsm8k"]
    hub_name: ClassVar[str] = HUB
    prompt_tokens: ClassVar[int] = 64
    completion_tokens: ClassVar[int] = 72
    calculator_marks: Literal["strip", "keep"] = Field(
        "strip", description="What becomes of the marks <<48/2=24>> in the answers"
    )
    hub: str | None = Field(
        None, description=f"Hub data set to load instead of the files, e.g. {HUB}; needs a network"
    )
    shortest: int | None = Field(
        None, ge=1, description="Only so many problems, those with the shortest answers; empty: all"
    )
    longest_answer: int | None = Field(
        None, ge=1, description="Leave out problems whose answer has more characters; empty: keep all"
    )

    def reads(self) -> Sequence[str]:
        """The training problems, unless it streams."""
        return () if self.hub is not None else (TRAINING,)

    def streams(self) -> str | None:
        """As set."""
        return self.hub


def examples(settings: Gsm8kSource, *, seed: int, data_dir: Path) -> Iterator[Example]:
    """Yield the training problems in random order; raises ValueError when the file is not there."""
    problems = read("train", data_dir=data_dir, hub=settings.hub)
    if settings.shortest is not None:
        problems = sorted(problems, key=lambda problem: len(MARKS.sub("", problem[1])))[: settings.shortest]
    random.Random(f"gsm8k {seed}").shuffle(problems)
    for question, answer in problems:
        if settings.calculator_marks == "strip":
            answer = MARKS.sub("", answer)
        if settings.longest_answer is None or len(answer) <= settings.longest_answer:
            yield Example(prompt_for(question), f" {answer}", extract_answer(answer))


def read(split: Split, *, data_dir: Path, hub: str | None = None) -> list[tuple[str, str]]:
    """Return (question, answer) of every problem as published, in the published order."""
    return [
        (row.text("question"), row.text("answer")) for row in published(split, data_dir=data_dir, hub=hub)
    ]


def published(split: Split, *, data_dir: Path, hub: str | None = None) -> Sequence[rows.Row]:
    """Return the rows of a split, each with `question` and `answer`, in the published order.

    Raises ValueError when the file is missing, is broken, or holds none.
    """
    if hub is not None:
        from datasets import load_dataset  # seconds to import, and only this branch needs it

        found = load_dataset(hub, "main", split=split)
        return [rows.Row(row, hub, "row", number) for number, row in enumerate(found, 1)]
    return rows.whole(file_of(split, data_dir), ["question", "answer"])


def file_of(split: Split, data_dir: Path) -> Path:
    """Return where a split lies. Raises ValueError that says what to do when no file is there."""
    file = data_dir / "gsm8k" / f"{split}.jsonl"
    with rows.explained(file):
        if file.is_file():
            return file
    raise ValueError(
        f"{f'{file} is a folder' if file.is_dir() else f'there is no {file}'}; {how_to_get(f'gsm8k/{split}.jsonl')}"
        f"set MULBERRY_DATA to the folder that holds gsm8k/{split}.jsonl, or the source's hub to {HUB}"
    )
