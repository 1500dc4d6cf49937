"""Whether a stage counted."""

from collections.abc import Iterator

from webapp.diagnosis.finding import Finding, Severity
from webapp.diagnosis.records import RunRecords


def counted(records: RunRecords) -> Iterator[Finding]:
    """A run that recorded numbers."""
    points = records.series("counted")
    if points is not None:
        yield Finding(
            kind="counted",
            severity=Severity.INFO,
            headline="The stage counted",
            evidence=f"It reached {points.values[-1]:g}.",
            reading="Consistent with a stage that counts.",
            not_shown="Not shown: that it can do more.",
        )
