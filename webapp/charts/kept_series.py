"""Series that were read before, kept while nobody has recorded anything new: a chart is drawn again from memory.

One for each web process, bounded. What is kept is known by the attempts' places in their journals, so that it is read
again when there is news or another attempt has begun.
"""

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock

from webapp.runs.models import Attempt
from webapp.telemetry.series import Series, series

MOST_POINTS = 2_500_000  # 60 MB
Position = tuple[tuple[int, int | None, int], ...]


class KeptSeries:
    """The least recently used ones are forgotten first."""

    def __init__(self, most_points: int = MOST_POINTS) -> None:
        self.most_points = most_points
        self._kept: OrderedDict[tuple[int, str], tuple[Position, Series | None]] = OrderedDict()
        self._lock = Lock()

    def of(self, stage_runs: Iterable[int], names: Iterable[str]) -> dict[tuple[int, str], Series]:
        """(stage run, metric) → its points that count, those that there are. One query when all is known."""
        runs, names = list(stage_runs), list(names)
        at = positions(runs)
        wanted = [(run, name) for run in runs for name in names]
        with self._lock:
            known = [key for key in wanted if key in self._kept]
            found = {key: self._kept[key] for key in known if self._kept[key][0] == at[key[0]]}
        missing = [key for key in wanted if key not in found]
        if missing:
            read = series({run for run, _ in missing}, {name for _, name in missing})
            found |= {key: (at[key[0]], read.get(key)) for key in missing}
        with self._lock:
            for key in wanted:
                self._kept[key] = found[key]
                self._kept.move_to_end(key)
            self._forget()
        return {key: one for key, (_, one) in found.items() if one is not None and len(one.steps)}

    def _forget(self) -> None:
        points = sum(len(one.steps) for _, one in self._kept.values() if one is not None)
        while points > self.most_points:
            _, (_, oldest) = self._kept.popitem(last=False)
            points -= 0 if oldest is None else len(oldest.steps)


def positions(stage_runs: Iterable[int]) -> dict[int, Position]:
    """How far each run's attempts are in."""
    found: dict[int, Position] = dict.fromkeys(stage_runs, ())
    attempts = Attempt.objects.filter(stage_run__in=found).order_by("number")
    for run, pk, first_step, seq in attempts.values_list("stage_run", "pk", "first_step", "journal_seq"):
        found[run] = (*found[run], (pk, first_step, seq))
    return found


KEPT = KeptSeries()
