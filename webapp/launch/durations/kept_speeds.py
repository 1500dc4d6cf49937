"""Speeds of earlier runs that stay in the database: a look at all recipes asks only about what has run since the last one."""

from collections.abc import Iterable

from django.db.models import Q

from training.recipes.hardware import Hardware
from training.recipes.recipe import StageSpec
from training.settings.shared import BenchmarkSettings
from webapp.launch.durations.experience import Speeds
from webapp.results.models import Evaluation
from webapp.runs.models import Attempt, State
from webapp.telemetry.models import MeasuredSpeeds

VERSION = 1  # one more where webapp.launch.durations.speeds tells a speed another way
Shape = tuple[str, int | None, int | None]  # kind of stage, or "benchmark" and its name; n_layer, n_embd


class KeptSpeeds(Speeds):
    """Every speed that was asked of an installation, of whichever process; `keep` stores what was asked anew.

    An attempt that has succeeded makes the answers about its kind and its model's size be asked again, and no others. What has
    never run is not looked for.
    """

    def __init__(self, hardware: Hardware) -> None:
        super().__init__(hardware)
        row = MeasuredSpeeds.objects.filter(device=self.device, version=VERSION).first()
        self._row = row or MeasuredSpeeds(device=self.device, version=VERSION)
        self._known = {tuple(asked): speed for asked, speed in self._row.answers}
        self._shapes = {tuple(shape) for shape in self._row.shapes}
        self._look_at_new_attempts()
        self._stored = dict(self._known) if row else {}

    def speed(self, spec: StageSpec) -> float | None:
        """Units a second while such a stage trains."""
        shape = (spec.settings.kind, spec.model.n_layer, spec.model.n_embd)
        return super().speed(spec) if shape in self._shapes else None

    def benchmark_speed(self, spec: StageSpec, benchmark: BenchmarkSettings) -> float | None:
        """Problems a second on a model of this size."""
        shape = (f"benchmark {benchmark.benchmark}", spec.model.n_layer, spec.model.n_embd)
        return super().benchmark_speed(spec, benchmark) if shape in self._shapes else None

    @property
    def state(self) -> int:
        """Changes when an answer does."""
        return hash(tuple(self._known.items()))

    def keep(self) -> None:
        """Store what was asked since the row was read; another process that does so at once has asked the same."""
        if self._changed or self._known != self._stored:
            self._row.answers = [[list(asked), speed] for asked, speed in self._known.items()]
            self._row.save()

    def _look_at_new_attempts(self) -> None:
        """One query by the attempts' ids, whatever ran before."""
        looked = Q(pk__gt=self._row.newest) | Q(pk__in=self._row.unfinished)
        size = ("stage_run__spec__model__n_layer", "stage_run__spec__model__n_embd")
        found = list(
            Attempt.objects.filter(looked)
            .order_by("pk")
            .values_list("pk", "outcome", "device", "hostname", "stage_run__stage__kind", *size)
        )
        unfinished = [pk for pk, outcome, *_ in found if not outcome]
        ended = Attempt.objects.filter(looked, outcome=State.SUCCEEDED, device__startswith=self.device)
        new: set[Shape] = {
            (kind, n_layer, n_embd)
            for _, outcome, device, hostname, kind, n_layer, n_embd in found
            if outcome == State.SUCCEEDED and device.startswith(self.device) and hostname
        }
        if new:
            asked = Evaluation.objects.filter(attempt__in=ended.exclude(hostname="").order_by())
            size = ("attempt__stage_run__spec__model__n_layer", "attempt__stage_run__spec__model__n_embd")
            new |= {
                (f"benchmark {name}", *of)
                for name, *of in asked.order_by().values_list("benchmark", *size).distinct()
            }
        newest = max([self._row.newest, *(pk for pk, *_ in found)])
        self._changed = bool(new) or newest != self._row.newest or unfinished != self._row.unfinished
        self._row.newest, self._row.unfinished = newest, unfinished
        self._forget(new)
        self._shapes |= new
        self._row.shapes = sorted(map(list, self._shapes), key=str)

    def _forget(self, new: Iterable[Shape]) -> None:
        """Answers that attempts of these shapes may have changed; each ends in the model's n_layer, n_embd, positions, memory."""
        for what, *size in new:
            for asked in list(self._known):
                told = " ".join(map(str, asked[:2])).removeprefix("speed ")
                if asked[0] == "start" or (told == what and list(asked[-4:-2]) == size):
                    del self._known[asked]
