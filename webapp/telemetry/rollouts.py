"""Rollouts of stage runs that count, as lists and groups: without those that a later attempt sampled again."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from django.db.models import Avg, Count, Min, Q, QuerySet

from webapp.telemetry import series
from webapp.telemetry.models import Rollout

SHOWN = 60  # rollouts on a page; older ones are on the pages behind it
COUNTED = 10_000  # found rollouts that are counted before a page says "more than"
VISITS_SHOWN = 200  # groups of a prompt on one page
Place = tuple[int, int]  # seq and index, within an attempt


def counted(run_id: int) -> QuerySet[Rollout]:
    """Every rollout of a stage run up to the step where the next attempt resumed."""
    return series.rollouts([run_id])


def newest(run_ids: Iterable[int]) -> Sequence[Rollout]:
    """The newest rollouts of some runs, newest first."""
    return part(series.rollouts_by_attempt(run_ids)).rollouts


@dataclass(frozen=True)
class Slice:
    """A part of a long list, newest first."""

    rollouts: Sequence[Rollout]
    older: str  # where the next part begins; empty at the end


def part(found: Mapping[int, QuerySet[Rollout]], before: str = "") -> Slice:
    """As many as fit a page, of all attempts together; `before` is the Slice's `older` that came first.

    `found` are the rollouts of each attempt. The newest are those sampled last; those of one attempt stay in the order of
    its journal. Raises ValueError.
    """
    places = _parsed(before) if before else None
    keys: list[int] = []
    for attempt, rows in found.items():
        if places is not None:
            if attempt not in places:
                continue
            seq, index = places[attempt]
            rows = rows.filter(Q(seq__lt=seq) | Q(seq=seq, index__lte=index))
        # Only the keys, from the attempt's index alone; then the times, then the texts of the few that are shown.
        keys += rows.order_by("-seq", "-index").values_list("pk", flat=True)[: SHOWN + 1]
    known = Rollout.objects.filter(pk__in=keys).order_by("-attempt_id", "-seq", "-index")
    read = list(known.values_list("sampled_at", "attempt_id", "seq", "index", "pk"))
    by_attempt = [list(rows) for _, rows in groupby(read, itemgetter(1))]
    merged = list(heapq.merge(*by_attempt, key=itemgetter(0), reverse=True))
    shown, rest = [row[4] for row in merged[:SHOWN]], merged[SHOWN:]
    next_of = {attempt: f"{attempt}.{seq}.{index}" for _, attempt, seq, index, _ in reversed(rest)}
    texts = Rollout.objects.for_lists().in_bulk(shown)
    return Slice([texts[pk] for pk in shown], "_".join(next_of.values()))


def _parsed(before: str) -> dict[int, Place]:
    """Attempt → the first of its rollouts in the next part; an attempt that is not named is over."""
    try:
        named = [[int(number) for number in place.split(".")] for place in before.split("_")]
        return {attempt: (seq, index) for attempt, seq, index in named}
    except ValueError:
        raise ValueError(f"{before!r} is no place in a list; leave `before` out to see the newest") from None


def at_most(found: Iterable[QuerySet[Rollout]], limit: int = COUNTED) -> int:
    """How many there are, counted no further than one beyond the limit."""
    count = 0
    for rows in found:
        # in the order of the index, which is left early: without one PostgreSQL joins every text first
        count += rows.order_by("-seq", "-index").values("pk")[: limit + 1 - count].count()
        if count > limit:
            break
    return count


def group(rollout: Rollout) -> list[Rollout]:
    """The rollouts sampled together with this one for its prompt, the best first."""
    return sorted(_together(rollout), key=lambda one: (-one.reward, one.index))


def alike(group: list[Rollout], chosen: Rollout) -> list[list[Rollout]]:
    """The group's rollouts, those with the same text and reward together, in its order.

    The one to be shown is the first: the chosen one, else one whose tokens were recorded.
    """
    found: dict[tuple[str, float], list[Rollout]] = {}
    for one in group:
        found.setdefault((one.completion, one.reward), []).append(one)
    return [sorted(same, key=lambda one: (one != chosen, not one.pieces)) for same in found.values()]


def _together(rollout: Rollout) -> QuerySet[Rollout]:
    """A group lies in one record of the journal, or in two that follow one another."""
    near = Q(seq__gte=rollout.seq - 1, seq__lte=rollout.seq + 1)
    return Rollout.objects.filter(near, attempt=rollout.attempt_id, step=rollout.step, group=rollout.group)


@dataclass(frozen=True)
class Neighbours:
    """A rollout of the group that was sampled before this one in its attempt, and one of the group after."""

    before: int | None
    after: int | None


def neighbours(run_id: int, rollout: Rollout) -> Neighbours:
    """The groups beside a rollout's own, of those that count."""
    places = sorted(_together(rollout).values_list("seq", "index"))
    (first_seq, first), (last_seq, last) = places[0], places[-1]
    mine = series.rollouts_by_attempt([run_id]).get(rollout.attempt_id, Rollout.objects.none())
    earlier = mine.filter(Q(seq__lt=first_seq) | Q(seq=first_seq, index__lt=first)).order_by("-seq", "-index")
    later = mine.filter(Q(seq__gt=last_seq) | Q(seq=last_seq, index__gt=last)).order_by("seq", "index")
    before, after = (found.values_list("pk", flat=True).first() for found in (earlier, later))
    return Neighbours(before, after)


@dataclass(frozen=True)
class Visit:
    """One group of a prompt: when it came up and how it went."""

    first: int  # a rollout of it
    step: int
    group: int
    attempt: int
    rollouts: int
    correct: int
    reward: float  # mean

    @property
    def accuracy(self) -> float:
        """The share that is right."""
        return self.correct / self.rollouts


def visits(found: QuerySet[Rollout]) -> list[Visit]:
    """The groups of a prompt's rollouts, the earliest first; of more than VISITS_SHOWN the latest."""
    grouped = found.values("attempt", "step", "group").annotate(
        first=Min("pk"), rollouts=Count("pk"), right=Count("pk", filter=Q(correct=True)), mean=Avg("reward")
    )
    latest = grouped.order_by("-step", "-attempt", "-group")[:VISITS_SHOWN]
    return [
        Visit(
            row["first"],
            row["step"],
            row["group"],
            row["attempt"],
            row["rollouts"],
            row["right"],
            row["mean"],
        )
        for row in reversed(latest)
    ]


CHOICES = {  # ?only= of a list of rollouts or of outcomes: what it is called, and which rows it shows
    "": ("all", Q()),
    "correct": ("correct", Q(correct=True)),
    "wrong": ("wrong", Q(correct=False)),
    "mul_tokens": ("with mul-tokens", Q(mul_tokens__gt=0)),
    "repeats": ("repeating", Q(repeats=True)),
    "hit_limit": ("cut at the limit", Q(hit_limit=True)),
}
