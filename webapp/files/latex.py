r"""A table as LaTeX for a paper: booktabs tables for `\input`, in which any text is only text.

Compiles with every engine and font encoding, given `\usepackage{array,booktabs,graphicx}`.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from pylatexenc.latexencode import get_builtin_conversion_rules, get_builtin_uni2latex_dict

from webapp.files.grid import Grid
from webapp.files.table import Sheet, Table

# What LaTeX acts upon, ligatures (?`, <<), what babel makes active ("), what may follow \\ ([, *), quotation marks, spaces, and ×.
OWN = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\symbol{34}", "`": r"\symbol{96}",
    "[": "{[}", "]": "{]}", "*": "{*}", "–": "--", "—": "---", "…": r"\ldots{}", "\u200b": "{}", "\u00a0": "~", "\u202f": r"\,",
    "‘": "`{}", "’": "'{}", "“": "``{}", "”": "''{}", "×": r"$\times$",
}  # fmt: skip
# Of pylatexenc's thousand macros those that need no package and are in every font encoding: signs of formulas, and of text.
SIGNS = "αβγδεζηθικλμνξπρςστυφχψωΓΔΘΛΞΠΣΥΦΨΩ−±÷·∓∘∞∝∂∇∀∃∈∋∏∑∫∩∪∧∨⊂⊃⊆⊇≡∼≈≠≤≥≪≫←↑→↓↔⇐⇒⇔"
LETTERS = "ßæÆøØœŒłŁı§¶©£†‡"


def _spellings() -> dict[str, str]:
    """Character → what LaTeX reads as it: ours first, then pylatexenc's two tables."""
    (of_formulas,), text = get_builtin_conversion_rules("unicode-xml"), get_builtin_uni2latex_dict()
    found = {letter: f"{text[ord(letter)]}{{}}" for letter in LETTERS}
    for sign in SIGNS:
        macro = text[ord(sign)].removeprefix(r"\ensuremath{")
        found[sign] = (
            f"${of_formulas.rule[ord(sign)] if macro == text[ord(sign)] else macro.removesuffix('}')}$"
        )
    return found | OWN


SPELT = _spellings()
ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip


def latex(table: Table) -> str:
    """Every sheet a float with caption and label; the first has the warnings and the provenance under it."""
    notes = [*table.warnings, *(f"{label}: {text}" for label, text in table.provenance.items())]
    captions = (table.title, *(f"{sheet.title} {table.about}" for sheet in table.more))
    floats = [
        _float(sheet, f"{caption}.", table, notes if sheet is table.sheet else [])
        for sheet, caption in zip(table.sheets, captions, strict=True)
    ]
    said = [one.headline for every in table.statements.values() for one in every]
    return "\n".join([_comment(table.provenance, said), *floats])


def escaped(text: str) -> str:
    """Text that LaTeX sets as it is; a character that not every font has becomes its code point, as U+6F22."""
    text = re.sub(r"\s*[\r\n]+\s*", " ", text)
    text = re.sub(r"([-,'])(?=\1)", "\\1\u200b", text)  # two of them would be one sign
    return "".join(_spelt(character) for character in unicodedata.normalize("NFC", text))


def _spelt(character: str) -> str:
    if character in SPELT:
        return SPELT[character]
    if " " <= character <= "~":
        return character
    base, marks = (apart := unicodedata.normalize("NFD", character))[0], apart[1:]
    if base.isascii() and marks in ACCENTS:
        return rf"\{ACCENTS[marks]}{{{base}}}"
    return f"U+{ord(character):04X}"


def _float(sheet: Sheet, caption: str, table: Table, notes: list[str]) -> str:
    """One table, set at the width of the line where it would be wider."""
    grid = sheet.grid
    label = re.sub(r"[^a-z0-9]+", "-", f"{table.name}-{sheet.name}".lower()).strip("-")
    columns = "".join(_column(grid, place) for place in range(len(grid.header)))
    header, *lines = (f"    {' & '.join(map(escaped, line))} \\\\" for line in (grid.header, *grid.lines))
    return "\n".join(
        [
            r"\begin{table}[tbp]",
            r"  \centering",
            rf"  \caption{{{escaped(caption)}}}",
            rf"  \label{{tab:{label}}}",
            r"  \sbox0{\begin{tabular}{@{}" + columns + "@{}}",
            r"    \toprule",
            header,
            r"    \midrule",
            *lines,
            r"    \bottomrule",
            r"  \end{tabular}}%",
            r"  \ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi",
            *_note(notes),
            r"\end{table}",
            "",
        ]
    )


def _column(grid: Grid, place: int) -> str:
    if place in grid.wide:
        return rf">{{\raggedright\arraybackslash}}p{{{0.9 / len(grid.wide):.2f}\linewidth}}"
    return "l" if grid.is_words(place) else "r"


def _note(notes: list[str]) -> list[str]:
    if not any(notes):
        return []
    sentences = ". ".join(escaped(text) for text in notes if text)
    return [r"  \par\medskip", rf"  \parbox{{\linewidth}}{{\raggedright\footnotesize {sentences}.\par}}"]


def _comment(come_from: Mapping[str, str], said: Sequence[str]) -> str:
    """What the tables need, what they say, and the provenance again, where it stays when the note is cut."""
    lines = [r"Needs \usepackage{array,booktabs,graphicx}."]
    told = [*said, *(f"{label}: {text}" for label, text in come_from.items())]
    lines += [re.sub(r"[\r\n]+", " ", text) for text in told]
    return "".join(f"% {line}\n" for line in lines)
