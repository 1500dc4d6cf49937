"""Mode collapse: completions that repeat themselves or each other, measured by repetition, entropy, distinct bigrams."""

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

from webapp.diagnosis.finding import Advice, Finding, Severity, figure, share
from webapp.diagnosis.hypotheses import C, D
from webapp.diagnosis.records import RunRecords

MOST = 0.5  # of the completions: the report's models repeated themselves in 84 %
ROSE = 0.1  # from start to end: more than a benchmark's noise at 600 problems, twice over
MANY = 0.2  # of the completions, when the share is rising
ENTROPY_LEFT = 0.2  # of the start's: a healthy sharpening leaves about a third (docs/findings.md)
DISTINCT_LEFT = 0.5  # of the start's: half of the variety in bigrams gone
FEWEST_TEXTS = 50  # at either end, for distinct bigrams
TRAINED_TO_STOP = ("completions", "rewards")  # of whole completions, their end included


def mode_collapse(records: RunRecords) -> Iterator[Finding]:
    """In the rollouts, where there are any; else, or where these look well, in the completions of the benchmark."""
    found = _of_rollouts(records) or _of_responses(records)
    if found is not None:
        yield found


def _of_rollouts(records: RunRecords) -> Finding | None:
    """Repetition that is high or rises, or entropy and distinct bigrams that fall while accuracy does not rise."""
    repetition, entropy, accuracy = (records.trend(n) for n in ("repetition", "entropy", "accuracy"))
    if repetition is None:
        return None
    among = records.last_share("repetition", records.rollouts_per_step)
    rose = repetition.word == "rising" and repetition.end - repetition.start >= ROSE
    repeats = (among is not None and among.low >= MOST) or (rose and repetition.end >= MANY)
    gains = accuracy is not None and accuracy.word == "rising"
    narrowed = not gains and entropy is not None and entropy.end <= ENTROPY_LEFT * entropy.start
    if not repeats and not narrowed:
        return None
    before, after = _distinct_at_both_ends(records)
    poorer = before is not None and after is not None and after <= DISTINCT_LEFT * before
    if not repeats and not poorer:
        return None
    evidence = f"Repetition {share(repetition.start)} → {share(repetition.end)}"
    if entropy is not None:
        evidence += f"; entropy {figure(entropy.start)} → {figure(entropy.end)} nats per token"
    if before is not None and after is not None:
        evidence += f"; distinct bigrams {share(before)} → {share(after)}"
    critical = poorer if not repeats else rose and repetition.end >= MOST
    if repeats:
        grows = (
            "more and more completions repeat themselves" if rose else "most completions repeat themselves"
        )
        headline, metric = f"Mode collapse: {grows}", "repetition"
        start = records.left_start("repetition") if rose else records.since("repetition", MOST)
    else:
        headline, metric = "Mode collapse: the completions become alike", "entropy"
        start = records.left_start("entropy", 0.5)
    return Finding(
        kind="mode_collapse",
        severity=Severity.CRITICAL if critical else Severity.WARNING,
        headline=headline,
        evidence=f"{evidence}.",
        reading=(
            "Consistent with a policy that gathers on few texts, which the reward or the KL term does not prevent."
            if critical
            else "Consistent with a habit of the model that the stage started from, which reinforcement did not fix."
            if not rose
            else "Consistent with a policy that gathers on few texts."
        ),
        not_shown="Not shown: which setting causes it.",
        links=(records.chart(metric), *records.texts(start, "repeats" if repeats else "")),
        advice=(
            Advice(
                "Raise beta or the cost of repetition, or lower the learning rate.",
                changes=records.times("beta", 2, instead_of_0=0.02),
            ),
            Advice("Start from a model that was taught whole solutions.", C),
        ),
        onset=start,
    )


def _of_responses(records: RunRecords) -> Finding | None:
    """Most completions of the primary benchmark repeat themselves; greedy decoding does so before sampling does."""
    tally = records.tallies.get(records.primary)
    rate = tally.mean("repeats") if tally else None
    if records.learns not in TRAINED_TO_STOP or tally is None or rate is None or rate < MOST:
        return None
    parent = records.tallies_before.get(records.primary)
    before = parent.mean("repeats") if parent else None
    arose = before is not None and rate - before >= ROSE
    return Finding(
        kind="mode_collapse",
        severity=Severity.CRITICAL if arose and records.learns == "rewards" else Severity.WARNING,
        headline="Mode collapse: most completions repeat themselves",
        evidence=(
            f"{share(rate)} of the {tally.problems:,} completions of {records.primary} repeat a phrase of three words"
            + (f"; before the stage {share(before)}." if before is not None else ".")
        ),
        reading=(
            "Consistent with a stage that taught the model to go on instead of to answer."
            if arose
            else "Consistent with a model that falls into loops where it does not know how to go on."
        ),
        not_shown="Not shown: whether it repeats in what it was trained on.",
        links=(records.problems(tally, "repeats", "completions that repeat"),),
        advice=(
            Advice("Teach whole solutions, with their end.", C),
            Advice("Ask for less: one step.", D),
        ),
    )


def distinct_bigrams(texts: Sequence[str]) -> float | None:
    """Distinct over all pairs of neighbouring words (distinct-2: Li et al. 2016, arXiv 1510.03055); None without any."""
    pairs = list(chain.from_iterable(pairwise(text.split()) for text in texts))
    return len(set(pairs)) / len(pairs) if pairs else None


def _distinct_at_both_ends(records: RunRecords) -> tuple[float | None, float | None]:
    first, last = records.completions()
    if len(first) < FEWEST_TEXTS:
        return None, None
    return distinct_bigrams(first), distinct_bigrams(last)
