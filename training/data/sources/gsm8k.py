"""GSM8K's training problems, from gsm8k/train.jsonl in the data folder or from the hub."""

import json
import random
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from training.data.example import Example, prompt_for
from training.data_sets import how_to_get
from training.settings.shared import Source
from training.text.answers import extract_answer

HUB = "openai/gsm8k"
MARKS = re.compile(r"<<[^<>\n]*>>")


class Gsm8kSource(Source):
    """Grade-school word problems with worked answers that end with `#### n`."""

    source: Literal["gsm8k"]
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


def read(split: Literal["train", "test"], *, data_dir: Path, hub: str | None = None) -> list[tuple[str, str]]:
    """Return (question, answer) of every problem as published, in the published order."""
    if hub is not None:
        from datasets import load_dataset  # seconds to import, and only this branch needs it

        return [(row["question"], row["answer"]) for row in load_dataset(hub, "main", split=split)]
    file = data_dir / "gsm8k" / f"{split}.jsonl"
    if not file.is_file():
        raise ValueError(
            f"there is no {file}; {how_to_get(f'gsm8k/{split}.jsonl')}"
            f"set MULBERRY_DATA to the folder that holds gsm8k/{split}.jsonl, or the source's hub to {HUB}"
        )
    return list(_rows(file, file.stat().st_mtime_ns))


@lru_cache(maxsize=4)  # the gallery looks at it for every recipe; a changed file is read again
def _rows(file: Path, changed: int) -> tuple[tuple[str, str], ...]:
    with file.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return tuple((row["question"], row["answer"]) for row in rows)
