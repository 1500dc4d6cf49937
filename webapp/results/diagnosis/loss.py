"""Training that diverged: a supervised stage whose loss ends worse than it was, or than guessing."""

from collections.abc import Iterator
from math import log

import numpy as np

from training.settings import TokenizerSettings
from webapp.results.diagnosis.finding import Advice, Finding, Severity, figure
from webapp.results.diagnosis.hypotheses import D
from webapp.results.diagnosis.overfitting import SUPERVISED
from webapp.results.diagnosis.records import RunRecords

FEWEST = 5  # points: with fewer the start, the lowest and the end are the same few steps
BEYOND = (
    1.0  # nats above guessing that the loss must have reached: random weights begin a few tenths above it
)
TWICE, ROSE = 2.0, 0.5  # times the lowest tenth, and nats above it: more than batches differ by


def loss_diverged(records: RunRecords) -> Iterator[Finding]:
    """The loss ends at what guessing each token would give, after more; or at twice the lowest it was.

    The latter not in a curriculum, whose steps learn from different data.
    """
    if (level := level_left(records)) is None:
        return
    loss = records.trend("loss")
    assert loss is not None
    guess = _guess(records)
    onset = records.since("loss", level)
    curriculum = _is_curriculum(records)
    yield Finding(
        kind="loss_diverged",
        severity=Severity.CRITICAL,
        headline="The training loss diverged",
        evidence=f"Loss {figure(loss.start)} at the start, {figure(_lowest(records))} at the lowest, {figure(loss.end)} nats per "
        "token at the end"
        + (f"; guessing every token alike gives {figure(guess)}." if guess is not None else "."),
        reading="Consistent with a learning rate that is too high for this model, or that came without warm-up.",
        not_shown="Not shown: what the stage would have taught. What later stages and benchmarks say of it is about this loss.",
        links=(records.chart("loss"),),
        advice=(
            Advice(
                "Take a tenth of the learning rate"
                + (" in every step of the curriculum" if curriculum else "")
                + ", and try it where a run takes minutes.",
                D,
                () if curriculum else records.times("optimizer.learning_rate", 0.1),
            ),
        ),
        onset=onset,
    )


def level_left(records: RunRecords) -> float | None:
    """The loss above which a supervised stage ends although it was, or should have been, below; None where it does not."""
    loss, points = records.trend("loss"), records.series("loss")
    if records.learns not in SUPERVISED or loss is None or points is None or loss.points < FEWEST:
        return None
    guess = _guess(records)
    if guess is not None and loss.end >= guess and float(np.nanmax(points.values)) >= guess + BEYOND:
        return guess
    lowest = _lowest(records)
    if not _is_curriculum(records) and loss.end >= max(TWICE * lowest, lowest + ROSE):
        return lowest + (loss.end - lowest) / 2
    return None


def _lowest(records: RunRecords) -> float:
    """The smallest mean over as many neighbouring points as a tenth of the run has."""
    points = records.series("loss")
    assert points is not None
    values = points.values[np.isfinite(points.values)]
    tenth = max(1, len(values) // 10)
    return float(np.convolve(values, np.full(tenth, 1 / tenth), "valid").min())


def _guess(records: RunRecords) -> float | None:
    """The loss of a model to which all tokens are alike."""
    tokenizer = (records.run.spec or {}).get("tokenizer")
    return log(TokenizerSettings.model_validate(tokenizer).vocabulary) if tokenizer else None


def _is_curriculum(records: RunRecords) -> bool:
    return isinstance(records.settings.get("steps"), list)
