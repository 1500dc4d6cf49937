"""Completions that grow by being cut alone: those that end by themselves do not."""

from collections.abc import Iterator

import numpy as np

from webapp.diagnosis.finding import Advice, Finding, Severity, figure, share
from webapp.diagnosis.records import RunRecords
from webapp.statistics.trends import Trend, trend

GROWN = 0.1  # of the start's mean length: less is seldom read as longer reasoning
ENDED_PART = 0.2  # of the growth: what completions that end may have of it at most
MOST_CUT = 0.95  # of the rollouts: beyond, the others are too few to have a mean length


def length_by_truncation(records: RunRecords) -> Iterator[Finding]:
    """Mean length and cut rollouts rise, and the mean length of the rollouts that end does not."""
    length, cut = records.trend("completion_length"), records.trend("hit_limit")
    if length is None or cut is None or length.word != "rising" or cut.word != "rising":
        return
    if length.change < GROWN * length.start:
        return
    ended = _of_those_that_end(records, length)
    if ended is None or ended.shift is None or ended.change > ENDED_PART * length.change:
        return
    yield Finding(
        kind="length_by_truncation",
        severity=Severity.WARNING,
        headline="Completions grow by being cut alone",
        evidence=(
            f"Tokens per completion {figure(length.start)} → {figure(length.end)}, cut at the limit {share(cut.start)} → "
            f"{share(cut.end)}; of those that end {figure(ended.start)} → {figure(ended.end)} (change {figure(ended.change)}, "
            f"95 % interval {figure(ended.shift.low)} to {figure(ended.shift.high)})."
        ),
        reading="Consistent with more completions that come to no end, and not with longer solutions.",
        not_shown="Not shown: what the cut ones would have come to with more tokens.",
        links=(
            records.chart("completion_length"),
            records.chart("hit_limit"),
            *records.texts(length.last_step, "hit_limit"),
        ),
        advice=(
            Advice(
                "Raise max_new_tokens, and see whether the completions then end.",
                changes=records.times("max_new_tokens", 2),
            ),
        ),
        onset=records.left_start("hit_limit"),
    )


def _of_those_that_end(records: RunRecords, length: Trend) -> Trend | None:
    """Their mean length, as recorded; of runs of before from both shares: mean = (1 − cut) × theirs + cut × limit."""
    recorded = records.series("length/terminated_mean")
    if recorded is not None:
        return trend(recorded.steps, recorded.values, negligible=GROWN * length.start)
    limit = records.settings.get("max_new_tokens")
    lengths, cut = records.series("completion_length"), records.series("hit_limit")
    if not limit or lengths is None or cut is None or len(lengths.values) != len(cut.values):
        return None
    known = cut.values < MOST_CUT
    share_cut = cut.values[known].clip(0, 1)
    theirs = (lengths.values[known] - share_cut * limit) / (1 - share_cut)
    return trend(lengths.steps[known], np.asarray(theirs), negligible=GROWN * length.start)
