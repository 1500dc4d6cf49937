"""What sources left out while this process drew examples, and why: counted here, told by the stage in its log."""

from collections import Counter

_COUNTS: dict[str, Counter[str]] = {}
KEPT = "kept"


def count(source: str, reason: str) -> None:
    """Count one item of a source: KEPT, or the reason why it was left out."""
    _COUNTS.setdefault(source, Counter())[reason] += 1


def taken() -> dict[str, Counter[str]]:
    """The counts since the last call, by source."""
    found = dict(_COUNTS)
    _COUNTS.clear()
    return found


def lines() -> list[str]:
    """The counts since the last call, a line for each source: `tinygsm: 950 kept, 50 skipped (call 30, import 20)`."""
    told = []
    for source, reasons in taken().items():
        kept = reasons.pop(KEPT, 0)
        often_first = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        why = ", ".join(f"{reason} {number}" for reason, number in often_first)
        told.append(f"{source}: {kept} kept, {reasons.total()} skipped" + (f" ({why})" if why else ""))
    return told
