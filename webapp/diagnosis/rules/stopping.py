"""Completions that do not end: cut at the token limit, or end-of-text never learnt."""

from collections.abc import Iterator

from webapp.diagnosis.finding import Advice, Finding, Severity, share
from webapp.diagnosis.hypotheses import C, D
from webapp.diagnosis.records import RunRecords
from webapp.diagnosis.rules.collapse import TRAINED_TO_STOP
from webapp.diagnosis.rules.loss import course_of

MANY = 0.2  # of the completions: the report's 17 to 19 % were tolerable; a fifth is not
NEARLY_ALL = 0.95  # a model that has learnt to stop ends over 95 % of its drills

ADVICE = (
    Advice("Check that end-of-text keeps its label (padding must be another token), on short answers.", D),
    Advice("Train on whole solutions with their end, and raise max_new_tokens if they are longer.", C),
)


def no_end(records: RunRecords) -> Iterator[Finding]:
    """In the rollouts, where there are any; else, or where these look well, in the completions of benchmarks.

    Not of a stage that ends worse than guessing: it has learnt nothing, the end of a completion neither.
    """
    course = course_of(records)
    if course is not None and course.worse_than_guessing:
        return
    found = _of_rollouts(records) or _of_responses(records)
    if found is not None:
        yield found


def _of_rollouts(records: RunRecords) -> Finding | None:
    """Many rollouts are cut at the limit at the end of the run; or nearly all, from its start."""
    limit, points = records.trend("hit_limit"), records.series("hit_limit")
    if limit is None or points is None or limit.end < MANY:
        return None
    never = limit.start >= NEARLY_ALL and limit.end >= NEARLY_ALL
    start = records.since("hit_limit", MANY)
    return Finding(
        kind="end_of_text" if never else "hit_limit",
        severity=Severity.CRITICAL if never else Severity.WARNING,
        headline=(
            "End-of-text was never learnt: nearly every rollout runs into the limit"
            if never
            else f"{share(limit.end)} of the rollouts are cut at the token limit"
        ),
        common="" if never else "Many rollouts are cut at the token limit",
        evidence=f"Cut at the limit: {share(limit.start)} at the start, {share(limit.end)} at the end.",
        reading=_reading(never),
        not_shown="Not shown: that the cut completions would have been right with more tokens.",
        links=(records.chart("hit_limit"), *records.texts(limit.last_step, "hit_limit")),
        advice=ADVICE,
        onset=start,
    )


def _of_responses(records: RunRecords) -> Finding | None:
    """Many completions of the primary benchmark are cut, or nearly all of every benchmark's."""
    if records.learns not in TRAINED_TO_STOP:
        return None
    rates = {
        name: rate
        for name, tally in records.tallies.items()
        if (rate := tally.mean("hit_limit")) is not None and tally.settings.get("decoding") != "choice"
    }
    if not rates:
        return None
    worst = max(rates, key=lambda name: rates[name])
    never = min(rates.values()) >= NEARLY_ALL
    if not never and rates.get(records.primary, 0.0) < MANY:
        return None
    shown = worst if never else records.primary
    tally = records.tallies[shown]
    return Finding(
        kind="end_of_text" if never else "hit_limit",
        severity=Severity.CRITICAL if never else Severity.WARNING,
        headline=(
            "End-of-text was never learnt: nearly every completion runs into the limit"
            if never
            else f"{share(rates[shown])} of the completions are cut at the token limit"
        ),
        common="" if never else "Many completions are cut at the token limit",
        evidence="; ".join(
            f"{name}: {share(rate)} of {records.tallies[name].problems:,}" for name, rate in rates.items()
        )
        + ".",
        reading=_reading(never),
        not_shown="Not shown: that the cut completions would have been right with more tokens.",
        links=(records.problems(tally, "hit_limit", "completions that were cut"),),
        advice=ADVICE,
    )


def _reading(never: bool) -> str:
    if never:
        return "Consistent with an end-of-text label that was masked away, so that no example ever ended."
    return "Consistent with a limit that is too short for the solutions, or with completions that do not come to an end."
