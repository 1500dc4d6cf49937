"""The 45 multiplication-fact tokens: written into training text, taken out of it again, counted (no torch).

Whether a product is replaced is decided from the text around it, and in doubt the text stays: a fact that was
left alone costs one example, a wrong one teaches a wrong fact.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import combinations_with_replacement
from typing import NamedTuple

from training.text.crosses import CROSS, SIZE_AFTER, multiplies
from training.text.whole_expressions import holds

FIRST_ID_GPT2 = 50304  # GPT-2's 50,257 entries are padded up to here


def token(a: int, b: int) -> str:
    """Return the token of a × b, operands in order: token(9, 6) is <MUL_6_9_54>. Raises ValueError outside 1…9."""
    if not (1 <= a <= 9 and 1 <= b <= 9):
        raise ValueError(f"{a} × {b} has no mul-token; operands are 1 to 9")
    a, b = min(a, b), max(a, b)
    return f"<MUL_{a}_{b}_{a * b}>"


TOKENS: tuple[str, ...] = tuple(token(a, b) for a, b in combinations_with_replacement(range(1, 10), 2))

TOKEN = re.compile(r"<MUL_([1-9])_([1-9])_(\d{1,2})>")
VERSION = 2  # of what injection makes of a text: raised when a text becomes another one
_TIMES = (  # not 6x 9: that may be algebra
    r"(?:[ \t]*(?:[*×·⋅]|\\(?:times|cdot)(?![A-Za-z]))[ \t]*|[ \t]+x[ \t]+|x)"
)
_SIGN = r"(?:[*×·⋅/÷^%√]|\\(?:times|cdot|div)(?![A-Za-z])|(?<![A-Za-z])x)"
_PRODUCT = re.compile(rf"(?<![\w.,)}}\]√])([1-9])({_TIMES})([1-9])(?![\w(%^!{{]|[.,]\d|-[A-Za-z]|\*\*)")
_BINDS_TIGHTER = re.compile(  # 2/6*9 is not 2/54, nor 2/-3*4 2/-12; "5 6*9" and "5,6*9" may be one number
    rf"{_SIGN}[ \t]*\$?[ \t]*\Z|(?:[/÷^%]|\*\*|\d[eE])[ \t]*[-+−]\Z|\d[ \t]+\Z|\d[:,]\Z"
    r"|\\(?!(?:quad|qquad|implies|Rightarrow)\b)[A-Za-z]+[ \t]*\Z|}[ \t]+\Z"  # \ln 3 \cdot 4, \log_{2} 3 \cdot 4
    r"|\b(?i:(?:a|ar|arc)?(?:sin|cos|tan|cot|sec|csc)h?|ln|log|lg|exp|sqrt|root|mod|div|choose|divided[ \t]+by)[ \t]+\$?\Z"
)
_NOT_ONE_DIGIT = re.compile(  # 8 * 1 1/2, 3*4 ^2, 6 * 9 %, 3*4 hundred, 3 \cdot 4\frac{1}{2}, 3*4\,000
    r"[ \t]+\d|[ \t]*(?:\^|\*\*)|[ \t]*(?:%|percent\b)|[ \t]+(?:hundred|thousand|million|billion|dozen)\b"
    r"|[ \t]*\\(?!(?:times|cdot|div)(?![A-Za-z])|[)\]\\])"
)
_SIZE_BEFORE = re.compile(r"\b(?:an?|this)[ \t]+\$?\Z", re.IGNORECASE)
_RESULT = re.compile(  # "= 54", ") = $54", " apples = 54", "= $<<6*9=54>>54", " is 54"
    r"(?P<unit>\$?[ \t)]*(?:[ \t][A-Za-z]+){0,6}?)[ \t]*(?P<equals>=+|(?<=[ \t])(?:is|are|equals|makes|gives)\b)[ \t]*"
    r"(?P<marks>(?:\\?\$|<<[^<>\n]*>>|\\boxed\{|[ \t])*)(?P<number>-?(?:\d(?:[\d,]*\d)?)?(?:\.\d+)?)(?P<sign>[-+−(√\\]?)"
)
_GOES_ON = re.compile(  # after the result's digits: more of the number, or an expression
    rf"[\w%(^{{]|[.,]\d|[ \t]+\d|[ \t]*(?:[-+−=]|{_SIGN})[ \t]*[($]*[\d.]|[ \t]+x[ \t]"
    r"|[ \t]*\\(?!(?:text|quad|qquad|implies|Rightarrow)\b|[)\]\\])"
    r"|[ \t]+(?:hundred|thousand|million|billion|percent|dozen)\b"
)
_OPERATOR_BEFORE = re.compile(rf"(?:[-+−]|{_SIGN}|[\w)](?=\())[ \t]*[($ \t]*\Z")
_BULLET_BEFORE = re.compile(r"(?:^|\n)[ \t]*[-*+−][ \t]+\Z")
_EXPRESSION_AFTER = re.compile(
    r"[ \t)]*(?:[-+−*×·⋅/÷^=(]|\\(?:times|cdot|div)(?![A-Za-z])|x(?![A-Za-z])|(?:is|are|equals|makes|gives)\b|(?:[A-Za-z]+[ \t]+){1,6}=)"
)
_OPERANDS_BEFORE = re.compile(rf"(?<![\w.])([1-9]){_TIMES}([1-9])[ \t]*=[ \t]*\Z")
_MARK = re.compile(r"<<[^<>\n]*>>")  # a calculator's
_WINDOW = 32  # characters before a product that decide on it
_LONGEST_SCRIPT = 120  # characters of an exponent or a subscript before a product in it


class Products(NamedTuple):
    """How many products of single digits a text writes, and how many of them injection replaces."""

    written: int
    replaced: int


def inject(text: str, *, operands_stay: bool = False) -> str:
    r"""Replace the single-digit products of a text, with their right results, by mul-tokens.

    `6*9`, `6·9`, `6 \cdot 9`, alone or with `= 54`, and `6 × 9 = 54`, `6 x 9 = 54` become <MUL_6_9_54>. A product stays when
    its written result, or that of the sum it ends, is wrong or cannot be judged, when an operand is not a lone digit,
    and when it is no operand of its own (`2/6*9`). With `x`, `×` and `\times`, which sizes are written with (`a 4x6 photo`),
    it stays unless something shows that somebody multiplies: a right result, an operator beside it (`4 + 6 x 9`), words
    (`So we need 6 × 9.`), or that the text is nothing else. A result that is more than a bare number (`= $54`) is left standing behind the token.
    With operands_stay only the bare results are replaced: `7 × 8 = 56` becomes `7 × 8 = <MUL_7_8_56>`.
    """
    pieces, done = [], 0
    for product, end in _found(text):
        if end is None or (operands_stay and end == product.end()):
            continue
        fact = token(int(product[1]), int(product[3]))
        start = end - len(str(int(product[1]) * int(product[3]))) if operands_stay else product.start()
        pieces += [text[done:start], fact]
        done = end
    return "".join([*pieces, text[done:]])


def products(text: str, *, operands_stay: bool = False) -> Products:
    """Count the products that a text writes, tokens among them; a calculator mark repeats those before it."""
    text = _expanded(text, r"\cdot")  # which no size is written with
    marks = [mark.span() for mark in _MARK.finditer(text)]
    written: list[tuple[list[str], bool]] = []  # operands of each, and whether it is replaced
    echoes: list[tuple[list[str], bool]] = []  # those before the next mark, which may come again in it
    place = behind = 0
    for product, end in _found(text):
        found = sorted(product.group(1, 3)), end is not None and not (operands_stay and end == product.end())
        while place < len(marks) and marks[place][1] <= product.start():
            place, behind = place + 1, len(written)
            echoes = []
        in_mark = place < len(marks) and marks[place][0] < product.start()
        echo = next((one for one in echoes if one[0] == found[0]), None) if in_mark else None
        if echo is not None:
            echoes.remove(echo)
            at = written.index(echo, behind)
            written[at] = found[0], echo[1] or found[1]
            continue
        written.append(found)
        if not in_mark:
            echoes.append(found)
    return Products(len(written), sum(replaced for _, replaced in written))


def expand(text: str) -> str:
    """Take the mul-tokens out: text that says the same, with `×`.

    Alone a token becomes `6 × 9 = 54`; as a part of an expression `6 × 9`; after its operands `54`.
    """
    return _expanded(text, "×")


def _expanded(text: str, times: str) -> str:
    """A text without its mul-tokens, with a sign between their operands."""
    out, done = "", 0
    for found in TOKEN.finditer(text):
        out += text[done : found.start()]
        done = found.end()
        a, b, c = found.groups()
        before = _OPERANDS_BEFORE.search(out[-_WINDOW:])
        if before and sorted(before.groups()) == [a, b]:
            out += c
        elif _in_expression(out, text, done):
            out += f"{a} {times} {b}"
        else:
            out += f"{a} {times} {b} = {c}"
    return out + text[done:]


def as_results(text: str) -> str:
    """Replace each mul-token by its result's digits: what reading a number off a completion needs."""
    return TOKEN.sub(lambda found: found[3], text)


def count(ids: Iterable[int], first_id: int) -> int:
    """Return how many token ids lie in the block of 45 that starts at first_id."""
    return sum(first_id <= i < first_id + len(TOKENS) for i in ids)


def _found(text: str) -> Iterator[tuple[re.Match[str], int | None]]:
    """Each product, and where the text ends that a token may replace: after it or its bare result; None: it stays."""
    for product in _PRODUCT.finditer(text):
        before, result = (
            text[max(0, product.start() - _WINDOW) : product.start()],
            _RESULT.match(text, product.end()),
        )
        if _is_product(text, product, before, result):
            yield product, _end_of_replaced(text, product, before, result)


def _is_product(text: str, product: re.Match[str], before: str, result: re.Match[str] | None) -> bool:
    """Whether it multiplies, and does not measure something: a 4x4 truck, 2 x 4 boards."""
    if product[2].strip() in CROSS:
        summed = _OPERATOR_BEFORE.search(before) is not None and not _BULLET_BEFORE.search(before)
        return multiplies(text, product, result, before, summed=summed)
    if result is not None or "\\" in product[2]:
        return True
    if product[2] == "·" and re.match(r"[ \t]+[A-Za-z]", text[product.end() : product.end() + _WINDOW]):
        return False
    return not (_SIZE_BEFORE.search(before) or SIZE_AFTER.match(text, product.end()))


def _end_of_replaced(
    text: str, product: re.Match[str], before: str, result: re.Match[str] | None
) -> int | None:
    """Where the text that a token may replace ends; None: the product stays."""
    end = product.end()
    listed = _BULLET_BEFORE.search(before)
    if (_BINDS_TIGHTER.search(before) and not listed) or _NOT_ONE_DIGIT.match(text, end):
        return None
    if _is_raised(text, product.start()):
        return None
    if text[end : end + 1] == "/" and " " in product[2]:
        return None  # 6 * 1/2: the second operand is a fraction
    if result is None:
        return end
    if not result["number"]:
        return None if result["sign"] else end
    if _OPERATOR_BEFORE.search(before) and not listed:  # 4 + 6*9 = 58: the result is the sum's
        brackets = re.sub(r"[^)]", "", result["unit"])
        stated = text[result.end("marks") :]
        if "{" in result["marks"]:
            stated = stated.replace("}", "", 1)
        return end if holds(text[:end] + brackets, stated) else None
    right = _is_number(result["number"], int(product[1]) * int(product[3]))
    behind = result.end("number")
    if "{" in result["marks"]:
        behind += text.startswith("}", behind)  # of \\boxed{54}
    if not right or _GOES_ON.match(text, behind):
        return None
    bare = result["equals"] == "=" and not result["unit"].strip() and not result["marks"].strip()
    bare = bare and result["number"] == str(int(product[1]) * int(product[3]))
    if bare and not _in_expression(text[: product.start()], text, result.end("number")):
        return result.end("number")
    return end


def _is_raised(text: str, place: int) -> bool:
    """Whether a place is inside of `^{…}` or `_{…}`, at any depth."""
    closed = 0
    for at in range(place - 1, max(0, place - _LONGEST_SCRIPT) - 1, -1):
        if text[at] == "}":
            closed += 1
        elif text[at] == "{" and closed:
            closed -= 1
        elif text[at] == "{" and text[at - 1 : at] in ("^", "_"):
            return True
    return False


def _in_expression(before: str, text: str, end: int) -> bool:
    """Whether what stands between `before` and text[end:] is a part of a larger expression or equation."""
    before = before[-_WINDOW:]
    if _OPERATOR_BEFORE.search(before) and not _BULLET_BEFORE.search(before):
        return True
    return _EXPRESSION_AFTER.match(text, end) is not None


def _is_number(written: str, value: int) -> bool:
    """Whether digits as written (1,000 or 54.00) are the value."""
    return float(written.replace(",", "")) == value
