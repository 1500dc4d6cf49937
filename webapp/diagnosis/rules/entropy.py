"""Entropy that collapses while accuracy rises: the policy pays for its gain with its variety."""

from collections.abc import Iterator

from webapp.diagnosis.finding import Advice, Finding, Severity, figure, share
from webapp.diagnosis.records import RunRecords
from webapp.diagnosis.rules.collapse import ENTROPY_LEFT


def entropy_collapse(records: RunRecords) -> Iterator[Finding]:
    """Entropy falls to a fifth with its whole interval while accuracy rises; else mode_collapse looks at texts."""
    entropy, accuracy = records.trend("entropy"), records.trend("accuracy")
    if entropy is None or accuracy is None or accuracy.word != "rising" or entropy.word != "falling":
        return
    if entropy.shift is None or entropy.start + entropy.shift.high > ENTROPY_LEFT * entropy.start:
        return
    yield Finding(
        kind="entropy_collapse",
        severity=Severity.WARNING,
        headline="Entropy collapses while accuracy rises",
        evidence=(
            f"Entropy {figure(entropy.start)} → {figure(entropy.end)} nats per token {records.by_end}; accuracy of rollouts "
            f"{share(accuracy.start)} → {share(accuracy.end)}."
        ),
        reading=(
            "Consistent with a policy that has settled: its groups come to agree, so that more steps teach little (Cui et al. "
            "2025, arXiv:2505.22617), and with a gain in single completions that pass@k does not have."
        ),
        not_shown="Not shown: that accuracy would have risen further with more entropy; samples of the benchmark tell pass@k.",
        links=(records.chart("entropy"), records.chart("accuracy"), *records.texts(entropy.last_step)),
        advice=(
            Advice(
                "Reward entropy a little, or sample at a higher temperature.",
                changes=(("entropy.bonus", 0.001),) if records.settings and not _bonus(records) else (),
            ),
        ),
        onset=records.left_start("entropy", 0.5),
    )


def _bonus(records: RunRecords) -> float:
    entropy = records.settings.get("entropy") or {}
    return float(entropy.get("bonus", 0.0))
