"""What clipping takes away: tokens whose ratio is clipped, and steps whose gradient is."""

from collections.abc import Iterator

import numpy as np

from webapp.diagnosis.finding import Advice, Finding, Severity, figure, share
from webapp.diagnosis.records import RunRecords
from webapp.statistics.proportions import mean_share

MANY_TOKENS = 0.2  # PPO and DAPO report a few percent; from a fifth on much of a batch has no say
MOST_STEPS = 0.5  # from here the clip, not the learning rate, decides how long most steps are
BLOCKS = 10  # neighbouring steps are alike, so the share is judged by how these scatter
FEWEST = 20  # points: two a block


def tokens_clipped(records: RunRecords) -> Iterator[Finding]:
    """A fifth of the tokens or more are clipped; not of ratios of whole rollouts, which clip about 15 % by design."""
    clipped, points = records.trend("clip_ratio"), records.series("clip_ratio")
    if clipped is None or points is None or clipped.points < FEWEST or clipped.end < MANY_TOKENS:
        return
    if records.settings.get("importance_sampling") == "sequence":
        return
    passes = records.settings.get("iterations")
    yield Finding(
        kind="tokens_clipped",
        severity=Severity.WARNING,
        headline=f"{share(clipped.end)} of the tokens are clipped {records.by_end}",
        common="Many tokens are clipped",
        evidence=(
            f"Clipped tokens: {share(clipped.start)} at the start, {share(clipped.end)} {records.by_end}"
            + (f"; {passes} passes over each batch." if passes else ".")
        ),
        reading=(
            "Consistent with a policy that moves further within one batch than the clip range allows, so that much of the "
            "batch gives no gradient: too many passes, or too large a learning rate."
        ),
        not_shown="Not shown: that a wider clip range would be stable.",
        links=(records.chart("clip_ratio"),),
        advice=(
            Advice(
                "Make fewer passes over a batch, or lower the learning rate.",
                changes=(("iterations", 1),)
                if isinstance(passes, int) and passes > 1
                else records.times("optimizer.learning_rate", 0.3),
            ),
        ),
        onset=records.since("clip_ratio", MANY_TOKENS),
    )


def gradient_clipped(records: RunRecords) -> Iterator[Finding]:
    """The gradient is at its clip in most steps, with the whole interval of their share.

    To know, no warning: AdamW divides a gradient by its own size, so a clip that always acts alike changes little.
    """
    norm, points = records.trend("grad_norm"), records.series("grad_norm")
    clip = (records.settings.get("optimizer") or {}).get("clip")
    if norm is None or points is None or not clip or norm.points < FEWEST:
        return
    finite = points.values[np.isfinite(points.values)]
    counted = records.series("grad_clipped")  # of every step; before it was recorded, of the records' means
    clipped = counted.values if counted is not None else (finite >= clip).astype(float)
    whole = mean_share(
        [float(block.mean()) for block in np.array_split(clipped, BLOCKS)], len(clipped) // BLOCKS
    )
    if whole.low < MOST_STEPS:
        return
    among = f"{len(clipped):,} records" if counted is None else "the steps"
    yield Finding(
        kind="gradient_clipped",
        severity=Severity.INFO,
        headline="The gradient is clipped in most steps",
        evidence=(
            f"Norm at or above {clip:g} in {share(float(clipped.mean()))} of {among} (95 % interval "
            f"{share(whole.low)} to {share(whole.high)}); norm {figure(norm.start)} → {figure(norm.end)}."
        ),
        reading="Consistent with a clip that sets the length of the steps, beside the learning rate.",
        not_shown="Not shown: that it costs anything: AdamW hardly sees a factor that is always there, and sees one that varies.",
        links=(records.chart("grad_norm"),),
        advice=(
            Advice(
                "Set the clip above the usual norm, or lower the learning rate.",
                changes=(("optimizer.clip", float(f"{2 * float(np.median(finite)):.2g}")),),
            ),
        ),
    )
