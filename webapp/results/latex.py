r"""The stage table as LaTeX for a paper: booktabs tables for `\input`, in which any text is only text.

Compiles with every engine and font encoding, given `\usepackage{booktabs,graphicx}`.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime

from webapp.results import pass_exports
from webapp.results.exports import IMPORTED, provenance
from webapp.results.grids import Grid, detail_grid, stage_grid
from webapp.results.pass_curves import changes, curves
from webapp.results.tables import StageTable
from webapp.results.wording import mixed_sizes

# Beside what LaTeX acts upon: ligatures (?`, <<), what babel makes active (") and what may follow \\ ([, *).
SPELT = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\symbol{34}", "`": r"\symbol{96}",
    "[": "{[}", "]": "{]}", "*": "{*}", "–": "--", "—": "---", "…": r"\ldots{}", "\u200b": "{}", "\u00a0": "~", "\u202f": r"\,",
    "‘": "`{}", "’": "'{}", "“": "``{}", "”": "''{}", "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$",
    "→": r"$\rightarrow$", "≤": r"$\leq$", "≥": r"$\geq$", "≠": r"$\neq$", "≈": r"$\approx$", "Δ": r"$\Delta$",
    "α": r"$\alpha$", "β": r"$\beta$", "σ": r"$\sigma$", "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "ø": r"\o{}",
    "Ø": r"\O{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}",
}  # fmt: skip
ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip


def latex(table: StageTable, exported_at: datetime | None = None) -> str:
    """The stage table, the detail metrics and pass@k, each a float with caption and label, and the provenance."""
    come_from = provenance(table, exported_at)
    subject = f"{table.benchmark}, {table.experiment.name}{IMPORTED if table.imported else ''}"
    notes = [f"{label}: {text}" for label, text in come_from.items()]
    warning = mixed_sizes(table)
    tables = [
        _float(stage_grid(table), f"{table.metric.title} on {subject}.", "stages", table, [warning, *notes]),
        _float(detail_grid(table), f"Detail metrics on {subject}.", "details", table),
    ]
    if table.samples:
        found, changed = curves(table), changes(table)
        if found:
            grid = pass_exports.curve_grid(table, found)
            tables.append(_float(grid, f"pass@k on {subject}.", "pass-at-k", table))
        if changed:
            grid = pass_exports.change_grid(table, changed)
            tables.append(_float(grid, f"What the last stages did to pass@k on {subject}.", "changes", table))
    return "\n".join([_comment(come_from), *tables])


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


def _float(grid: Grid, caption: str, kind: str, table: StageTable, notes: list[str] | None = None) -> str:
    """One table, set at the width of the line where it would be wider."""
    label = re.sub(r"[^a-z0-9]+", "-", f"{table.experiment.name}-{table.benchmark}-{kind}".lower()).strip("-")
    columns = "l" * grid.labels + "r" * (len(grid.header) - grid.labels)
    if grid.header[-1] in ("verdict", "What it did"):
        columns = f"{columns[:-1]}l"
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
            *_note(notes or []),
            r"\end{table}",
            "",
        ]
    )


def _note(notes: list[str]) -> list[str]:
    if not any(notes):
        return []
    sentences = ". ".join(escaped(text) for text in notes if text)
    return [r"  \par\medskip", rf"  \parbox{{\linewidth}}{{\raggedright\footnotesize {sentences}.\par}}"]


def _comment(come_from: Mapping[str, str]) -> str:
    """The provenance again, where it stays when the note is cut, and what the tables need."""
    lines = [r"Needs \usepackage{booktabs,graphicx}."]
    lines += [re.sub(r"[\r\n]+", " ", f"{label}: {text}") for label, text in come_from.items()]
    return "".join(f"% {line}\n" for line in lines)
