"""Over-fitting in supervised stages: the training loss falls while validation loss rises or the benchmark falls."""

from collections.abc import Iterator
from typing import Any

from webapp.diagnosis.changes import BenchmarkChange
from webapp.diagnosis.finding import Advice, Finding, Severity, figure
from webapp.diagnosis.hypotheses import C
from webapp.diagnosis.records import RunRecords

SUPERVISED = ("text", "completions")
ROSE_FROM_LOWEST = 0.1  # of the validation loss: more than it wobbles by between two evaluations


def over_fitting(records: RunRecords) -> Iterator[Finding]:
    """Loss falling, and validation loss up from its lowest, or (data seen more than once) the benchmark down."""
    if records.learns not in SUPERVISED:
        return
    loss = records.trend("loss")
    if loss is None or (loss.word != "falling" and loss.end >= loss.start):
        return
    rise = _validation_rise(records)
    fall = fallen_by_repetition(records)
    if rise is None and fall is None:
        return
    evidence = [f"Training loss {figure(loss.start)} → {figure(loss.end)}"]
    links = [records.chart("loss")]
    start = None
    if rise is not None:
        start, lowest, end = rise
        evidence.append(
            f"validation loss {figure(lowest)} at step {start:,} → {figure(end)} {records.by_end}"
        )
    if fall is not None:
        evidence.append(fall.described)
        links.append(records.problems(fall.after, "wrong", f"wrong on {fall.benchmark}"))
    yield Finding(
        kind="over_fitting",
        severity=Severity.WARNING,
        headline="Training loss falls while "
        + ("validation loss rises" if rise is not None else f"{records.primary} falls"),
        evidence="; ".join(evidence) + ".",
        reading="Consistent with over-fitting: examples learnt by heart.",
        not_shown="Not shown: that fewer epochs would have done better; the checkpoints in between were not evaluated.",
        links=tuple(links),
        advice=(
            Advice("Train for fewer epochs.", changes=_fewer_epochs(records)),
            Advice("Learn from more different examples: 100,000 distilled ones, each seen once.", C),
        ),
        onset=start,
    )


def _fewer_epochs(records: RunRecords) -> tuple[tuple[str, Any], ...]:
    """Half as many, where examples are seen more than once."""
    epochs = records.settings.get("epochs")
    return (("epochs", max(1, int(epochs) // 2)),) if isinstance(epochs, int | float) and epochs > 1 else ()


def fallen_by_repetition(records: RunRecords) -> BenchmarkChange | None:
    """The primary benchmark's fall in a supervised stage that saw its examples more than once."""
    if records.learns not in SUPERVISED or _epochs(records) < 2:
        return None
    loss = records.trend("loss")
    if loss is None or loss.end >= loss.start:
        return None
    return next((one for one in records.changes if one.benchmark == records.primary and one.falls), None)


def _epochs(records: RunRecords) -> int:
    """The most often that an example is seen."""
    steps = records.settings.get("steps")
    parts = steps if isinstance(steps, list) else [records.settings]
    return max(int(part.get("epochs", 1)) for part in parts)


def _validation_rise(records: RunRecords) -> tuple[int, float, float] | None:
    """(step of the lowest validation loss, that loss, the last tenth's mean) where it has risen since."""
    points, validation = records.series("validation_loss"), records.trend("validation_loss")
    if points is None or validation is None:
        return None
    lowest = int(points.values.argmin())
    bottom = float(points.values[lowest])
    if validation.end < bottom * (1 + ROSE_FROM_LOWEST):
        return None
    return int(points.steps[lowest]), bottom, validation.end
