r"""Whether a larger expression that a product is an operand of has the value that is written on the other side of its `=`.

`(4*3)+(3*6)=30`, `4 + 6 \times 9 = 58`, `24 = 3 x 2 x 4`. Both sides are worked out; what cannot be read as arithmetic is not judged.
"""

import re
from typing import NamedTuple

from training.programs.safe_python import Refused, calculate

LONGEST = 120  # characters of either side
_SIGNS = (
    (re.compile(r"\\(?:times|cdot)(?![A-Za-z])|[×·⋅]|(?<=[\d) ])x(?=[\d( ])"), "*"),
    (re.compile(r"\\div(?![A-Za-z])|÷"), "/"),
    (re.compile("[−–]"), "-"),
    (re.compile(r"(?<=\d),(?=\d{3}(?!\d))|\$"), ""),
)
_PERCENTAGE = re.compile(r"(\d+(?:\.\d+)?)%(?![ \t]*[\d(])")  # 9 % 6 is a remainder
_LEFT = re.compile(r"(?:\d+(?:\.\d+)?|[()+\-*/ \t])*\Z")
_RIGHT = re.compile(r"(?:\d+(?:\.\d+)?|[()+\-*/ \t])*")
_GLUED = re.compile(r"[\w.,%^√}\]\\!)]\Z")  # before the left side: it is a part of something else
_GOES_ON = re.compile(
    r"[\w%^{!½]|\.\d|,\d|\\(?!text|quad|\)|\]|\\)|[ \t]*(?:hundred|thousand|million|billion|dozen|percent)\b"
)

_RUN = (  # of an expression, as it is written
    r"(?:[-+−–*×·⋅/÷()%$\d \t]|(?<=\d),(?=\d{3}(?!\d))|\.(?=\d)|\\(?:times|cdot|div)(?![A-Za-z])|(?<=[\d) ])x(?=[\d( ]))*"
)
_TO_ITS_END = re.compile(  # " + 4 apples = $" behind the product of "(3 x 2) + 4 apples = $10"
    rf"(?P<run>{_RUN})(?P<equals>(?:[A-Za-z]+[ \t]+){{0,4}}(?:=+|(?P<verb>is|are|equals|makes|gives)\b)"
    r"(?:\\?\$|<<[^<>\n]*>>|\\boxed\{|[ \t])*)?"
)
_OPERATOR = re.compile(r"[-+−–/*÷]")  # no size has one
_SIDE_BEFORE = re.compile(rf"(?<==){_RUN}\Z")  # " 3 + " before the product of "27 = 3 + 4 x 6"
_RUN_BEFORE = re.compile(rf"{_RUN}\Z")
_OPERATOR_BEFORE = re.compile(
    r"[\d)%](?P<space>[ \t]*)(?P<sign>[-+−/÷]|\\div(?![A-Za-z]))[ \t]*\$?[ \t]*(?P<bracket>\(*)[ \t]*\Z"
)
_OPERATOR_AFTER = re.compile(r"[ \t]*(?P<bracket>\)*)[ \t]*(?P<sign>[-+−/÷]|\\div(?![A-Za-z]))[ \t]*[($]*\d")
_FRACTION = (re.compile(r"(?:\\[dt]?frac\{|\}\{)\Z"), re.compile(r"\}"))  # \frac{6 \times 9}{2}


class Surroundings(NamedTuple):
    """The larger expression that a product stands in, which has no value written beside it unless `stated`."""

    operator: str  # beside the product and a number or a bracket: one of + - / ÷; empty: none
    in_brackets: bool  # the product alone is, before or behind the operator
    end: int  # of the expression
    glued: bool  # it is a part of something else: A4 + 6 × 9
    leads: bool  # the operator stands before it, with a space, and the expression does not begin a line, as a list's item does
    stated: bool


def surroundings(text: str, start: int, end: int) -> Surroundings:
    """What the product text[start:end] stands in."""
    ahead, after = (
        _RUN_BEFORE.search(text[max(0, start - LONGEST) : start]),
        _TO_ITS_END.match(text, end, end + LONGEST),
    )
    assert ahead is not None
    assert after is not None
    first = start - len(ahead[0].lstrip())
    left, right = _OPERATOR_BEFORE.search(ahead[0]), _OPERATOR_AFTER.match(text, end)
    found = left or right
    sign = "" if found is None else {"−": "-", "\\div": "÷"}.get(found["sign"], found["sign"])
    bracketed = any(one is not None and one["bracket"] for one in (left, right))
    if not sign and _FRACTION[0].search(text[max(0, start - 8) : start]) and _FRACTION[1].match(text, end):
        sign, bracketed = "/", True
    return Surroundings(
        operator=sign,
        in_brackets=bracketed,
        end=max(after.end("run"), end),
        glued=_GLUED.search(text[max(0, first - 1) : first]) is not None if ahead[0].strip() else False,
        leads=left is not None
        and left["space"] != ""
        and text[text.rfind("\n", 0, first) + 1 : first].strip() != "",
        stated=after["equals"] is not None,
    )


def equation_holds(text: str, start: int, end: int) -> bool:
    """Whether the product text[start:end] is a part of a side of an equation whose two sides have one value."""
    after = _TO_ITS_END.match(text, end, end + LONGEST)
    assert after is not None
    stated = after["equals"] and (
        not after["verb"] or _OPERATOR.search(after["run"])
    )  # "2 x 4 is 8" may be feet
    if stated and holds(text[: after.end("run")], text[after.end() :]):
        return True
    before = _SIDE_BEFORE.search(text[max(0, start - LONGEST) : start])
    if before is None:
        return False
    side = start - len(before[0])
    return holds(text[:side].rstrip("= \t"), text[side : after.end("run")])


def holds(left: str, right: str) -> bool:
    """Whether the expression at the end of `left` equals the one at the beginning of `right`."""
    left = _plain(left[-LONGEST:])
    run = _LEFT.search(left)
    assert run is not None
    expression = run[0].strip()
    before = left[: run.end() - len(run[0].lstrip())]
    if _GLUED.search(before) or len(expression) >= LONGEST:
        return False
    right = _plain(right[:LONGEST])
    other = _RIGHT.match(right)
    assert other is not None
    if _GOES_ON.match(right, len(other[0].rstrip())):
        return False
    a, b = _value(_without(expression, "(")), _value(_without(other[0], ")"))
    return a is not None and b is not None and abs(a - b) <= 1e-9 * max(1.0, abs(a), abs(b))


def _plain(text: str) -> str:
    for pattern, sign in _SIGNS:
        text = pattern.sub(sign, text)
    return _PERCENTAGE.sub(r"(\1/100)", text)


def _without(expression: str, bracket: str) -> str:
    """The expression without brackets on the outside that nothing in it opens or closes."""
    expression = expression.strip()
    while expression.count("(") != expression.count(")"):
        if bracket == "(" and expression.startswith("("):
            expression = expression[1:].lstrip()
        elif bracket == ")" and expression.endswith(")"):
            expression = expression[:-1].rstrip()
        else:
            break
    return expression


def _value(expression: str) -> float | None:
    """The value; None for what is no expression."""
    if not expression[:1].strip("+*/)"):
        return None
    try:
        found = calculate(re.sub(r"(?<![\d.])0+(?=\d)", "", expression)).value
    except Refused:
        return None
    return float(found) if isinstance(found, int | float) else None
