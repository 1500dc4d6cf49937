"""Rollouts of a stage run that count: without those that a later attempt sampled again."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Avg, Count, Min, Q, QuerySet

from webapp.telemetry import series
from webapp.telemetry.models import Rollout

SHOWN = 60  # rollouts on a run's page; older ones are on the pages behind it
COUNTED = 10_000  # found rollouts that are counted before a page says "more than"
NEWEST_FIRST = ("-attempt_id", "-seq", "-index")  # an attempt's id grows with its number


def counted(run_id: int) -> QuerySet[Rollout]:
    """Every rollout of a stage run up to the step where the next attempt resumed."""
    return series.rollouts([run_id])


def newest(run_id: int, limit: int = SHOWN) -> list[Rollout]:
    """The newest rollouts, newest first."""
    return list(counted(run_id).order_by(*NEWEST_FIRST)[:limit])


@dataclass(frozen=True)
class Slice:
    """A part of a long list, newest first."""

    rollouts: Sequence[Rollout]
    older: str  # where the next part begins; empty at the end


def part(found: QuerySet[Rollout], before: str = "") -> Slice:
    """As many as fit a page, of those older than `before`, which is a Slice's `older`. Raises ValueError."""
    if before:
        try:
            attempt, seq, index = (int(number) for number in before.split("."))
        except ValueError:
            raise ValueError(
                f"{before!r} is no place in a list; leave `before` out to see the newest"
            ) from None
        found = found.filter(
            Q(attempt__lt=attempt)
            | Q(attempt=attempt, seq__lt=seq)
            | Q(attempt=attempt, seq=seq, index__lt=index)
        )
    # First the keys, from the index alone, then the texts of these few.
    keys = list(found.order_by(*NEWEST_FIRST).values_list("pk", flat=True)[: SHOWN + 1])
    rows = list(Rollout.objects.filter(pk__in=keys[:SHOWN]).order_by(*NEWEST_FIRST))
    more = len(keys) > SHOWN
    return Slice(rows, f"{rows[-1].attempt_id}.{rows[-1].seq}.{rows[-1].index}" if more else "")


def at_most(found: QuerySet[Rollout], limit: int = COUNTED) -> int:
    """How many there are, counted no further than one beyond the limit."""
    return found.order_by().values("pk")[: limit + 1].count()


def group(rollout: Rollout) -> list[Rollout]:
    """The rollouts sampled together with this one for its prompt, the best first."""
    together = Rollout.objects.filter(attempt=rollout.attempt_id, step=rollout.step, group=rollout.group)
    return list(together.order_by("-reward", "index"))


@dataclass(frozen=True)
class Visit:
    """One group of a prompt: when it came up and how it went."""

    first: int  # a rollout of it
    step: int
    rollouts: int
    correct: int
    reward: float  # mean


def visits(found: QuerySet[Rollout]) -> list[Visit]:
    """The groups of a prompt's rollouts, the earliest first."""
    grouped = found.values("attempt", "step", "group").annotate(
        first=Min("pk"), rollouts=Count("pk"), right=Count("pk", filter=Q(correct=True)), mean=Avg("reward")
    )
    return [
        Visit(row["first"], row["step"], row["rollouts"], row["right"], row["mean"])
        for row in grouped.order_by("step", "attempt", "group")
    ]


CHOICES = {  # ?only= of a list of rollouts or of outcomes: what it is called, and which rows it shows
    "": ("all", Q()),
    "correct": ("correct", Q(correct=True)),
    "wrong": ("wrong", Q(correct=False)),
    "mul_tokens": ("with mul-tokens", Q(mul_tokens__gt=0)),
    "repeats": ("repeating", Q(repeats=True)),
    "hit_limit": ("cut at the limit", Q(hit_limit=True)),
}
