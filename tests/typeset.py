"""LaTeX of the tables as a paper sets it: compiled in a document of its own, where nothing may overflow or be missing."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

INSTALLED = shutil.which("pdflatex") is not None


def typeset(tables: Iterable[str], folder: Path, encoding: str = "OT1") -> Path:
    """The tables, one to a page, as a PDF; fails with the end of the log where LaTeX refuses or a line is too wide."""
    document = (
        rf"\documentclass{{article}}\usepackage[{encoding}]{{fontenc}}\usepackage{{array,booktabs,graphicx}}"
    )
    document += "\\begin{document}\n" + "\\clearpage\n".join(tables) + "\\end{document}"
    (folder / "tables.tex").write_text(document)
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape", "tables.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=90)
    log = (folder / "tables.log").read_text(errors="replace")
    assert done.returncode == 0, log[-3000:]
    assert "Overfull" not in log and "Missing character" not in log
    return folder / "tables.pdf"
