"""Accuracy on a validation split that peaks while the stage trains, and then falls."""

from collections.abc import Iterator

from webapp.charts.kinds import validations
from webapp.diagnosis.finding import Advice, Finding, Link, Severity, share
from webapp.diagnosis.records import RunRecords
from webapp.statistics.proportions import wilson

FEWEST = 3  # evaluations: a peak with something before and behind it
ALPHA = 0.05  # shared by the evaluations, as the highest of many is high by chance too (Bonferroni)


def validation_peak(records: RunRecords) -> Iterator[Finding]:
    """The last accuracy lies below the highest one, interval below interval, each at 1 − 5 % / evaluations."""
    for kind in validations(records.recorded):
        points, trials = records.series(kind.name), records.series(kind.trials)
        if points is None or trials is None or not FEWEST <= len(points.values) == len(trials.values):
            continue
        peak, last = int(points.values.argmax()), len(points.values) - 1
        level = 1 - ALPHA / len(points.values)
        best, end = (
            wilson(round(float(points.values[at] * trials.values[at])), int(trials.values[at]), level)
            for at in (peak, last)
        )
        if end.high >= best.low:
            continue
        step = int(points.steps[peak])
        yield Finding(
            kind="validation_peak",
            severity=Severity.WARNING,
            headline=f"Validation accuracy peaks at step {step:,} and then falls",
            common="Validation accuracy peaks and then falls",
            evidence=(
                f"{kind.unit.partition(',')[0]}, {int(trials.values[last]):,} problems: {share(points.values[peak])} at step "
                f"{step:,} (interval {share(best.low)} to {share(best.high)}), {share(points.values[last])} {records.by_end} "
                f"({share(end.low)} to {share(end.high)}); intervals at {share(level)}, for {last + 1} evaluations."
            ),
            reading="Consistent with a stage that goes on beyond its best checkpoint: over-fitting, or a policy that drifts away.",
            not_shown=(
                "Not shown: that the benchmark falls too; the split is of its kind and shares no problem with it. The checkpoint "
                "of that step is kept no longer than it takes to resume."
            ),
            links=(Link(f"chart: {kind.title}", "run", records.trained, f"#chart-{kind.key}"),),
            advice=(
                Advice(
                    f"End the stage near step {step:,}, or lower its learning rate.",
                    changes=records.times("optimizer.learning_rate", 0.3),
                ),
            ),
            onset=step,
        )
