"""How lm-evaluation-harness and Inspect read a completion, by the rules that they document, and where version 2 differs.

The columns of docs/decisions/060-grader-version-2.md. The three rules are written anew here, as short as they can be.
"""

import re
import unicodedata
from fractions import Fraction
from math import isfinite

import pytest

from tests.training.text.test_answers import NO_NUMBERS, NOTATIONS
from training.text.answers import extract_answer

STRICT = re.compile(r"#### (-?[0-9.,]+)")  # the first; lm-evaluation-harness, gsm8k
FLEXIBLE = re.compile(r"-?[$0-9.,]{2,}|-?[0-9]+")  # the last; the same task
EDGES = "!?:;()[]{}'\"`~<=>@#^&|"  # what Inspect leaves out around a word
SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+$")
MINUS, GROUPING = "-−﹣－", "'’ʼ"


def strict(text: str) -> float | None:
    """The number right behind the first `#### `."""
    found = STRICT.search(text)
    return None if found is None else _compared(found[1])


def flexible(text: str) -> float | None:
    """The last digits, with a minus, points, commas and dollar signs among them."""
    found = FLEXIBLE.findall(text)
    return _compared(found[-1]) if found else None


def _compared(written: str) -> float | None:
    """As the harness compares: without commas, dollar signs and a full stop."""
    try:
        return float(re.sub(r"\.$", "", re.sub(r"[,$]", "", written)))
    except ValueError:
        return None


def inspect(text: str) -> float | None:
    """`match(numeric=True)`: the last word that is a number as a whole, currencies, commas and emphasis left out."""
    plain = re.sub(r"\.(?=\D|$)", "", re.sub(r"[$£€,*_]", "", text.casefold()))
    for word in reversed(plain.split()):
        for written in (word, word.strip(EDGES)):
            if (found := _number(written)) is not None:
                return found
    return None


def _number(word: str) -> float | None:
    """A word as a number: as Python's float reads it, with ½ and 5² and signs of Unicode."""
    try:
        found = float(word)
    except ValueError:
        return _unicode_number(word)
    return found if isfinite(found) else None


def _unicode_number(word: str) -> float | None:
    size = word.lstrip(MINUS + "+＋﹢")
    signs = sum(one in MINUS for one in word[: len(word) - len(size)])
    exponent = SUPERSCRIPT.search(size) if len(size) > 1 else None
    base = size[: exponent.start()] if exponent else size
    part = 0.0
    if base and 0 < unicodedata.numeric(base[-1], 0) < 1:
        base, part = base[:-1], unicodedata.numeric(base[-1])
    digits = "".join(one for one in base if one not in GROUPING).replace("．", ".").replace("٫", ".")
    try:
        found = (float(digits) if digits or not part else 0.0) + part
    except ValueError:
        return None
    power = int(unicodedata.normalize("NFKC", exponent[0]).replace("−", "-")) if exponent else 1
    return float((-found if signs % 2 else found) ** power) if isfinite(found) else None


COLUMNS = {  # behind `#### `: strict, flexible, Inspect, and what version 2 reads
    "1/2": (1, 2, None, "0.5"), "½": (None, None, 0.5, "0.5"), r"\frac{1}{2}": (None, 2, None, "0.5"), r"\dfrac12": (None, 12, None, "0.5"),
    "1 1/2": (1, 2, 1, "1.5"), "1½": (1, 1, 1.5, "1.5"), r"2\frac{1}{2}": (2, 2, None, "2.5"),
    "10/2": (10, 2, None, "5"), "10 / 2": (10, 2, 2, "5"),
    "1e3": (1, 3, 1000, "1000"), "1.5e-3": (1.5, -3, 0.0015, "0.0015"), r"1.5 \times 10^{3}": (1.5, 3, 1.5, "1500"),
    "5^2": (5, 2, None, None), "5²": (5, 5, 25, None), r"\sqrt{16}": (None, 16, None, None),
    "1{,}234": (1, 234, None, "1234"), r"1\,234": (1, 234, None, "1234"), "1'234": (1, 234, 1234, "1234"), "1_000": (1, 0, 1000, "1000"),
    "1\u202f234": (1, 234, 234, "1234"), "1 000 000": (1, 0, 0, "1000000"),
    "1.234.567": (None, None, None, "1234567"), "1.234,50": (1.2345, 1.2345, 1.2345, "1234.5"), "12,34": (1234, 1234, 1234, "1234"), "1,5": (15, 15, 15, "15"),
    "–5": (None, 5, None, "-5"), "−5": (None, 5, -5, "-5"), "‑5": (None, 5, None, "-5"), "－5": (None, 5, -5, "-5"), "- 5": (None, 5, 5, "-5"),
    "10:30": (10, 30, None, None), "3:4": (3, 4, None, None), "3 : 4": (3, 4, 4, None), "2024-01-15": (2024, -15, None, None), "1/15/2024": (1, 2024, None, None),
    "1.2.3": (None, None, None, None), "60%": (60, 60, None, "60"), r"50\%": (50, 50, None, "50"),
    "$5": (None, 5, 5, "5"), "US$5": (None, 5, None, "5"), "5 €": (5, 5, 5, "5"), "42 apples": (42, 42, 42, "42"), "5km": (5, 5, None, "5"),
    "25 cm^2": (25, 2, 25, "25"), "25 cm²": (25, 25, 25, "25"), "5 million": (5, 5, 5, "5"), "３４": (None, None, 34, "34"), "3rd": (3, 3, None, "3"),
    "x2": (None, 2, None, None), "x_2": (None, 2, None, None), "H2O": (None, 2, None, None),
    "1<MUL_2_9_18>": (1, 18, None, None), "<MUL_2_9_18>": (None, 18, None, "18"), "$<MUL_6_7_42>.00": (None, 0, None, "42"),
    "6 * 7 = 42": (6, 42, 42, "42"), "6 * 7": (6, 7, 7, None), "8 1 = 12": (8, 12, 12, "12"), "84 : 2 = 42": (84, 42, 42, "42"),
    "$12/hour * 8 hours = $96": (None, 96, 96, "96"), "3/4 of 20 = 15": (3, 15, 15, "15"), "5 plus 6 equals 11": (5, 11, 11, "11"),
    "20% of 50 = 10": (20, 10, 10, "10"), "2x = 10, x = 5": (2, 5, 5, "5"), "60 minutes = 1 hour": (60, 1, 1, "1"),
    "1.5 hours = 1 hour 30 minutes": (1.5, 30, 30, "1.5"), "5. No wait, the answer is 6.": (5, 6, 6, "5"),
}  # fmt: skip


@pytest.mark.parametrize("written", COLUMNS)
def test_the_columns_of_the_decision_are_what_each_rule_reads(written):
    text = f"#### {written}"
    assert (strict(text), flexible(text), inspect(text), extract_answer(text)) == COLUMNS[written]


AGREED_OTHERWISE = {  # a rule of the harness and Inspect's read one number, and version 2 another one or none: why
    "10 / 2": "a fraction with spaces; they read its lower half",
    r"\tfrac 1 4": "a fraction; they read its lower half",
    "1 1/2": "a mixed number; they read its whole part",
    "-1 1/2": "a mixed number; they read its whole part",
    r"1.5 \times 10^{3}": "a number times a power of ten; they read the factor",
    "1\u202f234": "a thin space groups digits; they read the last group",
    "1 000 000": "a space groups digits; they read the last group, 0",
    "1.234,50": "points group and the comma is the decimal one; without commas it is 1.2345 for them",
    "- 5": "behind the mark it can only be a sign",
    "3 : 4": "a ratio: any part is right by chance only",
    "6 * 7": "not worked out",
    r"\sqrt 16": "not worked out either; with braces, as LaTeX is mostly written, Inspect reads none",
    "2 √9": "not worked out either; they read the factor",
    "1.5 hours = 1 hour 30 minutes": "the last side is one amount in two numbers",
    "5. No wait, the answer is 6.": "behind a mark another mark counts alone, and strict reads 5, too",
}


def test_where_they_agree_version_2_does_but_for_a_listed_set():
    found = set()
    for written in dict.fromkeys([*NOTATIONS, *NO_NUMBERS, *COLUMNS]):
        text = f"#### {written}"
        own, theirs = extract_answer(text), inspect(text)
        agreed = theirs is not None and theirs in (strict(text), flexible(text))
        if agreed and (own is None or float(Fraction(own)) != theirs):
            found.add(written)
    assert found == AGREED_OTHERWISE.keys()


@pytest.mark.parametrize(
    ("text", "first", "last", "word"),
    [
        ("The answer is 5. No wait, the answer is 6.", None, 6, 6),
        ("#### 5\n#### 6", 5, 6, 6),
        ("5 + 3 = 8\nso **8** (in total).", None, 8, 8),
        ("#### 1,234,567.", 1234567, 1234567, 1234567),
        ("-2² is 4; it is (-2²)", None, -2, 4),
        ("nothing", None, None, None),
    ],
)
def test_the_rules_as_they_are_documented(text, first, last, word):
    assert (strict(text), flexible(text), inspect(text)) == (first, last, word)
