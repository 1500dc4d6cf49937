"""The 45 multiplication-fact tokens: written into training text, taken out of it again, counted (no torch).

Whether a product is replaced is decided from the text around it, and in doubt the text stays: a fact that was
left alone costs one example, a wrong one teaches a wrong fact.
"""

import re
from collections.abc import Iterable
from itertools import combinations_with_replacement

FIRST_ID_GPT2 = 50304  # GPT-2's 50,257 entries are padded up to here


def token(a: int, b: int) -> str:
    """Return the token of a × b, operands in order: token(9, 6) is <MUL_6_9_54>. Raises ValueError outside 1…9."""
    if not (1 <= a <= 9 and 1 <= b <= 9):
        raise ValueError(f"{a} × {b} has no mul-token; operands are 1 to 9")
    a, b = min(a, b), max(a, b)
    return f"<MUL_{a}_{b}_{a * b}>"


TOKENS: tuple[str, ...] = tuple(token(a, b) for a, b in combinations_with_replacement(range(1, 10), 2))

TOKEN = re.compile(r"<MUL_([1-9])_([1-9])_(\d{1,2})>")
_TIMES = r"(?:[ \t]*[*×][ \t]*|[ \t]+x[ \t]+|x)"  # not 6x 9: that may be algebra
_PRODUCT = re.compile(rf"(?<![\w.,)√])([1-9])({_TIMES})([1-9])(?![\w(%^!]|[.,]\d|-[A-Za-z]|\*\*)")
_BINDS_TIGHTER = re.compile(  # 2/6*9 is not 2/54; "5 6*9" and "5,6*9" may be one number
    r"(?:[*×/÷^%√]|(?<![A-Za-z])x)[ \t]*\$?[ \t]*\Z|\d[ \t]+\Z|\d[:,]\Z"
)
_NOT_ONE_DIGIT = re.compile(r"[ \t]+\d|[ \t]*(?:\^|\*\*)|[ \t]*(?:%|percent\b)")  # 8 * 1 1/2, 3*4 ^2, 6 * 9 %
_RESULT = re.compile(  # "= 54", ") = $54", " apples = 54", "= $<<6*9=54>>54", " is 54"
    r"(?P<unit>[ \t)]*(?:[ \t][A-Za-z]+){0,4}?)[ \t]*(?P<equals>=+|(?<=[ \t])(?:is|are|equals|makes|gives)\b)[ \t]*"
    r"(?P<marks>(?:\$|<<[^<>\n]*>>|[ \t])*)(?P<number>-?(?:\d(?:[\d,]*\d)?)?(?:\.\d+)?)(?P<sign>[-+−(√]?)"
)
_GOES_ON = re.compile(  # after the result's digits: more of the number, or an expression
    r"[\w%(^]|[.,]\d|[ \t]+\d|[ \t]*[-+−*×/÷=][ \t]*[($]*[\d.]|[ \t]+x[ \t]"
    r"|[ \t]+(?:hundred|thousand|million|billion|percent|dozen)\b"
)
_OPERATOR_BEFORE = re.compile(r"(?:[-+−*×/÷^%√]|(?<![A-Za-z])x|[\w)](?=\())[ \t]*[($ \t]*\Z")
_BULLET_BEFORE = re.compile(r"(?:^|\n)[ \t]*[-*+−][ \t]+\Z")
_EXPRESSION_AFTER = re.compile(
    r"[ \t)]*(?:[-+−*×/÷^=(]|x(?![A-Za-z])|(?:is|are|equals|makes|gives)\b|(?:[A-Za-z]+[ \t]+){1,4}=)"
)
_OPERANDS_BEFORE = re.compile(rf"(?<![\w.])([1-9]){_TIMES}([1-9])[ \t]*=[ \t]*\Z")
_WINDOW = 32  # characters before a product that decide on it


def inject(text: str, *, operands_stay: bool = False) -> str:
    """Replace the single-digit products of a text, with their right results, by mul-tokens.

    `6*9`, `6 × 9`, `6 x 9`, each alone or with `= 54`, become <MUL_6_9_54>. A product stays when its written
    result is wrong or cannot be judged, when an operand is not a lone digit, and when it is no operand of its
    own (`2/6*9`). A result that is more than a bare number (`= $54`) is left standing behind the token.
    With operands_stay only the bare results are replaced: `7 × 8 = 56` becomes `7 × 8 = <MUL_7_8_56>`.
    """
    pieces, done = [], 0
    for product in _PRODUCT.finditer(text):
        end = _end_of_replaced(text, product)
        if end is None:
            continue
        fact = token(int(product[1]), int(product[3]))
        if not operands_stay:
            pieces += [text[done : product.start()], fact]
            done = end
        elif end > product.end():
            result = len(str(int(product[1]) * int(product[3])))
            pieces += [text[done : end - result], fact]
            done = end
    return "".join([*pieces, text[done:]])


def expand(text: str) -> str:
    """Take the mul-tokens out: text that says the same, with `×`.

    Alone a token becomes `6 × 9 = 54`; as a part of an expression `6 × 9`; after its operands `54`.
    """
    out, done = "", 0
    for found in TOKEN.finditer(text):
        out += text[done : found.start()]
        done = found.end()
        a, b, c = found.groups()
        before = _OPERANDS_BEFORE.search(out[-_WINDOW:])
        if before and sorted(before.groups()) == [a, b]:
            out += c
        elif _in_expression(out, text, done):
            out += f"{a} × {b}"
        else:
            out += f"{a} × {b} = {c}"
    return out + text[done:]


def as_results(text: str) -> str:
    """Replace each mul-token by its result's digits: what reading a number off a completion needs."""
    return TOKEN.sub(lambda found: found[3], text)


def count(ids: Iterable[int], first_id: int) -> int:
    """Return how many token ids lie in the block of 45 that starts at first_id."""
    return sum(first_id <= i < first_id + len(TOKENS) for i in ids)


def _end_of_replaced(text: str, product: re.Match[str]) -> int | None:
    """Where the text that a token may replace ends: after the product or its bare result; None: it stays."""
    before, end = text[max(0, product.start() - _WINDOW) : product.start()], product.end()
    listed = _BULLET_BEFORE.search(before)
    if (_BINDS_TIGHTER.search(before) and not listed) or _NOT_ONE_DIGIT.match(text, end):
        return None
    if text[end : end + 1] == "/" and " " in product[2]:
        return None  # 6 * 1/2: the second operand is a fraction
    result = _RESULT.match(text, end)
    if result is None:
        return end
    if not result["number"]:
        return None if result["sign"] else end
    right = _is_number(result["number"], int(product[1]) * int(product[3]))
    within = bool(_OPERATOR_BEFORE.search(before)) and not listed  # 4 + 6*9 = 58: the result is the sum's
    if not right or within or _GOES_ON.match(text, result.end("number")):
        return None
    bare = result["equals"] == "=" and not result["unit"].strip() and not result["marks"].strip()
    bare = bare and result["number"] == str(int(product[1]) * int(product[3]))
    if bare and not _in_expression(text[: product.start()], text, result.end("number")):
        return result.end("number")
    return end


def _in_expression(before: str, text: str, end: int) -> bool:
    """Whether what stands between `before` and text[end:] is a part of a larger expression or equation."""
    before = before[-_WINDOW:]
    if _OPERATOR_BEFORE.search(before) and not _BULLET_BEFORE.search(before):
        return True
    return _EXPRESSION_AFTER.match(text, end) is not None


def _is_number(written: str, value: int) -> bool:
    """Whether digits as written (1,000 or 54.00) are the value."""
    return float(written.replace(",", "")) == value
