"""Whether the written steps of a completion are right: each equation in it checked, apart from its final answer.

What counts is what can be read as arithmetic on both sides of a `=`: `bags = 3 × 7 = 21` holds one equation. In
doubt nothing is counted: units between operators, algebra, percentages, parts `of` something are left alone.
"""

import re
from dataclasses import dataclass

from training.programs.safe_python import Refused, calculate
from training.text.mul_tokens import expand

LONGEST = 60  # tokens of an expression
_MARKS = re.compile(r"<<[^<>\n]*>>")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+(?=\S)")
_TOKEN = re.compile(
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])|\d+(?:\.\d+)?|\.\d+)|(?P<equals>=)"
    r"|(?P<sign>\*\*|//|[-+−–*×·/÷^()]|(?<=[\d) ])x(?=\s*[\d($]))|(?P<word>[^\W\d]+)|(?P<other>[^\s$])"
)
_PYTHON = {"−": "-", "–": "-", "×": "*", "x": "*", "·": "*", "÷": "/", "^": "**"}
_BINDS = ("of", "than", "times", "plus", "minus", "by", "%")  # what stands beside a part of something larger
_ENDS = (".", ",", ";", ":", "!", "?")


@dataclass(frozen=True)
class Steps:
    """The equations of a text."""

    written: int
    right: int

    @property
    def all_right(self) -> bool | None:
        """Whether every equation is right; None where there is none."""
        return self.right == self.written if self.written else None


def check(text: str) -> Steps:
    """Count a text's equations and those that are right; a mul-token stands for its product, or for its result."""
    verdicts = [v for line in _MARKS.sub("", expand(text)).splitlines() for v in _of_line(line)]
    return Steps(len(verdicts), sum(verdicts))


def _of_line(line: str) -> list[bool]:
    """The verdict on each equation of one line; a chain of n equal terms holds n - 1."""
    tokens = list(_TOKEN.finditer(_BULLET.sub("", line, count=1)))
    found = []
    for place, token in enumerate(tokens):
        if token.lastgroup == "equals":
            verdict = _verdict(_left(tokens[:place]), _right(tokens[place + 1 :]))
            found += [] if verdict is None else [verdict]
    return found


Tokens = list[re.Match[str]]


def _left(before: Tokens) -> Tokens:
    """The expression that ends before an equals sign; [] when it cannot be told where it begins."""
    start = len(before)
    while start and before[start - 1].lastgroup in ("number", "sign"):
        start -= 1
        if start and before[start].lastgroup == before[start - 1].lastgroup == "number":
            return []  # 3 1/2
    run, ahead = before[start:], before[start - 1] if start else None
    while run and run[0][0] == "(" and _open_brackets(run) > 0:
        run = run[1:]  # (3 + 4 = 7)
    if not run or ahead is None or ahead.lastgroup == "equals" or ahead[0] in _ENDS:
        return run
    touches = ahead.end() == run[0].start() and ahead.lastgroup == "word"  # x2, floor(
    operator = run[0][0] not in ("(", "-") and run[0].lastgroup == "sign"  # 5 apples + 3
    minus = run[0][0] == "-" and run[0].end() != run[1].start() if len(run) > 1 else False  # 5 apples - 3
    return [] if touches or operator or minus or ahead[0].lower() in _BINDS else run


def _right(after: Tokens) -> Tokens:
    """The expression that begins behind an equals sign; [] when it cannot be told where it ends."""
    end = 0
    while end < len(after) and after[end].lastgroup in ("number", "sign"):
        if end and after[end].lastgroup == after[end - 1].lastgroup == "number":
            return []  # 350 000
        end += 1
    run, behind = after[:end], after[end] if end < len(after) else None
    while run and run[-1][0] == ")" and _open_brackets(run) < 0:
        run = run[:-1]
    if not run or (run[-1].lastgroup == "sign" and run[-1][0] != ")"):
        return []  # 3 + apples
    touches = behind is not None and behind.lastgroup == "word" and behind.start() == run[-1].end()  # 3x
    return [] if touches or (behind is not None and behind[0].lower() in _BINDS) else run


def _open_brackets(run: Tokens) -> int:
    return sum({"(": 1, ")": -1}.get(token[0], 0) for token in run)


def _verdict(left: Tokens, right: Tokens) -> bool | None:
    """Whether both have one value, as far as the right one's decimals say; None when that cannot be told."""
    chained = bool(left) and left[0].string[: left[0].start()].rstrip("$ ").endswith("=")
    if not (left and right) or (len(left) == len(right) == 1 and not chained):
        return None  # day 2 = 5
    try:
        a, b = calculate(_python(left)).value, calculate(_python(right)).value
    except Refused:
        return None
    decimals = [len(t[0].partition(".")[2]) for t in right if "." in t[0]]
    rounding = 0.5 * 10.0 ** -min(decimals) * len(decimals) if decimals else 0.0
    return bool(abs(a - b) <= rounding * (1 + 1e-9) + 1e-9 * max(1.0, abs(a), abs(b)))


def _python(run: Tokens) -> str:
    """The expression as Python writes it. Raises Refused when it is too long."""
    if len(run) > LONGEST:
        raise Refused("too long")
    text, last = "", ""
    for token in run:
        written = token[0].replace(",", "")
        if token.lastgroup == "number":
            written = written.lstrip("0") or "0"
            written = f"0{written}" if written.startswith(".") else written
        if written == "(" and (last == ")" or last[-1:].isdigit()):
            text += "*"  # 3(4 + 1)
        last = _PYTHON.get(written, written)
        text += last
    return text
