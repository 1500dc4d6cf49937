"""Prompts as lines of a list: what all of them begin and end with alike is left out, as it tells none from another."""

import re
from collections.abc import Sequence

SPACE = re.compile(r"\s+")
LONGEST = 240  # characters; the page cuts a line where its column ends
LEFT_OUT = "… "


def prompt_lines(prompts: Sequence[str]) -> list[str]:
    """A line for each prompt, in order."""
    different = set(prompts)
    first = last = ""
    if len(different) > 1:
        first = _up_to_a_break(_common(different))
        last = _from_a_break(_common({one[len(first) :][::-1] for one in different})[::-1])
    return [_line(one[len(first) : len(one) - len(last)], cut=len(first) > LONGEST // 2) for one in prompts]


def _line(text: str, *, cut: bool) -> str:
    line = SPACE.sub(" ", text).strip()
    line = f"{LEFT_OUT}{line}" if cut else line
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _common(texts: set[str]) -> str:
    """What all of them begin with: what the least and the largest do."""
    least, largest = min(texts), max(texts)
    length = next((n for n, (a, b) in enumerate(zip(least, largest, strict=False)) if a != b), len(least))
    return least[:length]


def _up_to_a_break(text: str) -> str:
    """The beginning that ends with a line, or with the name of who speaks."""
    ends = [found.end() for found in re.finditer(r"\n|^\w+: ", text)]
    return text[: ends[-1]] if ends else ""


def _from_a_break(text: str) -> str:
    """The end that begins with a line."""
    return text[text.index("\n") :] if "\n" in text else ""
