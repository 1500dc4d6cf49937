"""The Tulu-3 mixture: conversations of one or several turns; only what the assistant says is learnt."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from training.data import skipped
from training.data.example import Example, Turn, prompt_for
from training.data.files import FilesSource, shuffled_rows
from training.data.rows import Row


class TuluSource(FilesSource):
    """Conversations from column `messages`."""

    source: Literal["tulu"]
    hub_name: ClassVar[str] = "allenai/tulu-3-sft-mixture"
    prompt_tokens: ClassVar[int] = 120
    completion_tokens: ClassVar[int] = 290
    path: str = Field("tulu", description="Folder or file of parquet or JSONL with messages")


def examples(settings: TuluSource, *, seed: int, data_dir: Path, skip: int = 0) -> Iterator[Example]:
    """Yield the conversations that follow the pattern user, assistant, …, from the `skip`-th of them on."""
    rows = shuffled_rows(settings, seed=seed, data_dir=data_dir, skip=0, columns=["messages"])
    yield from islice(_conversations(rows), skip, None)


def _conversations(rows: Iterator[Row]) -> Iterator[Example]:
    for row in rows:
        turns = _turns(_messages(row))
        skipped.count("tulu", skipped.KEPT if turns else "roles")
        if turns:
            yield Example(turns[-1].prompt, turns[-1].completion, earlier=tuple(turns[:-1]))


def _messages(row: Row) -> list[dict[str, str]]:
    """What was said, each with its role. Raises ValueError where the column holds something else."""
    found = row.column("messages")
    if isinstance(found, list) and all(
        isinstance(one, dict) and isinstance(one.get("role"), str) and isinstance(one.get("content"), str)
        for one in found
    ):
        return found
    raise row.error("messages", found, "a list of mappings with the texts role and content")


def _turns(messages: list[dict[str, str]]) -> list[Turn]:
    """Question and answer of each turn; a system message goes before the first question. [] for other patterns."""
    contents = [(message["role"], message["content"].strip()) for message in messages]
    before = ""
    if contents and contents[0][0] == "system":
        before = f"{contents.pop(0)[1]}\n\n"
    if contents and contents[-1][0] == "user":
        contents.pop()  # a question that nobody answered
    roles = [role for role, _ in contents]
    if not roles or roles != ["user", "assistant"] * (len(roles) // 2):
        return []
    questions, answers = [c for _, c in contents[::2]], [c for _, c in contents[1::2]]
    questions[0] = before + questions[0]
    return [Turn(prompt_for(q), f" {a}") for q, a in zip(questions, answers, strict=True)]
