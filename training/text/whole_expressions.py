r"""Whether a larger expression, of which a product is the last operand, has the value that is written behind its `=`.

`(4*3)+(3*6)=30`, `4 + 6 \times 9 = 58`. Both sides are worked out; what cannot be read as arithmetic is not judged.
"""

import re

from training.programs.safe_python import Refused, calculate

LONGEST = 120  # characters of either side
_SIGNS = (
    (re.compile(r"\\(?:times|cdot)(?![A-Za-z])|[×·⋅]|(?<=[\d) ])x(?=[\d( ])"), "*"),
    (re.compile(r"\\div(?![A-Za-z])|÷"), "/"),
    (re.compile("[−–]"), "-"),
    (re.compile(r"(?<=\d),(?=\d{3}(?!\d))|\$"), ""),
)
_LEFT = re.compile(r"(?:\d+(?:\.\d+)?|[()+\-*/ \t])*\Z")
_RIGHT = re.compile(r"(?:\d+(?:\.\d+)?|[()+\-*/ \t])*")
_GLUED = re.compile(r"[\w.,%^√}\]\\!)]\Z")  # before the left side: it is a part of something else
_GOES_ON = re.compile(
    r"[\w%^{!½]|\.\d|,\d|\\(?!text|quad|\)|\]|\\)|[ \t]*(?:hundred|thousand|million|billion|dozen|percent)\b"
)


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
    return text


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
