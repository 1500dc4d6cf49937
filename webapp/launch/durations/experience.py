"""What a plan can know from this installation's earlier experiments: speeds, accuracies."""

from collections.abc import Sequence
from statistics import fmean

from django.db.models import Q

from training.recipes.hardware import Hardware
from training.recipes.recipe import Recipe, StageSpec
from training.settings.shared import BenchmarkSettings
from webapp.launch.durations import speeds
from webapp.results.outcome_counts import latest_accuracies
from webapp.runs.models import StageRun, State


class Speeds:
    """Speeds of this installation's earlier runs, each asked of the database once; accuracies are not asked."""

    def __init__(self, hardware: Hardware, *, timed: bool = True) -> None:
        self.timed = timed  # False: for a device that is not this installation's
        self.device = "cuda" if hardware.is_gpu else "cpu"
        self._known: dict[tuple[object, ...], float | None] = {}

    def start(self) -> float | None:
        """Seconds that a stage run takes beside training and evaluating."""
        if not self.timed:
            return None
        if ("start",) not in self._known:
            self._known["start",] = speeds.start_seconds(self.device)
        return self._known["start",]

    def speed(self, spec: StageSpec) -> float | None:
        """Units a second while such a stage trains."""
        if not self.timed:
            return None
        own = [getattr(spec.settings, key) for key in spec.settings.same_speed]
        key = ("speed", spec.settings.kind, *own, *_shape(spec))
        if key not in self._known:
            self._known[key] = speeds.training_speed(spec, self.device)
        return self._known[key]

    def benchmark_speed(self, spec: StageSpec, benchmark: BenchmarkSettings) -> float | None:
        """Problems a second on a model of this size."""
        if not self.timed:
            return None
        key = (
            "benchmark",
            benchmark.benchmark,
            benchmark.max_new_tokens,
            benchmark.samples,
            *_shape(spec),
        )
        if key not in self._known:
            self._known[key] = speeds.benchmark_speed(spec, benchmark, self.device)
        return self._known[key]

    def accuracy(self, spec: StageSpec) -> float | None:
        """Not asked."""
        return None


class MeasuredExperience(Speeds):
    """training.recipes.plan.Experience from the database, for one recipe; everything is asked once."""

    def __init__(
        self, recipe: Recipe, specs: Sequence[StageSpec], hardware: Hardware, *, timed: bool = True
    ) -> None:
        """`specs` is the resolved recipe."""
        super().__init__(hardware, timed=timed)
        self.recipe = recipe
        self._parents = {
            (spec.condition, spec.stage): spec for spec in reversed(specs)
        }  # any seed's is as good

    def accuracy(self, spec: StageSpec) -> float | None:
        """Of the stage's parent in the newest experiment that evaluated it, mean over seeds.

        Any experiment of the recipe counts at this model's size, and any other one whose stage has the same settings.
        """
        if spec.parent is None:
            return None
        parent = self._parents[spec.condition, spec.parent]
        key = ("accuracy", spec.condition, spec.parent, *_shape(spec))
        if key not in self._known:
            self._known[key] = self._accuracy(spec, parent)
        return self._known[key]

    def _accuracy(self, spec: StageSpec, parent: StageSpec) -> float | None:
        same = Q(experiment__recipe_name=spec.recipe) | Q(
            spec__settings=parent.settings.model_dump(mode="json")
        )
        runs = StageRun.objects.filter(
            same,
            stage__name=spec.parent,
            condition__name=spec.condition,
            state=State.SUCCEEDED,
            spec__model__n_layer=spec.model.n_layer,
            spec__model__n_embd=spec.model.n_embd,
            attempts__hostname__gt="",  # else made up (`mulberry seed`)
        ).order_by("-experiment")
        newest = runs.values_list("experiment", flat=True).first()
        found = latest_accuracies(
            runs.filter(experiment=newest).values_list("pk", flat=True), self.recipe.primary.benchmark
        )
        rates = [one.rate for one in found.values() if one.complete and one.rate is not None]
        return fmean(rates) if rates else None


def _shape(spec: StageSpec) -> tuple[object, ...]:
    model = spec.model
    return spec.tokenizer.kind, model.n_layer, model.n_embd, model.positions, model.memory
