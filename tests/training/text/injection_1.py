"""Injection as version 1 had it, against which version 2 is held on whole data: it knew no sizes and no sums' last products."""

import re

from training.text.mul_tokens import token

_TIMES = r"(?:[ \t]*[*×][ \t]*|[ \t]+x[ \t]+|x)"
_PRODUCT = re.compile(rf"(?<![\w.,)√])([1-9])({_TIMES})([1-9])(?![\w(%^!]|[.,]\d|-[A-Za-z]|\*\*)")
_BINDS_TIGHTER = re.compile(r"(?:[*×/÷^%√]|(?<![A-Za-z])x)[ \t]*\$?[ \t]*\Z|\d[ \t]+\Z|\d[:,]\Z")
_NOT_ONE_DIGIT = re.compile(r"[ \t]+\d|[ \t]*(?:\^|\*\*)|[ \t]*(?:%|percent\b)")
_RESULT = re.compile(
    r"(?P<unit>[ \t)]*(?:[ \t][A-Za-z]+){0,4}?)[ \t]*(?P<equals>=+|(?<=[ \t])(?:is|are|equals|makes|gives)\b)[ \t]*"
    r"(?P<marks>(?:\$|<<[^<>\n]*>>|[ \t])*)(?P<number>-?(?:\d(?:[\d,]*\d)?)?(?:\.\d+)?)(?P<sign>[-+−(√]?)"
)
_GOES_ON = re.compile(
    r"[\w%(^]|[.,]\d|[ \t]+\d|[ \t]*[-+−*×/÷=][ \t]*[($]*[\d.]|[ \t]+x[ \t]"
    r"|[ \t]+(?:hundred|thousand|million|billion|percent|dozen)\b"
)
_OPERATOR_BEFORE = re.compile(r"(?:[-+−*×/÷^%√]|(?<![A-Za-z])x|[\w)](?=\())[ \t]*[($ \t]*\Z")
_BULLET_BEFORE = re.compile(r"(?:^|\n)[ \t]*[-*+−][ \t]+\Z")
_EXPRESSION_AFTER = re.compile(
    r"[ \t)]*(?:[-+−*×/÷^=(]|x(?![A-Za-z])|(?:is|are|equals|makes|gives)\b|(?:[A-Za-z]+[ \t]+){1,4}=)"
)


def inject(text: str) -> str:
    """The text with mul-tokens as version 1 set them."""
    pieces, done = [], 0
    for product in _PRODUCT.finditer(text):
        end = _end_of_replaced(text, product)
        if end is not None:
            pieces += [text[done : product.start()], token(int(product[1]), int(product[3]))]
            done = end
    return "".join([*pieces, text[done:]])


def _end_of_replaced(text: str, product: re.Match[str]) -> int | None:
    before, end = text[max(0, product.start() - 32) : product.start()], product.end()
    listed = _BULLET_BEFORE.search(before)
    if (_BINDS_TIGHTER.search(before) and not listed) or _NOT_ONE_DIGIT.match(text, end):
        return None
    if text[end : end + 1] == "/" and " " in product[2]:
        return None
    result = _RESULT.match(text, end)
    if result is None:
        return end
    if not result["number"]:
        return None if result["sign"] else end
    value = int(product[1]) * int(product[3])
    within = bool(_OPERATOR_BEFORE.search(before)) and not listed
    right = float(result["number"].replace(",", "")) == value
    if not right or within or _GOES_ON.match(text, result.end("number")):
        return None
    bare = result["equals"] == "=" and not result["unit"].strip() and not result["marks"].strip()
    behind = result.end("number")
    bare = bare and result["number"] == str(value) and not _EXPRESSION_AFTER.match(text, behind)
    return behind if bare else end
