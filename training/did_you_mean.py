"""Names that nearly match: the hint behind every "there is no …" error."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """Return '; did you mean "x"?' or '; choose from a, b, c' for a name that is not among the known ones."""
    known = sorted(known)
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; choose from {', '.join(known)}"
