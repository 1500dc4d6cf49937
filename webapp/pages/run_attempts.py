"""The attempts of a run as its page lists them, each with what a reader must know of it."""

from dataclasses import dataclass

from django.db.models import Max

from webapp.runs import environments
from webapp.runs.models import Attempt, StageRun
from webapp.telemetry.models import LogLine, MetricChunk

NOTES_SHOWN = 5  # warnings of an attempt


@dataclass(frozen=True)
class AttemptLine:
    """One attempt."""

    attempt: Attempt
    computed_on: str
    unlike_here: str  # what of that differs from this installation
    notes: list[str]  # its warnings, and what was computed again after it


def of_run(run: StageRun) -> list[AttemptLine]:
    """The newest first. Three queries."""
    attempts = list(Attempt.objects.filter(stage_run=run).select_related("worker").order_by("-number"))
    warnings = _warnings(run)
    again = _computed_again(run, attempts)
    return [
        AttemptLine(
            one,
            environments.described(one.environment),
            environments.unlike_here(one.environment),
            [*warnings.get(one.pk, []), *again.get(one.pk, [])],
        )
        for one in attempts
    ]


def _warnings(run: StageRun) -> dict[int, list[str]]:
    """Attempt → its first warnings, and records that are missing."""
    found: dict[int, list[str]] = {}
    lines = LogLine.objects.filter(attempt__stage_run=run, level="warning").order_by("attempt", "seq")
    for attempt, text in lines.values_list("attempt", "text"):
        of_attempt = found.setdefault(attempt, [])
        if len(of_attempt) < NOTES_SHOWN:
            of_attempt.append(text)
        elif len(of_attempt) == NOTES_SHOWN:
            of_attempt.append("more warnings are in the log")
    return found


def _computed_again(run: StageRun, attempts: list[Attempt]) -> dict[int, list[str]]:
    """Attempt → which of its steps a later one has computed again."""
    recorded = MetricChunk.objects.filter(metric__attempt__stage_run=run).values_list("metric__attempt")
    last = dict(recorded.annotate(Max("last_step")).order_by())
    found: dict[int, list[str]] = {}
    later: Attempt | None = None
    for attempt in attempts:
        if attempt.first_step is None:
            continue
        if (
            later is not None
            and later.first_step is not None
            and (end := last.get(attempt.pk, 0)) > later.first_step
        ):
            first = max(later.first_step, attempt.first_step) + 1
            steps = f"step {end:,} was" if first == end else f"steps {first:,} to {end:,} were"
            found[attempt.pk] = [f"{steps} computed again by attempt {later.number}, whose records count"]
        if later is None or attempt.first_step < (later.first_step or 0):
            later = attempt
    return found
