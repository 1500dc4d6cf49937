"""What ran on each device lately, as bars along the time: from the starts and ends of attempts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from webapp.runs.models import Attempt, Worker

WINDOWS = (1, 3, 6, 12, 24)  # hours: the shortest one that has everything of the last day
NEWEST = 400  # attempts that are looked at; what started before these is not drawn
LANES = 12  # of the devices of workers that answer, busy ones first
ENOUGH = 6  # lanes; beyond them those of workers that are gone are folded
FOLDED = 30  # lanes that unfold; the table has their runs, too
TABLE_ROWS = 60
WIDTH = 1000  # of a lane, in its own units
NARROWEST = 2


@dataclass(frozen=True)
class Bar:
    """An attempt, and where it stands in its lane."""

    run: int
    experiment: str
    name: str  # stage, condition and seed
    state: str  # its outcome, or running
    started_at: datetime
    ended_at: datetime | None
    seconds: float
    left: float
    width: float


@dataclass(frozen=True)
class Lane:
    """A device of a machine: one run at a time; two that go on at once on it have a lane each."""

    host: str
    device: str
    bars: Sequence[Bar]
    lives: bool = False  # it is of a worker that answers

    @property
    def runs(self) -> bool:
        """Whether something runs there now; where not all lanes are drawn, these are."""
        return any(bar.ended_at is None for bar in self.bars)

    @property
    def busy(self) -> float:
        """Share of the time in which something ran."""
        return min(1.0, sum(bar.width for bar in self.bars) / WIDTH)


@dataclass(frozen=True)
class Timeline:
    """The lanes of all devices over the last hours."""

    hours: int
    lanes: Sequence[Lane]
    folded: Sequence[Lane]  # those that unfold: of workers that are gone, and idle ones beyond the first
    hidden: int  # lanes that are not drawn at all

    @property
    def bars(self) -> list[tuple[Lane, Bar]]:
        """What the table lists, the newest first."""
        every = [(lane, bar) for lane in (*self.lanes, *self.folded) for bar in lane.bars]
        return sorted(every, key=lambda one: one[1].started_at, reverse=True)[:TABLE_ROWS]

    @property
    def ticks(self) -> list[str]:
        """What stands below the lanes, from left to right."""
        quarters = (self.hours * 60 * (4 - part) // 4 for part in range(4))
        return [*(_ago(minutes) for minutes in quarters), "now"]


def _ago(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return " ".join([*([f"{hours} h"] if hours else []), *([f"{rest} min"] if rest else []), "ago"])


def timeline(workers: Iterable[Worker]) -> Timeline:
    """Of the devices of these workers, which may be idle, and of others on which something ran in the last day. One query."""
    now = timezone.now()
    newest = Attempt.objects.exclude(hostname="").order_by("-pk").values("pk")[:NEWEST]
    lately = Q(ended_at=None) | Q(ended_at__gt=now - timedelta(hours=WINDOWS[-1]))
    found = list(
        Attempt.objects.filter(lately, pk__in=newest)
        .select_related("stage_run__experiment", "stage_run__condition", "stage_run__stage")
        .only(
            "hostname", "device", "outcome", "started_at", "ended_at", "stage_run", "stage_run__seed",
            "stage_run__experiment", "stage_run__condition", "stage_run__stage", "stage_run__experiment__name",
            "stage_run__condition__name", "stage_run__stage__name",
        )
        .order_by("started_at", "pk")
    )  # fmt: skip
    first = min((one.started_at for one in found), default=now)
    hours = next((h for h in WINDOWS if now - first <= timedelta(hours=h)), WINDOWS[-1])
    begin = now - timedelta(hours=hours)
    of_device: dict[tuple[str, str], list[list[Attempt]]] = defaultdict(list)
    alive: Counter[tuple[str, str]] = Counter()
    for worker in workers:
        for device in worker.devices:
            of_device[worker.hostname, device].append([])
            alive[worker.hostname, device] += 1
    for attempt in found:
        _put(attempt, of_device[attempt.hostname, attempt.device])
    every = [
        Lane(host, device, [_bar(attempt, begin, now) for attempt in lane], place < alive[host, device])
        for (host, device), lanes in sorted(of_device.items())
        for place, lane in enumerate(lanes)
    ]
    return _folded(hours, every)


def _folded(hours: int, every: Sequence[Lane]) -> Timeline:
    """All devices of workers that answer, up to LANES, then others up to ENOUGH; the rest unfolds."""
    likely = sorted(every, key=lambda lane: (not lane.lives, not lane.runs, not lane.bars))
    count = min(LANES, max(ENOUGH, sum(lane.lives for lane in every)))
    chosen = {id(lane) for lane in likely[:count]}
    rest = likely[count:]
    return Timeline(
        hours, [lane for lane in every if id(lane) in chosen], rest[:FOLDED], max(0, len(rest) - FOLDED)
    )


def _put(attempt: Attempt, lanes: list[list[Attempt]]) -> None:
    """Into the first lane that was free when it started; else into a new one."""
    for lane in lanes:
        last = lane[-1].ended_at if lane else attempt.started_at
        if last is not None and last <= attempt.started_at:
            lane.append(attempt)
            return
    lanes.append([attempt])


def _bar(attempt: Attempt, begin: datetime, now: datetime) -> Bar:
    run, ended = attempt.stage_run, attempt.ended_at or now
    per_second = WIDTH / (now - begin).total_seconds()
    left = max(0.0, (attempt.started_at - begin).total_seconds() * per_second)
    width = max(NARROWEST, (ended - max(attempt.started_at, begin)).total_seconds() * per_second)
    return Bar(
        run=run.pk,
        experiment=run.experiment.name,
        name=f"{run.stage.name}, {run.condition.name}, seed {run.seed}",
        state=attempt.outcome or "running",
        started_at=attempt.started_at,
        ended_at=attempt.ended_at,
        seconds=(ended - attempt.started_at).total_seconds(),
        left=round(min(left, WIDTH - width), 1),
        width=round(width, 1),
    )
