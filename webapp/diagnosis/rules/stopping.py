"""Completions that do not end: cut at the token limit, or end-of-text never learnt."""

from collections.abc import Iterator
from typing import NamedTuple

from webapp.diagnosis.finding import Advice, Finding, Severity, share
from webapp.diagnosis.hypotheses import C
from webapp.diagnosis.records import RunRecords
from webapp.diagnosis.rules.collapse import MOST, TRAINED_TO_STOP
from webapp.diagnosis.rules.loss import course_of
from webapp.results.outcome_counts import Tally

MANY = 0.2  # of the completions: the report's 17 to 19 % were tolerable; a fifth is not
NEARLY_ALL = 0.95  # a model that has learnt to stop ends over 95 % of its drills

RAISE = Advice("Train on whole solutions with their end, and raise max_new_tokens if they are longer.", C)
CHECK = Advice("Check that end-of-text keeps its label: padding must be another token.")


class Cut(NamedTuple):
    """What speaks for an end that was never learnt, where nearly all completions are cut."""

    limit: int | None  # tokens; None: not recorded
    repeat: float | None  # share of the completions that repeat themselves
    learnt: float | None  # mean tokens of the examples that taught it, prompt included
    sampled: dict[
        str, float
    ]  # stage that samples from the same checkpoint → share of its first rollouts that are cut

    @property
    def never_learnt(self) -> bool:
        """Whether nothing else explains it: the limit leaves room, they do not loop, and none ends elsewhere."""
        return (
            self.limit is not None
            and self.learnt is not None
            and self.limit >= self.learnt
            and self.repeat is not None
            and self.repeat < MOST
            and all(cut >= NEARLY_ALL for cut in self.sampled.values())
        )

    @property
    def text(self) -> str:
        """What is known of it, in sentences behind the rates."""
        parts = []
        if self.limit is not None:
            learnt = (
                ""
                if self.learnt is None
                else f"; the examples that taught it have {self.learnt:,.0f} on average"
            )
            parts.append(f"The limit is {self.limit:,} tokens{learnt and f'{learnt}, prompts included'}.")
        if self.repeat is not None:
            parts.append(f"{share(self.repeat)} of the completions repeat themselves.")
        parts += [
            f"Of the first rollouts of {stage}, from the same checkpoint, {share(cut)} are cut."
            for stage, cut in self.sampled.items()
        ]
        return " ".join(["", *parts])


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
    """Many rollouts are cut at the limit in the last tenth; or nearly all, from the start."""
    limit, among = records.trend("hit_limit"), records.last_share("hit_limit", records.rollouts_per_step)
    if limit is None or among is None or among.low < MANY:
        return None
    repetition = records.trend("repetition")
    cut = None
    if limit.start >= NEARLY_ALL and limit.end >= NEARLY_ALL:
        repeat = repetition.end if repetition else None
        cut = Cut(records.settings.get("max_new_tokens"), repeat, records.learnt_length, {})
    never = cut is not None and cut.never_learnt
    return Finding(
        kind="end_of_text" if never else "hit_limit",
        severity=Severity.CRITICAL if never else Severity.WARNING,
        headline=(
            "End-of-text was never learnt: nearly every rollout runs into the limit"
            if never
            else f"{share(limit.end)} of the rollouts are cut at the token limit"
        ),
        common="" if never else "Many rollouts are cut at the token limit",
        evidence=(
            f"Cut at the limit: {share(limit.start)} at the start, {share(limit.end)} {records.by_end} "
            f"(95 % interval {share(among.low)} to {share(among.high)}).{cut.text if cut else ''}"
        ),
        reading=_reading(never),
        not_shown="Not shown: that the cut completions would have been right with more tokens.",
        links=(records.chart("hit_limit"), *records.texts(limit.last_step, "hit_limit")),
        advice=(CHECK, RAISE) if never else (RAISE, CHECK),
        onset=records.since("hit_limit", MANY),
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
    everywhere = min(rates.values()) >= NEARLY_ALL
    if not everywhere and rates.get(records.primary, 0.0) < MANY:
        return None
    shown = max(rates, key=lambda name: _limit(records.tallies[name]) or 0) if everywhere else records.primary
    tally = records.tallies[shown]
    cut = None
    if everywhere:
        cut = Cut(_limit(tally), tally.mean("repeats"), records.learnt_length, records.children_cut)
    own = records.trend("hit_limit")  # of its rollouts
    never = cut is not None and cut.never_learnt and (own is None or own.end >= NEARLY_ALL)
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
        + f".{cut.text if cut else ''}",
        reading=_reading(never),
        not_shown="Not shown: that the cut completions would have been right with more tokens.",
        links=(records.problems(tally, "hit_limit", "completions that were cut"),),
        advice=(CHECK, RAISE) if never else (RAISE, CHECK),
    )


def _limit(tally: Tally) -> int | None:
    limit = tally.settings.get("max_new_tokens")
    return limit if isinstance(limit, int) else None


def _reading(never: bool) -> str:
    if never:
        return "Consistent with an end-of-text label that was masked away, so that no example ever ended."
    return "Consistent with a limit that is too short for the solutions, or with completions that do not come to an end."
