"""Groups of rollouts that count, as lists that are sorted, and one group with its prompt's other visits.

What lists show of a group is kept beside the rollouts by a trigger (decision 068), so that none of them is read for it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Left

from webapp.telemetry import series
from webapp.telemetry.models import Rollout, RolloutGroup

SHOWN = 50  # groups on a page
PROMPT_READ = 4_000  # characters of each one's prompt
VISITS_SHOWN = 200  # groups of a prompt on one page
LOOKED_AT = 20_000  # rollouts that fit, the newest, whose groups are found; marks alone need none of them
LEAST_LOOKED_AT = 1_000  # of each attempt, where there are many
SORTS = {  # ?sort= of a list of groups: what it is called, and the column, "-" for the largest first
    "": ("newest first", "-sampled_at"),
    "reward": ("highest reward", "-reward"),
    "low_reward": ("lowest reward", "reward"),
    "spread": ("largest spread", "-spread"),
    "long": ("longest", "-tokens"),
    "short": ("shortest", "tokens"),
    "step": ("earliest step", "step"),
}


def of_runs(run_ids: Iterable[int]) -> QuerySet[RolloutGroup]:
    """The groups of these runs that count, unordered."""
    return RolloutGroup.objects.filter(series.counting(run_ids))


def by_attempt(run_ids: Iterable[int]) -> dict[int, QuerySet[RolloutGroup]]:
    """The same, each attempt's for itself, unordered."""
    return {
        attempt: RolloutGroup.objects.filter(
            attempt=attempt, **({} if limit is None else {"step__lte": limit})
        )
        for attempts in series.last_steps(run_ids).values()
        for attempt, limit in attempts.items()
    }


@dataclass(frozen=True)
class GroupSlice:
    """A part of a long list of groups."""

    groups: Sequence[RolloutGroup]  # for_lists
    prompts: Sequence[str]  # the beginning of each one's
    more: str  # where the next part begins; empty at the end


def part(found: Mapping[int, QuerySet[RolloutGroup]], sort: str = "", after: str = "") -> GroupSlice:
    """As many as fit a page, of all attempts together; `after` is the slice's `more` that came before. Raises ValueError.

    Each attempt's are read along its own index where there is one, so that the newest are found among any number.
    """
    order = SORTS[sort][1]
    column, compared = order.lstrip("-"), "lt" if order.startswith("-") else "gt"
    place = _parsed(after, column) if after else None
    firsts: list[QuerySet[RolloutGroup, Any]] = []
    for rows in found.values():
        if place is not None:
            value, pk = place
            behind = Q(**{f"{column}__{compared}": value}) | Q(**{column: value, "id__lt": pk})
            rows = rows.filter(behind)
        firsts.append(rows.order_by(order, "-id").values_list(column, "id")[: SHOWN + 1])
    if not firsts:
        return GroupSlice([], [], "")
    every = firsts[0] if len(firsts) == 1 else firsts[0].union(*firsts[1:], all=True).order_by(order, "-id")
    read = list(every[: SHOWN + 1])
    shown = [pk for _, pk in read[:SHOWN]]
    known = RolloutGroup.objects.for_lists().in_bulk(shown)
    texts = RolloutGroup.objects.filter(pk__in=shown).values_list("pk", Left("first__prompt", PROMPT_READ))
    prompts: dict[int, str] = dict(texts)
    more = "~".join(_written(part) for part in read[SHOWN - 1]) if len(read) > SHOWN else ""
    return GroupSlice([known[pk] for pk in shown], [prompts[pk] for pk in shown], more)


def _written(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def _parsed(after: str, column: str) -> tuple[Any, int]:
    value, _, pk = after.partition("~")
    readers: dict[str, Callable[[str], Any]] = {"sampled_at": datetime.fromisoformat, "step": int}
    try:
        found = readers.get(column, float)(value)
        if isinstance(found, datetime) and found.tzinfo is None:
            raise ValueError
        return found, int(pk)
    except ValueError:
        raise ValueError(
            f"{after!r} is no place in this list; leave `after` out to see its beginning"
        ) from None


@dataclass(frozen=True)
class GroupTotals:
    """How many groups and rollouts a list has."""

    groups: int
    rollouts: int


def totals(found: QuerySet[RolloutGroup]) -> GroupTotals:
    """All of these, added up."""
    sums = found.aggregate(groups=Count("pk"), all=Sum("rollouts"))
    return GroupTotals(sums["groups"], sums["all"] or 0)


def recur(found: QuerySet[RolloutGroup]) -> bool:
    """Whether a prompt is there at more than one step."""
    of_prompts = found.values("attempt__stage_run", "prompt_key").annotate(steps=Count("step", distinct=True))
    return bool(of_prompts.filter(steps__gt=1).exists())


@dataclass(frozen=True)
class Holding:
    """Groups that hold a rollout that was looked for."""

    ids: list[int]
    rollouts: int  # that were looked for and found
    complete: bool  # False: of the newest LOOKED_AT rollouts alone


def holding(found: Mapping[int, QuerySet[Rollout]]) -> Holding:
    """The groups of these rollouts of each attempt; of many, those of the newest."""
    if not found:
        return Holding([], 0, True)
    most = max(LOOKED_AT // len(found), LEAST_LOOKED_AT)
    parts: list[str] = []
    parameters: list[Any] = []
    for rows in found.values():
        few = rows.order_by("-seq", "-index").values_list("attempt_id", "step", "group")[:most]
        text, values = few.query.sql_with_params()
        parts.append(f"({text})")
        parameters += values
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT kept.id, count(*), one.attempt FROM"  # noqa: S608 - Django's own texts
            f' ({" UNION ALL ".join(parts)}) AS one (attempt, step, "group") JOIN telemetry_rolloutgroup AS kept'
            ' ON kept.attempt_id = one.attempt AND kept.step = one.step AND kept."group" = one."group"'
            " GROUP BY kept.id, one.attempt",
            parameters,
        )
        read = cursor.fetchall()
    looked_at: dict[int, int] = {}
    for _, count, attempt in read:
        looked_at[attempt] = looked_at.get(attempt, 0) + count
    counts = looked_at.values()
    return Holding([pk for pk, *_ in read], sum(counts), all(count < most for count in counts))


def of_rollout(rollout: Rollout) -> RolloutGroup:
    """The row of a rollout's group."""
    return RolloutGroup.objects.for_lists().get(
        attempt=rollout.attempt_id, step=rollout.step, group=rollout.group
    )


def members(group: RolloutGroup) -> list[Rollout]:
    """The rollouts of a group, the best first."""
    found = Rollout.objects.filter(attempt=group.attempt_id, step=group.step, group=group.group)
    return sorted(found, key=lambda one: (-one.reward, one.seq, one.index))


def alike(rollouts: Sequence[Rollout], chosen: int | None = None) -> list[list[Rollout]]:
    """The group's rollouts, those with the same text and reward together, in its order.

    Of such, the chosen one stands for the others, else one whose tokens were recorded.
    """
    found: dict[tuple[str, float], list[Rollout]] = {}
    for one in rollouts:
        found.setdefault((one.completion, one.reward), []).append(one)
    return [sorted(same, key=lambda one: (one.pk != chosen, not one.pieces)) for same in found.values()]


@dataclass(frozen=True)
class Neighbours:
    """A rollout of the group that was sampled before this one in its attempt, and one of the group after."""

    before: int | None
    after: int | None


def neighbours(run_id: int, group: RolloutGroup) -> Neighbours:
    """The groups beside one, of those of its attempt that count."""
    mine = by_attempt([run_id]).get(group.attempt_id, RolloutGroup.objects.none())
    at, pk = group.sampled_at, group.pk
    earlier = mine.filter(Q(sampled_at__lt=at) | Q(sampled_at=at, pk__lt=pk)).order_by("-sampled_at", "-pk")
    later = mine.filter(Q(sampled_at__gt=at) | Q(sampled_at=at, pk__gt=pk)).order_by("sampled_at", "pk")
    before, after = (found.values_list("first", flat=True).first() for found in (earlier, later))
    return Neighbours(before, after)


def visits(run_id: int, prompt_key: int) -> list[RolloutGroup]:
    """The groups of a prompt in a run, the earliest first; of more than VISITS_SHOWN the latest."""
    found = of_runs([run_id]).filter(prompt_key=prompt_key)
    return list(found.order_by("-step", "-attempt", "-group")[:VISITS_SHOWN])[::-1]
