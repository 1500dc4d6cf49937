"""The final answer of a completion: finding it, and comparing it with the reference (no torch)."""

import re
from decimal import Decimal, InvalidOperation

from training.text import scratchpad
from training.text.mul_tokens import as_results

_NUMBER = r"[-+−]?\s?\$?\s?[-−]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
_AFTER_MARK = re.compile(rf"####\s*({_NUMBER})")
_AFTER_WORDS = re.compile(rf"the answer is:?\s*({_NUMBER})", re.IGNORECASE)
_ANY = re.compile(r"(?:(?<![\w.)])[-−]\s?)?\$?(?:\d[\d,]*(?:\.\d+)?|\.\d+)|(?<=\$)-\d[\d,]*(?:\.\d+)?")


def extract_answer(text: str) -> str | None:
    """Return the number after `####`, else after "the answer is", else the last number; normalised, or None.

    A mul-token counts as its result's digits; what stands in a scratchpad is no answer. Normalised: no commas, `$`, plus sign or trailing zeros after
    the point; `-0` is `0`.
    """
    text = as_results(scratchpad.parts(text).answer)
    for pattern in (_AFTER_MARK, _AFTER_WORDS):
        found = pattern.search(text)
        if found:
            return _normalised(found[1])
    numbers = _ANY.findall(text)
    return _normalised(numbers[-1]) if numbers else None


def same_number(a: str | None, b: str | None) -> bool:
    """Whether two written numbers have the same value; False when one is missing or no number."""
    first, second = value(a), value(b)
    return first is not None and first == second


def value(written: str | None) -> Decimal | None:
    """Return the value of a written number (commas, `$`, signs allowed), or None when it is no number."""
    if written is None:
        return None
    plain = re.sub(r"[\s,$]", "", written).replace("−", "-").rstrip(".")
    try:
        number = Decimal(plain)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _normalised(written: str) -> str | None:
    number = value(written)
    if number is None:
        return None
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text.removeprefix("+")
