"""Texts of models as pages show them: escaped, with what is not seen made visible and nothing that reorders or overflows a page.

What is invisible or acts on the text around it (control characters, zero-width and bidirectional ones, tags) is shown as a
sign. It stays in the page beside its sign, so that what is copied is the text, unless it could act there: NUL, half of a
surrogate pair, and what sets directions are left out.
"""

import re
import unicodedata
from dataclasses import dataclass

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from training.text.repetition import repeated_spans

FIRST, FIRST_LINES = 4_000, 80  # characters and lines of a folded text that are shown at first
BRIEF, BRIEF_LINES = 1_500, 30  # where many texts stand together
WORTH = 1.25  # a text is folded that has so many times more
IN_LINE = 200  # characters of a text that stands in a line
STACKED = 4  # marks on one character that are drawn; no script needs more

CONTROLS = (
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR", "SO", "SI",
    "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US",
)  # fmt: skip
NAMED = {
    0x007F: "DEL", 0x00A0: "NBSP", 0x00AD: "SHY", 0x034F: "CGJ", 0x061C: "ALM", 0x115F: "HF", 0x1160: "HF", 0x180E: "MVS",
    0x200B: "ZWSP", 0x200C: "ZWNJ", 0x200D: "ZWJ", 0x200E: "LRM", 0x200F: "RLM", 0x2028: "LS", 0x2029: "PS",
    0x202A: "LRE", 0x202B: "RLE", 0x202C: "PDF", 0x202D: "LRO", 0x202E: "RLO", 0x202F: "NNBSP", 0x2060: "WJ",
    0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI", 0x3164: "HF", 0xFEFF: "BOM", 0xFFA0: "HF",
    0xFFFD: "\ufffd",
}  # fmt: skip
ACTS = frozenset(  # what is not put into the page
    [0, 0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000)]
)
JOINERS = frozenset("\u200c\u200d")  # in scripts and emoji that need them they are no odd ones
SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_ODD = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xa0\xad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202f\u2060-\u206f"
    "\u2800\u3164\ud800-\udfff\ue000-\uf8ff\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e007f" + SELECTORS
)
_MARKS = (  # blocks of combining marks that are piled up; those of scripts that write them one after the other are not in it
    "\u0300-\u034e\u0350-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u06d6-\u06dc\u06df-\u06e4\u0e31"
    "\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a"
    "\ufe20-\ufe2f"
)
FLAG = "\U0001f3f4[\U000e0061-\U000e007a]+\U000e007f"  # of a part of a country, as Scotland's
PLAIN = re.compile(r"[\n\x20-\x7e]*")
PARTS = re.compile(
    rf"(?P<mul><MUL_\d_\d_\d\d?>)|(?P<flag>{FLAG})|(?P<tab>\t+)|(?P<odd>(?P<sign>[{_ODD}])(?P=sign)*)"
    rf"|(?P<pile>[{_MARKS}]{{{STACKED + 1},}})"
)
ODD = re.compile(f"[{_ODD}]")
SELECTOR = re.compile(f"[{SELECTORS}]")


def written(text: str) -> SafeString:
    """The text as HTML, with mul-tokens `<MUL_6_9_54>` marked and what is odd shown as signs."""
    return mark_safe(_written(text))  # noqa: S308 - each part is escaped


def written_with_repeats(text: str) -> SafeString:
    """The same, with the phrases marked by which the text repeats itself."""
    parts, done = [], 0
    for start, end in repeated_spans(text):
        parts += [_written(text[done:start]), '<mark class="repeat">', _written(text[start:end]), "</mark>"]
        done = end
    return mark_safe("".join([*parts, _written(text[done:])]))  # noqa: S308 - each part is escaped


def placed(html: SafeString, more: str = "") -> SafeString:
    """A text's HTML in its place, in which its first part is replaced by the whole."""
    return format_html(
        '<span class="text-place"><span class="model-text" dir="auto">{}</span>{}</span>', html, more
    )


@dataclass(frozen=True)
class Folded:
    """The part of a text that is shown at first."""

    text: str
    characters: int  # of the whole text
    whole: bool


def folded(text: str, most: int = FIRST, most_lines: int = FIRST_LINES) -> Folded:
    """The text, or its beginning where it is long; no character is cut from its marks."""
    lines = text.count("\n") + 1
    if len(text) <= WORTH * most and lines <= WORTH * most_lines:
        return Folded(text, len(text), whole=True)
    end = min(most, len(text))
    breaks = [found.start() for found in re.finditer("\n", text[:end])]
    if lines > WORTH * most_lines and len(breaks) >= most_lines:
        end = breaks[most_lines - 1]
    least = end - 50
    while least < end < len(text) and (text[end] in JOINERS or unicodedata.category(text[end])[0] == "M"):
        end -= 1
    return Folded(text[:end], len(text), whole=False)


def name_of(character: str) -> str:
    """U+202E RIGHT-TO-LEFT OVERRIDE; of what has no name, what it is."""
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        kind = "half of a surrogate pair, no character"
    elif code == 0xFFFD:
        kind = "REPLACEMENT CHARACTER: here stood bytes that are no text"
    else:
        kind = unicodedata.name(character, "control character" if code < 0xA0 else "no character of its own")
    return f"U+{code:04X} {kind}"


def sign_of(character: str) -> str:
    """What is shown for a character that is not seen: ESC, ZWSP, U+0085."""
    code = ord(character)
    return CONTROLS[code] if code < len(CONTROLS) else NAMED.get(code, f"U+{code:04X}")


def _written(text: str) -> str:
    if PLAIN.fullmatch(text) and "<MUL_" not in text:
        return str(escape(text))
    parts, done = [], 0
    for found in PARTS.finditer(text):
        if not (shown := _part(found)):
            continue
        parts += [str(escape(text[done : found.start()])), shown]
        done = found.end()
    return "".join([*parts, str(escape(text[done:]))])


def _part(found: re.Match[str]) -> str:
    """The HTML of something that is not plain text; empty where it is as it should be."""
    text = found.group()
    match found.lastgroup:
        case "mul":
            return f'<mark class="mul">{escape(text)}</mark>'
        case "tab":
            return f'<span class="odd tab" data-sign="⇥" title="tab">{text}</span>'
        case "pile":
            title = f"{len(text)} marks on one character, of which {STACKED} are drawn"
            return text[:STACKED] + _odd(f"+{len(text) - STACKED}", title, text[STACKED:])
        case "odd":
            return "" if _belongs(found) else _odd_run(text)
    return ""


def _odd_run(text: str) -> str:
    """One odd character, or several of the same."""
    first, count = text[0], len(text)
    sign = sign_of(first)
    shown = sign * count if len(sign) == 1 and count < 4 else f"{sign}×{count}" if count > 1 else sign
    kept = "" if ord(first) in ACTS else text.replace("\r", "&#13;")  # a bare one would become a line end
    return _odd(shown, name_of(first), kept)


def _odd(sign: str, title: str, kept: str) -> str:
    return f'<span class="odd" data-sign="{sign}" title="{title}"><i>{kept}</i></span>'


def _belongs(found: re.Match[str]) -> bool:
    """Whether a joiner or a variation selector is part of a word or of an emoji, so that it is not to be seen."""
    text, start, end = found.string, found.start(), found.end()
    if end - start > 1 or start == 0:
        return False
    before = text[start - 1]
    if SELECTOR.match(found.group()):
        return (ord(before) > 0xA0 or before in "#*0123456789") and not ODD.match(before)
    if found.group() not in JOINERS or end == len(text):
        return False
    after = text[end]
    return (
        min(ord(before), ord(after)) > 0xA0
        and not ODD.match(after)
        and (SELECTOR.match(before) is not None or not ODD.match(before))
    )
