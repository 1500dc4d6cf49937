"""The gallery: every shipped recipe with what it asks and what it costs, at each of its sizes."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings

from training.recipes import plan as plans, recipe as recipes
from training.recipes.availability import missing_data
from training.recipes.files import RECIPES
from training.recipes.hardware import CONSUMER, HARDWARE, Hardware
from training.recipes.recipe import FULL, Recipe
from webapp.experiments.templatetags.humane import duration
from webapp.launch.experience import Speeds
from webapp.launch.planning import own_hardware, site
from webapp.runs.models import Attempt, State


@dataclass(frozen=True)
class Cost:
    """What all stage runs of a recipe take at one size."""

    runs: int
    steps: int
    seconds: float  # of one device of this machine
    measured: bool  # by earlier runs here; else a guess
    gpu_hours: float  # on the GPU that is here, else on the consumer GPU: there always a guess
    gpu: str  # what that GPU is called
    on_gpu: bool  # whether `seconds` are of that GPU, too
    rollouts: int
    disk: int

    @property
    def described(self) -> str:
        """'all 18 stage runs: 4 d on one device here (measured), 20 min on one RTX 4090 (estimated)'."""
        runs = f"all {self.runs} stage runs" if self.runs > 1 else "its one stage run"
        gpu_time = f"{duration(3600 * self.gpu_hours)} on one {self.gpu}"
        if self.on_gpu:
            return f"{runs}: {gpu_time} ({'measured here' if self.measured else 'estimated'})"
        known = "measured" if self.measured else "estimated"
        return f"{runs}: {duration(self.seconds)} on one device here ({known}), {gpu_time} (estimated)"


@dataclass(frozen=True)
class Size:
    """A recipe at one of its sizes."""

    name: str
    recipe: Recipe
    cost: Cost
    missing: list[str]  # data that it needs and that are not there


@dataclass(frozen=True)
class GalleryRecipe:
    """A recipe of the gallery."""

    recipe: Recipe  # as shipped
    sizes: list[Size]  # the recipe as written first

    @property
    def full(self) -> Size:
        """As written."""
        return self.sizes[0]

    @property
    def branches(self) -> bool:
        """Whether some stage does not simply follow the one before it."""
        stages = self.recipe.stages
        return any(stage.after != before.name for before, stage in itertools.pairwise(stages))

    def holds(self, query: str) -> bool:
        """Whether all words of a query are in it."""
        return all(word in self.words for word in query.lower().split())

    @property
    def words(self) -> str:
        """What the filter looks in."""
        one = self.recipe
        names = (
            [stage.name for stage in one.stages]
            + [stage.kind for stage in one.stages]
            + [c.name for c in one.conditions]
        )
        return " ".join(
            [one.name, one.title, one.question, one.prediction, *names, *(s.name for s in self.sizes)]
        ).lower()


def choices() -> list[GalleryRecipe]:
    """Every shipped recipe, what can run here at once first, then by the work that it takes."""
    hardware = own_hardware(site())
    newest = _newest_on(hardware)
    found = [_choice(name, _written(name), hardware, newest) for name in recipes.names()]
    with_data = [_with_missing(choice) for choice in found]
    return sorted(with_data, key=lambda one: (bool(one.full.missing), one.full.cost.steps, one.recipe.name))


def shipped(names: Iterable[str]) -> dict[str, GalleryRecipe]:
    """Shipped recipes by name, with their costs, without looking for their data."""
    hardware = own_hardware(site())
    newest = _newest_on(hardware)
    return {name: _choice(name, _written(name), hardware, newest) for name in names}


def cost_of(recipe: Recipe) -> Cost:
    """What all stage runs of a recipe take on this installation, none of them reused. Raises RecipeError."""
    hardware = own_hardware(site())
    newest = _newest_on(hardware)
    return _cost(recipe, hardware, _speeds(hardware, newest) if newest else plans.NoExperience())


def _written(name: str) -> int:
    return (RECIPES / f"{name}.yaml").stat().st_mtime_ns


def _newest_on(hardware: Hardware) -> int:
    """The newest attempt that tells a speed: a cost stands until there is another one. 0: nothing has run here."""
    kind = "cuda" if hardware.is_gpu else "cpu"
    ran = Attempt.objects.filter(outcome=State.SUCCEEDED, device__startswith=kind).exclude(hostname="")
    return ran.order_by("-pk").values_list("pk", flat=True).first() or 0


@lru_cache(maxsize=64)
def _choice(name: str, written: int, hardware: Hardware, newest: int) -> GalleryRecipe:
    """A recipe and its sizes; `written` (of the file) and `newest` only say how long the answer holds."""
    recipe = recipes.build(recipes.shipped(name))
    known = _speeds(hardware, newest) if newest else plans.NoExperience()
    sized = {FULL: recipe} | {size: recipes.build(recipe, [("scale", size)]) for size in recipe.scales}
    return GalleryRecipe(
        recipe, [Size(size, one, _cost(one, hardware, known), []) for size, one in sized.items()]
    )


@lru_cache(maxsize=2)
def _speeds(hardware: Hardware, newest: int) -> Speeds:
    return Speeds(hardware)


def _cost(recipe: Recipe, hardware: Hardware, known: plans.Experience) -> Cost:
    here = plans.plan(recipe, hardware=hardware, experience=known)
    gpu = here if hardware.is_gpu else plans.plan(recipe, hardware=HARDWARE[CONSUMER])
    return Cost(
        runs=len(here.runs),
        steps=sum(run.work.steps for run in here.runs),
        seconds=here.seconds,
        measured=here.measured,
        gpu_hours=gpu.seconds / 3600,
        gpu=gpu.hardware.name,
        on_gpu=hardware.is_gpu,
        rollouts=here.work.rollouts,
        disk=here.disk,
    )


def _with_missing(choice: GalleryRecipe) -> GalleryRecipe:
    """Data come and go: they are looked for each time."""
    sizes = [
        Size(one.name, one.recipe, one.cost, missing_data(one.recipe, settings.MULBERRY_DATA))
        for one in choice.sizes
    ]
    return GalleryRecipe(choice.recipe, sizes)
