"""Numbers as completions write them: finding them in a text, and what each is worth (no torch).

Which notations count, and which do not, is argued in docs/decisions/060-grader-version-2.md. Values are exact.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from training.text.mul_tokens import TOKENS

LARGEST_EXPONENT = 300  # of 1e3 and 10^3; what is larger is no number
MOST_DIGITS = 2_000  # a longer number is cut there, as no reference has so many
CURRENCY = "$€£¥₹"

_DEC = r"(?:\d+(?:,\d+)*(?:\.\d+(?:,\d+)*)*|(?<![\w.)\]])\.\d+)"
_EXPONENT = r"(?:\{\s*[-+]?\d+\s*\}|\(\s*[-+]?\d+\s*\)|[-+]?\d+)"
_ROOT = rf"(?:\\sqrt\s*(?:\[\s*\d+\s*\]\s*)?(?:\{{\s*{_DEC}\s*\}}|{_DEC})|√[ \t]*{_DEC})"
_BRACED = rf"(?:\s*\{{\s*-?\s*{_DEC}\s*\}}|\s*\d)"
_WRITTEN = re.compile(
    rf"""(?=[\d.<\\√]) (?:  # else no alternative is tried
    <MUL_\d_\d_(?P<result>\d+)>(?:\.0+(?![\d<]|[.,]\d))?
    | (?:(?P<before>\d+)\s*)?\\[dtc]?frac(?P<over>{_BRACED})(?P<under>{_BRACED})
    | (?P<none>
        (?:{_DEC}[ \t]*)?{_ROOT}  # 2\\sqrt{{3}}, √16: not worked out
        | {_DEC}(?::{_DEC})+ | (?:19|20)\d\d-[01]?\d-[0-3]?\d(?!\d|[ \t]*=) | {_DEC}(?:/{_DEC}){{2,}}  # 10:30, 3:4, 2024-01-15, 1/15/24
      )
    | (?:(?P<whole>\d+)(?:[ \t]+|[ \t]+and[ \t]+))?(?P<top>{_DEC})[ \t]?[/⁄][ \t]?(?P<bottom>{_DEC})
    | (?:(?P<mantissa>{_DEC})[ \t]*[×x*][ \t]*)?10[ \t]*(?:\^|\*\*)[ \t]*(?P<ten>{_EXPONENT})
    | (?P<power>{_DEC}[ \t]*\^[ \t]*{_EXPONENT} | {_DEC}\*\*\d+)
    | (?P<plain>{_DEC}(?:[eE][-+]?\d+(?!\w))?)
    )""",
    re.VERBOSE,
)
_GROUPS = re.compile(r"\d{1,3}(?:\.\d{3}){2,}|\d{1,3}(?:\.\d{3})+,\d{1,2}")  # 1.234.567, 1.234,50
_NAME = re.compile(  # right before digits that are a part of a name, or an exponent; 6x7 has none
    r"(?:[^\W\d_xX]|(?<![\d)\]])[xX]|[^\W_]_|[_^][{(]-?|\^-?)\Z"
)
_CODES = re.compile(r"\b(?:Rs|USD|EUR|GBP|INR)\Z")
_ORDINAL = re.compile(r"(?:st|nd|rd|th)\b", re.IGNORECASE)
_SIGN = re.compile(
    rf"(?P<head>[^{CURRENCY}]?)[{CURRENCY}]?-(?P<space>[ \t]*)(?:[{CURRENCY}][ \t]*)?\Z", re.DOTALL
)
_OPERAND = re.compile(r"[^\W_]|[.)\]}%-]")  # right before a minus: it subtracts, or is a dash
_ONLY_A_SIGN = re.compile(r"(?:=|####|→|≈|\{|\b(?:is|was|equals)|\banswer:)[ \t*_$]*\Z", re.IGNORECASE)
_DIGIT, _TOKEN = (
    re.compile(r"[.,]?(?=\d)"),
    re.compile(r"[.,]?(?=<MUL_)"),
)  # what touches a mul-token, and what one touches
_LOOKED_BACK = 40  # characters that decide on a number's sign

_ANSI = re.compile(
    r"(?:\x1b\[|\x9b|\\(?:033|e|x1[bB]|u001[bB])\[|␛\[|\^\[\[)[0-?]*(?:[ -/]*[@-~]|\Z)"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\|\Z)|\x1b"
)
_BARE_CODE = re.compile(r"\[\d{0,3}(?:;\d{1,3})*m")
_RESERVED = re.compile(
    r"<\|[^<>\n]{0,80}?(?:\|>|\Z)|</?[A-Za-z][\w./:-]{0,80}>|<0x[\dA-Fa-f]+>|\[unused_?\d+\]"
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufe0e\ufe0f\ufeff]")
_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_MINUSES = dict.fromkeys(map(ord, "−–‐‑‒﹣－"), "-")  # an em dash is none: it stands between words
_SUPERSCRIPTS = re.compile("[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_CALCULATOR = re.compile(r"<<(?:[^<>\n]*=)?([^<>=\n]*)>>(?P<again>[ $]*-?\.?\d)?")
_STYLED = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|mbox)\s*\{([^{}]*)\}")
_LATEX = {
    r"\times": "×", r"\cdot": "×", r"\ast": "*", r"\div": "÷", r"\approx": "≈", r"\rightarrow": "→", r"\to": "→",
    r"\Rightarrow": "→", r"\implies": "→", r"\left": "", r"\right": "", r"\!": "", r"\$": "$", r"\%": "%", r"\(": " ",
    r"\)": " ", r"\[": " ", r"\]": " ", r"\quad": " ",
}  # fmt: skip
_COMMAND = re.compile(
    "|".join(rf"{re.escape(one)}(?![A-Za-z])" for one in sorted(_LATEX, key=len, reverse=True))
)
_SPACING = r"(?:\\[,;: ]|~|\{ *, *\})"
_GROUPED_IN_LATEX = re.compile(rf"(?<=\d){_SPACING}(?=\d{{3}}(?!\d))")
_GROUPED = re.compile(  # one mark between all groups of three: 1'234'567, 1_000, a no-break or thin space
    "(?<![\\w.,])\\d{1,3}(?P<mark>['’_\u00a0\u2007\u2009\u202f])\\d{3}(?:(?P=mark)\\d{3})*(?![\\d'’_])"
)
_GROUPED_BY_SPACES = re.compile(
    r"(?<![\w.,])\d{1,3}(?= (?:\d{3} )*0\d\d)(?: \d{3})+(?![\w])"
)  # 1 000: no number begins with 00


@dataclass(frozen=True)
class Number:
    """A number, or what is written like one; it stands at text[start:end], its minus included."""

    start: int
    end: int
    written: re.Match[str] | None  # None: 1<MUL_2_9_18>, which writes neither 118 nor 18
    negative: bool
    ordinal: bool  # 3rd

    @cached_property
    def value(self) -> Fraction | None:
        """None where it is written like a number, and is none: 10:30, 5^2, 1.2.3."""
        size = None if self.written is None else _value(self.written)
        return -size if size is not None and self.negative else size


def plain(text: str) -> str:
    """Write what numbers are made of in one way: without escape codes, names of reserved entries, LaTeX, other scripts."""
    text = _RESERVED.sub(lambda found: found[0] if found[0] in TOKENS else " ", _ANSI.sub("", text))
    if "[0m" in text:  # codes whose first character is lost
        text = _BARE_CODE.sub("", text)
    text = _CALCULATOR.sub(lambda found: found["again"] or f" {found[1]} ", text)  # as said around it
    if not text.isascii():
        text = _INVISIBLE.sub("", text).translate(_MINUSES)
        text = _SUPERSCRIPTS.sub(
            lambda found: f"^{{{unicodedata.normalize('NFKC', found[0]).replace('−', '-')}}}", text
        )
        text = "".join(c if c.isascii() else _ascii(c, text[i - 1 : i]) for i, c in enumerate(text))
    if "\\" in text or "{" in text or "~" in text:
        text = _COMMAND.sub(lambda found: _LATEX[found[0]], _STYLED.sub(r" \1 ", text))
        text = re.sub(_SPACING, " ", _GROUPED_IN_LATEX.sub(",", text))
    text = _SPACES.sub(" ", _GROUPED.sub(lambda found: found[0].replace(found["mark"], ","), text))
    return _GROUPED_BY_SPACES.sub(lambda found: found[0].replace(" ", ","), text)


def _ascii(char: str, before: str) -> str:
    """A digit of another script, a fraction, a full-width sign as ASCII; every other character as it is."""
    kind = unicodedata.category(char)
    if kind == "Nd":
        return str(unicodedata.decimal(char))
    if "\uff01" <= char <= "\uff5e":
        return chr(ord(char) - 0xFEE0)
    if char in "·⋅∙✕✖":
        return "×"
    if kind == "No" and "FRACTION" in unicodedata.name(char, ""):
        parts = unicodedata.normalize("NFKC", char).replace("⁄", "/")
        return f" {parts}" if before.isdigit() else parts
    return {"٬": ",", "﹐": ",", "٫": ".", "∕": "/"}.get(char, char)


def numbers(text: str, start: int = 0) -> Iterator[Number]:
    """Yield what is written like a number in a text that went through `plain`, from left to right."""
    glued = range(0)  # places where a number begins that touches the one before: 5 and .5 behind a token
    for found in _WRITTEN.finditer(text, start):
        if (number := _number(text, found)) is None:
            continue
        touches = found.start() in glued
        joint = (_DIGIT if found["result"] or touches else _TOKEN).match(text, number.end)
        yield replace(number, written=None) if joint or touches else number
        glued = range(0) if joint is None else range(number.end, joint.end() + 1)


def number_at(text: str, place: int) -> Number | None:
    """What is written like a number right at a place, its minus before it or not; None where nothing is."""
    if _WRITTEN.match(text, place) is None:
        return None
    number = next(numbers(text, place), None)
    return number if number is not None and number.start <= place else None


def _number(text: str, found: re.Match[str]) -> Number | None:
    """What one match is; None where its digits are a part of a name: x2, x_2, cm^2."""
    start, end = found.span()
    before = text[max(0, start - _LOOKED_BACK) : start]
    if not found["result"] and _NAME.search(before) and not _CODES.search(before):
        return None
    if found["whole"] and not _is_mixed(found):
        start = found.start("top")
        before = text[max(0, start - _LOOKED_BACK) : start]
    if (sign := _SIGN.search(before)) and not _OPERAND.fullmatch(sign["head"]):
        minus = len(before) - before.rindex("-")
        if not sign["space"] or _ONLY_A_SIGN.search(before[:-minus]):
            return Number(start - minus, end, found, negative=True, ordinal=False)
    ordinal = found["plain"] is not None and _ORDINAL.match(text, end) is not None
    return Number(start, end, found, negative=False, ordinal=ordinal)


def _value(found: re.Match[str]) -> Fraction | None:
    """The value of a match without its sign; None where it has none."""
    if found["result"]:
        return Fraction(int(found["result"]))
    if found["over"]:
        parts = [_decimal(found[name].strip(" {}\t\n").replace(" ", "")) for name in ("over", "under")]
        return _quotient(parts[0], parts[1], _decimal(found["before"] or "0"))
    if found["top"]:
        whole = found["whole"] if _is_mixed(found) else None
        return _quotient(_decimal(found["top"]), _decimal(found["bottom"]), _decimal(whole or "0"))
    if found["ten"]:
        exponent = found["ten"].strip("{}() \t")
        return _scaled(_decimal(found["mantissa"] or "1"), exponent)
    if found["plain"]:
        digits, _, exponent = found["plain"].lower().partition("e")
        return _scaled(_decimal(digits), exponent or "0")
    return None


def _is_mixed(found: re.Match[str]) -> bool:
    """Whether a whole number and the fraction behind it are one number: 1 1/2, and not 5 10/2."""
    top, bottom = _decimal(found["top"]), _decimal(found["bottom"])
    return (
        bool(found["whole"])
        and top is not None
        and bottom is not None
        and 0 < top < bottom
        and bottom.denominator == 1
    )


def _quotient(over: Fraction | None, under: Fraction | None, whole: Fraction | None) -> Fraction | None:
    return None if over is None or not under or whole is None else whole + over / under


def _scaled(value: Fraction | None, exponent: str) -> Fraction | None:
    if value is None or len(exponent) > len("-0300") or abs(int(exponent)) > LARGEST_EXPONENT:
        return None
    return value * Fraction(10) ** int(exponent)


def _decimal(written: str) -> Fraction | None:
    """The value of digits with commas and a point; commas are left out whatever they group; None for 1.2.3."""
    if _GROUPS.fullmatch(written):
        written = written.replace(".", "").replace(",", ".")
    elif written.count(".") > 1 or re.search(r"\..*,", written):
        return None
    return Fraction(written.replace(",", "")[:MOST_DIGITS])


def normalised(value: Fraction) -> str:
    """A value as text: digits, with a point where it ends (0.5), else a fraction in lowest terms (1/3)."""
    rest, places = value.denominator, 0
    for factor in (2, 5):
        times = 0
        while rest % factor == 0:
            rest, times = rest // factor, times + 1
        places = max(places, times)
    if rest != 1 or places > MOST_DIGITS:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).zfill(places + 1)
    point = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"-{point}" if value < 0 else point
