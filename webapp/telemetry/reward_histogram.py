"""How the rewards of rollouts are spread: bars, each with the range that shows its rollouts and no others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from webapp.telemetry.models import Rollout

BARS = 20
COUNTED = 20_000  # rollouts, the newest; of each attempt its share
BINNED = """
WITH one (reward) AS MATERIALIZED ({rows}),
finite AS (SELECT reward FROM one WHERE reward > '-Infinity' AND reward < 'Infinity'),
ends AS (SELECT min(reward) AS low, max(reward) AS high FROM finite)
SELECT CASE WHEN low < high THEN least(floor((reward - low) / (high - low) * %s), %s) ELSE 0 END AS bin,
    min(reward), max(reward), count(*)
FROM finite, ends GROUP BY bin ORDER BY bin
"""


@dataclass(frozen=True)
class RewardBar:
    """Rollouts of about one reward."""

    place: int  # 0 … BARS − 1, from the least reward
    low: float  # the least reward among them
    high: float
    rollouts: int


@dataclass(frozen=True)
class RewardHistogram:
    """The bars that have rollouts, from the least reward; `complete` where every rollout is in one."""

    bars: list[RewardBar]
    complete: bool

    @property
    def rollouts(self) -> int:
        """How many are in the bars."""
        return sum(bar.rollouts for bar in self.bars)

    @property
    def most(self) -> int:
        """How many the highest bar has."""
        return max((bar.rollouts for bar in self.bars), default=0)


def reward_histogram(found: Mapping[int, QuerySet[Rollout]]) -> RewardHistogram:
    """Of the rollouts of each attempt; of more than COUNTED the newest. Read from the index alone."""
    most = COUNTED // max(len(found), 1)
    parts: list[str] = []
    parameters: list[Any] = []
    for rows in found.values():
        try:
            newest = rows.order_by("-seq", "-index").values_list("reward")[:most]
            text, values = newest.query.sql_with_params()
        except EmptyResultSet:
            continue
        parts.append(f"({text})")
        parameters += values
    if not parts:
        return RewardHistogram([], True)
    with connection.cursor() as cursor:
        cursor.execute(BINNED.format(rows=" UNION ALL ".join(parts)), [*parameters, BARS, BARS - 1])
        bars = [RewardBar(int(place), low, high, count) for place, low, high, count in cursor.fetchall()]
    return RewardHistogram(bars, sum(bar.rollouts for bar in bars) < most)
