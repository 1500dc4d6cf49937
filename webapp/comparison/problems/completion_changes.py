"""How a completion differs from the one that the stage before wrote, word by word, and where its final answer stands."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

WORD = re.compile(r"<MUL_\d_\d_\d\d?>|\d+|[^\W\d]+|\s+|.", re.DOTALL)
LONGEST = 1_500  # words of a text that is compared: comparing takes the square of them at worst
ALIKE = 0.4  # share of the words that two texts must have in common for their differences to say something
MARK = "####"


class CompletionPart(NamedTuple):
    """A part of a completion as it is drawn."""

    text: str
    change: str  # '' as before, 'added', or 'removed': what only the one before had
    final: bool  # part of the final answer


@dataclass(frozen=True)
class CompletionChange:
    """A completion in parts, and what its change amounts to."""

    parts: tuple[CompletionPart, ...]
    said: str  # '' when the parts say it


def completion_change(completion: str, before: str | None, final_answer: str | None) -> CompletionChange:
    """Compare a completion with the one before; None: there is none, so that nothing is marked but the answer."""
    answer = answer_span(completion, final_answer)
    if before is None or completion == before:
        return CompletionChange(
            _plain(completion, answer), "" if before is None else "the same as after the stage before"
        )
    old, new = WORD.findall(before), WORD.findall(completion)
    if max(len(old), len(new)) > LONGEST:
        return CompletionChange(_plain(completion, answer), "too long to compare with the one before")
    matcher = SequenceMatcher(None, old, new)
    if matcher.quick_ratio() < ALIKE or matcher.ratio() < ALIKE:
        return CompletionChange(
            _plain(completion, answer), "hardly a word in common with the one before, so no word is marked"
        )
    return CompletionChange(tuple(_parts(matcher, old, new, answer)), "")


def _plain(completion: str, answer: tuple[int, int] | None) -> tuple[CompletionPart, ...]:
    return tuple(_split(completion, 0, "", answer))


def _parts(
    matcher: "SequenceMatcher[str]", old: Sequence[str], new: Sequence[str], answer: tuple[int, int] | None
) -> Iterator[CompletionPart]:
    place = 0
    for kind, i, j, k, end in matcher.get_opcodes():
        if kind in ("delete", "replace"):
            yield CompletionPart("".join(old[i:j]), "removed", False)
        if kind != "delete":
            text = "".join(new[k:end])
            yield from _split(text, place, "" if kind == "equal" else "added", answer)
            place += len(text)


def _split(text: str, start: int, change: str, answer: tuple[int, int] | None) -> Iterator[CompletionPart]:
    """A text that begins at `start` of its completion, cut where the final answer begins and ends."""
    low, high = (max(0, min(len(text), place - start)) for place in answer or (0, 0))
    for piece, final in ((text[:low], False), (text[low:high], True), (text[high:], False)):
        if piece:
            yield CompletionPart(piece, change, final)


def answer_span(completion: str, final_answer: str | None) -> tuple[int, int] | None:
    """Where the final answer stands in the text: behind the mark ####, else where it is written last. None: nowhere, as written."""
    if not final_answer:
        return None
    written = re.escape(final_answer)
    if re.fullmatch(r"-?\d+(\.\d+)?", final_answer):  # 1234 may be written 1,234 or 1234.00
        whole, _, decimals = final_answer.partition(".")
        written = ",?".join(re.escape(digit) for digit in whole).replace("\\-,?", "-")
        written = rf"(?<![\d.,]){written}" + (rf"\.{decimals}0*" if decimals else r"(?:\.0+)?") + r"(?![\d])"
    found = list(re.finditer(written, completion))
    if not found:
        return None
    marked = completion.find(MARK)
    behind = [one for one in found if marked >= 0 and one.start() >= marked]
    return (behind or found[-1:])[0].span()
