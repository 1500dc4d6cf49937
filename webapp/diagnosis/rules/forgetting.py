"""Forgetting: a benchmark that falls after a stage, problem by problem."""

from collections.abc import Iterator

from webapp.diagnosis.finding import Advice, Finding, Severity
from webapp.diagnosis.hypotheses import B, C
from webapp.diagnosis.records import RunRecords
from webapp.diagnosis.rules.overfitting import fallen_by_repetition

MUCH = 0.05  # a fall of five points or more is a warning; less, though shown, is to know


def forgetting(records: RunRecords) -> Iterator[Finding]:
    """Each benchmark whose paired interval lies below 0, adjusted for all changes that the experiment tests."""
    explained = fallen_by_repetition(records)
    for one in records.changes:
        if not one.falls or (explained is not None and one.benchmark == explained.benchmark):
            continue
        parent = records.run.parent
        assert parent is not None
        yield Finding(
            kind="forgetting",
            severity=Severity.WARNING if one.delta <= -MUCH else Severity.INFO,
            headline=f"{one.benchmark} falls after {records.run.stage.name}",
            evidence=f"{one.described}.",
            reading=f"Consistent with forgetting: the stage unlearns part of what {parent.stage.name} left.",
            not_shown="Not shown: for which training data; and one seed says nothing about the next.",
            links=(
                records.problems(one.after, "wrong", "wrong after it"),
                records.problems(one.before, "correct", "right before it"),
            ),
            advice=(
                Advice("Mix examples of what was forgotten into the stage, among many distilled ones.", C),
                Advice("Teach it where it is not overwritten: in pre-training.", B),
            ),
        )
