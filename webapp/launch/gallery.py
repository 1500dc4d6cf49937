"""The gallery: every shipped recipe with what it asks and what it costs, at each of its sizes."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from training.data_sets import DATA_SETS
from training.recipes import plan as plans, recipe as recipes
from training.recipes.availability import missing_data, wanted
from training.recipes.files import RECIPES
from training.recipes.hardware import CONSUMER, HARDWARE, Hardware
from training.recipes.recipe import DESCRIPTION, FULL, Recipe, StageSpec
from webapp.experiments.models import Experiment
from webapp.experiments.templatetags.humane import duration
from webapp.launch.durations.kept_speeds import KeptSpeeds
from webapp.launch.planning import own_hardware, site

MINUTES = 30 * 60  # seconds of one device: what takes no longer is said to run here in minutes
DAY = 24 * 3600  # seconds of a CPU: what takes longer is said to need a GPU
COLUMNS = ("tiny", "laptop", FULL)  # sizes that many recipes have
RECENT = 3  # experiments to begin from
PURPOSES = (  # what a recipe is for, by how its name begins; None: whatever else there is
    ("Hypotheses: what may raise accuracy next", ("hypothesis_",)),
    ("The report's road: fine-tuning, curriculum, GRPO", ("phase",)),
    ("Other data to learn from", ("tinygsm", "sft_", "gsm8k_")),
    ("Published checkpoints, evaluated as they are", ("evaluate_",)),
    ("Other recipes", None),
)


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
    description: str  # what this size is for; empty: nobody says
    missing: Sequence[str]  # data that it needs and that are not there, in sentences
    fetch: Sequence[str]  # those of them that `mulberry data fetch` gets

    @property
    def said(self) -> str:
        """Its name in words."""
        return self.name.replace("_", " ")

    @property
    def runs_in_minutes(self) -> bool:
        """Whether it can be launched here at once, and is over soon."""
        return not self.missing and self.cost.seconds <= MINUTES

    @property
    def needs_gpu(self) -> bool:
        """Whether it would take a CPU more than a day."""
        return not self.cost.on_gpu and self.cost.seconds > DAY

    @property
    def gpu_seconds(self) -> float:
        """What it takes on that GPU."""
        return 3600 * self.cost.gpu_hours


@dataclass(frozen=True)
class GalleryRecipe:
    """A recipe of the gallery."""

    recipe: Recipe  # as shipped
    sizes: Sequence[Size]  # the recipe as written first

    @property
    def full(self) -> Size:
        """As written."""
        return self.sizes[0]

    @property
    def single(self) -> bool:
        """Whether it has one size alone."""
        return len(self.sizes) == 1

    @property
    def columns(self) -> list[Size | None]:
        """The sizes that many recipes have, in a fixed order; None where it has no such size."""
        by_name = {size.name: size for size in self.sizes}
        return [by_name.get(name) for name in COLUMNS]

    @property
    def others(self) -> list[Size]:
        """The sizes that this recipe has on its own."""
        return [size for size in self.sizes if size.name not in COLUMNS]

    @property
    def lacking(self) -> list[tuple[str, str]]:
        """What is missing, each sentence once, after the words that say at which sizes."""
        names: dict[str, list[str]] = {}
        for size in self.sizes:
            for text in size.missing:
                names.setdefault(text, []).append(size.name)
        return [(self._at(sizes), text) for text, sizes in names.items()]

    @property
    def fetch(self) -> list[str]:
        """Data sets that some size needs, that are not there and that `mulberry data fetch` gets."""
        return sorted({name for size in self.sizes for name in size.fetch})

    @property
    def cannot_run(self) -> bool:
        """Whether no size can be launched here yet."""
        return all(size.missing for size in self.sizes)

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

    def _at(self, sizes: Sequence[str]) -> str:
        if len(sizes) == len(self.sizes):
            return ""
        named = [f"{name} size" if name == FULL else f"size {name}" for name in sizes]
        return f" at {' and '.join(named)}"


@dataclass(frozen=True)
class GalleryGroup:
    """Recipes of one purpose."""

    title: str
    choices: Sequence[GalleryRecipe]


def choices() -> list[GalleryRecipe]:
    """Every shipped recipe, what can run here at once first, then by the work that it takes."""
    found = shipped(recipes.names(), data_dir=settings.MULBERRY_DATA).values()
    return sorted(found, key=lambda one: (bool(one.full.missing), one.full.cost.steps, one.recipe.name))


def groups(found: Iterable[GalleryRecipe]) -> list[GalleryGroup]:
    """The recipes by purpose, in the order of their names; first those that run here in minutes as they are written.

    Hypotheses stay together, from A to E.
    """
    left = list(found)
    together = PURPOSES[0][1] or ()
    soon = [one for one in left if one.full.runs_in_minutes and not one.recipe.name.startswith(together)]
    soon.sort(key=_of_a_purpose)
    left = [one for one in left if one not in soon]
    made = [GalleryGroup("Runs here in minutes", soon)]
    for title, begins in PURPOSES:
        own = [one for one in left if begins is None or one.recipe.name.startswith(begins)]
        left = [one for one in left if one not in own]
        made.append(GalleryGroup(title, sorted(own, key=lambda one: one.recipe.name)))
    return [group for group in made if group.choices]


def recent() -> list[Experiment]:
    """The newest experiments that a new one can begin from, newest first."""
    found = Experiment.objects.filter(imported=False, archived_at=None).order_by("-created_at", "-pk")
    return list(found.only("name", "title")[:RECENT])


# Recipe and device → what its costs were told from (the recipe, and all speeds that were known), and the costs of its sizes.
_PLANNED: dict[tuple[str, str], tuple[object, Sequence[Cost]]] = {}


def _of_a_purpose(choice: GalleryRecipe) -> bool:
    """Whether it is more than a first look: what its name begins with says what for."""
    return any(begins and choice.recipe.name.startswith(begins) for _, begins in PURPOSES)


def shipped(names: Iterable[str], *, data_dir: Path | None = None) -> dict[str, GalleryRecipe]:
    """Shipped recipes by name, with their costs; their data are looked for where a folder is given."""
    hardware = own_hardware(site())
    known = KeptSpeeds(hardware)
    state, planned = known.state, {}
    built = {name: _built(name, _written(name)) for name in names}
    for name, sizes in built.items():
        told_from, costs = _PLANNED.get((name, hardware.key), (None, []))
        if told_from != (id(sizes), state):
            costs = [_cost(one.recipe, one.specs, hardware, known) for one in sizes]
        planned[name] = costs
    for name, costs in planned.items():  # after all were planned: what was asked meanwhile is known then
        _PLANNED[name, hardware.key] = ((id(built[name]), known.state), costs)
    known.keep()
    return {name: _choice(sizes, planned[name], data_dir) for name, sizes in built.items()}


def cost_of(recipe: Recipe) -> Cost:
    """What all stage runs of a recipe take on this installation, none of them reused. Raises RecipeError."""
    hardware = own_hardware(site())
    known = KeptSpeeds(hardware)
    cost = _cost(recipe, recipes.resolve(recipe), hardware, known)
    known.keep()
    return cost


@dataclass(frozen=True)
class _BuiltSize:
    """A recipe at one of its sizes, resolved."""

    name: str
    recipe: Recipe
    specs: Sequence[StageSpec]
    description: str


def _written(name: str) -> int:
    return (RECIPES / f"{name}.yaml").stat().st_mtime_ns


@lru_cache(maxsize=64)
def _built(name: str, written: int) -> Sequence[_BuiltSize]:
    """A recipe at its sizes, as written first; `written` (of the file) only says how long the answer holds."""
    recipe = recipes.build(recipes.shipped(name))
    sized = {FULL: recipe} | {size: recipes.build(recipe, [("scale", size)]) for size in recipe.scales}
    described = {size: str(replaces.get(DESCRIPTION, "")) for size, replaces in recipe.scales.items()}
    return [
        _BuiltSize(size, one, recipes.resolve(one), described.get(size, "")) for size, one in sized.items()
    ]


def _choice(built: Sequence[_BuiltSize], costs: Sequence[Cost], data_dir: Path | None) -> GalleryRecipe:
    """Data come and go: they are looked for each time."""
    sizes = []
    for one, cost in zip(built, costs, strict=True):
        missing = missing_data(one.recipe, data_dir, one.specs) if data_dir is not None else []
        fetch = _to_fetch(one.recipe, data_dir) if missing and data_dir is not None else []
        sizes.append(Size(one.name, one.recipe, cost, one.description, missing, fetch))
    return GalleryRecipe(built[0].recipe, sizes)


def _to_fetch(recipe: Recipe, data_dir: Path) -> list[str]:
    local, _ = wanted(recipe)
    return sorted(name for name in local if DATA_SETS[name].missing(data_dir))


def _cost(recipe: Recipe, specs: Sequence[StageSpec], hardware: Hardware, known: plans.Experience) -> Cost:
    here = plans.plan(recipe, hardware=hardware, experience=known, specs=specs)
    gpu = here if hardware.is_gpu else plans.plan(recipe, hardware=HARDWARE[CONSUMER], specs=specs)
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
