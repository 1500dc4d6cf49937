"""What ran on each device lately, as bars along the time: from the starts and ends of attempts."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from webapp.runs.models import Attempt, Worker

WINDOWS = (1, 3, 6, 12, 24)  # hours: the shortest one that has everything of the last day
NEWEST = 400  # attempts that are looked at; what started before these is not drawn
LANES = 12
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
    hidden: int  # lanes that are not drawn

    @property
    def bars(self) -> list[tuple[Lane, Bar]]:
        """What the table lists, the newest first."""
        every = [(lane, bar) for lane in self.lanes for bar in lane.bars]
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
    """Of the devices on which something ran in the last day, and of these workers, which may be idle. One query."""
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
    for worker in workers:
        for device in worker.devices:
            of_device[worker.hostname, device].append([])
    for attempt in found:
        _put(attempt, of_device[attempt.hostname, attempt.device])
    every = [
        Lane(host, device, [_bar(attempt, begin, now) for attempt in lane])
        for (host, device), lanes in sorted(of_device.items())
        for lane in lanes
    ]
    if len(every) > LANES:
        every.sort(key=lambda lane: not lane.runs)
    return Timeline(hours, every[:LANES], max(0, len(every) - LANES))


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
