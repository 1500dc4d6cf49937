"""Training that diverged: a supervised stage whose loss ends worse than guessing, or far above what it was."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log

import numpy as np

from training.settings.shared import TokenizerSettings
from webapp.diagnosis.finding import Advice, Finding, Severity, figure
from webapp.diagnosis.records import RunRecords
from webapp.diagnosis.rules.overfitting import SUPERVISED

FEWEST = 10  # points: with fewer, start, lowest and end are the same few steps
LEAST = 3  # points in a mean, so that one decides nothing
RISE = 1.0  # nats that a loss which is worse than guessing must have risen by: random weights begin above it, and fall
FAR = 1.5  # times guessing, where no random weights begin
TWICE, ROSE = 2.0, 0.5  # times the lowest mean, and nats above it: more than batches differ by


@dataclass(frozen=True)
class Course:
    """Where a loss went, in means over a tenth of the points each."""

    start: float
    lowest: float
    end: float
    guess: (
        float | None
    )  # the loss of a model to which all tokens are alike; None where the vocabulary is not known
    risen: float  # the highest point above the first

    @property
    def worse_than_guessing(self) -> bool:
        """Whether it ends there, and not because it has only begun."""
        return (
            self.guess is not None
            and self.end >= self.guess
            and (self.risen >= RISE or self.end >= FAR * self.guess)
        )

    @property
    def worse_than_before(self) -> bool:
        """Whether it ends far above its lowest, and above its start."""
        return self.end >= max(self.start, TWICE * self.lowest, self.lowest + ROSE)


def loss_diverged(records: RunRecords) -> Iterator[Finding]:
    """The loss ends worse than guessing; or, where the data stay the same, far above its lowest."""
    if (course := course_of(records)) is None:
        return
    other_data = _data_change(records)
    if course.worse_than_guessing:
        level, headline = course.guess, "The training loss diverged: worse than guessing"
    elif course.worse_than_before and not other_data:
        level, headline = (course.lowest + course.end) / 2, "The training loss is far above its lowest"
    else:
        return
    guess = "" if course.guess is None else f"; guessing every token alike gives {figure(course.guess)}"
    yield Finding(
        kind="loss_diverged",
        severity=Severity.CRITICAL if course.worse_than_guessing else Severity.WARNING,
        headline=headline,
        evidence=f"Loss {figure(course.start)} at the start, {figure(course.lowest)} at the lowest, {figure(course.end)} nats "
        f"per token {records.by_end}{guess}.",
        reading="Consistent with a learning rate that is too high for this model, or that came without warm-up.",
        not_shown="Not shown: what the stage would have taught. What later stages and benchmarks say of it is about this loss.",
        links=(records.chart("loss"),),
        advice=(
            Advice(
                "Take a tenth of the learning rate.",
                # a curriculum's steps have rates of their own
                changes=() if other_data else records.times("optimizer.learning_rate", 0.1),
            ),
        ),
        onset=None if level is None else records.since("loss", level),
    )


def course_of(records: RunRecords) -> Course | None:
    """Where the loss of a supervised stage went; None of others, and of too few points."""
    points = records.series("loss")
    if records.learns not in SUPERVISED or points is None:
        return None
    values = points.values[np.isfinite(points.values)]
    if len(values) < FEWEST:
        return None
    tenth = max(LEAST, len(values) // 10)
    sums = np.concatenate([[0.0], values.cumsum()])
    means = (sums[tenth:] - sums[:-tenth]) / tenth
    tokenizer = (records.run.spec or {}).get("tokenizer")
    guess = log(TokenizerSettings.model_validate(tokenizer).vocabulary) if tokenizer else None
    risen = float(values.max() - values[0])
    return Course(float(means[0]), float(means.min()), float(means[-1]), guess, risen)


def _data_change(records: RunRecords) -> bool:
    """Whether parts of the stage learn from different data: a curriculum's steps, rounds of rejection sampling."""
    return isinstance(records.settings.get("steps"), list) or records.settings.get("rounds", 1) > 1
