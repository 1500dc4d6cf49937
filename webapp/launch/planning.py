"""The plan of an experiment on this installation: its own speeds, its queue, its disk, and what to ask before launching."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from django.conf import settings

from training.did_you_mean import nearest
from training.recipes import plan as plans
from training.recipes.availability import missing_data
from training.recipes.dose_estimate import DoseEstimate, estimates
from training.recipes.hardware import CONSUMER, HARDWARE, Hardware, named
from training.recipes.recipe import Recipe, StageSpec, resolve
from training.settings.work_estimate import Work
from webapp.experiments.templatetags.humane import duration, size
from webapp.launch import contamination
from webapp.launch.durations.experience import MeasuredExperience
from webapp.launch.reuse import LaunchPlan
from webapp.launch.sample_size.measured_contrast import measured_contrast
from webapp.launch.sample_size.power import Power, power
from webapp.runs.models import OVER, StageRun
from webapp.runs.querysets import served_queues, willing_workers


@dataclass(frozen=True)
class PlanRow:
    """Stage runs that cost the same: a line of the plan's table. Its figures are those of one run."""

    stage: str
    kind: str
    conditions: Sequence[str]
    count: int  # of runs, the reused ones included
    reused: int
    run: plans.RunPlan

    @property
    def work(self) -> Work:
        """Training of one run."""
        return self.run.work

    @property
    def problems(self) -> int:
        """Benchmarks' problems after one run."""
        return self.run.evaluation.problems


@dataclass(frozen=True)
class Site:
    """Where it would run: workers that answer, runs in the queue, room on the disk."""

    slots: int  # of the workers that take from its queue
    waiting: int  # stage runs of its queue that are not over: all of them go first
    free: int | None  # bytes; None: not a disk of this machine
    folder: str
    has_gpu: bool
    gpu: str  # as its driver calls the first worker's; empty: none, or it does not tell
    reached: bool  # whether the database was asked
    queue: str = ""  # the one that the figures are of; empty: all
    served: Sequence[str] = ()  # queues that workers that answer take from

    @property
    def unserved(self) -> str:
        """What must be said of a queue that no worker serves, though there are workers; empty: nothing."""
        if not self.queue or not self.served or self.queue in self.served:
            return ""
        return (
            f"No worker serves the queue {self.queue}: its runs wait until one does. Start one with mulberry worker "
            f"--queues {self.queue}, or take a queue that workers serve: {', '.join(self.served)}."
        )


@dataclass(frozen=True)
class Proposal:
    """Everything that is shown before a launch."""

    plan: plans.Plan
    site: Site
    power: Power | None
    missing: Sequence[str]  # data that is not there
    doses: Sequence[DoseEstimate] = ()  # how often mul-tokens would be learnt, about
    contamination: Sequence[str] = ()  # of what will be learnt, in sentences

    @property
    def rows(self) -> list[PlanRow]:
        """The table: stages in order, conditions and seeds that cost the same together."""
        return [
            PlanRow(
                stage=runs[0].spec.stage,
                kind=runs[0].spec.settings.kind,
                conditions=list(dict.fromkeys(run.spec.condition for run in runs)),
                count=len(runs),
                reused=sum(run.reused for run in runs),
                run=next((run for run in runs if not run.reused), runs[0]),
            )
            for runs in _alike(self.plan)
        ]

    @property
    def reused(self) -> list[plans.RunPlan]:
        """Stage runs whose checkpoint is there already."""
        return [run for run in self.plan.runs if run.reused]

    @property
    def unit(self) -> str:
        """What device time is called."""
        return "GPU" if self.plan.hardware.is_gpu else "CPU"

    @property
    def elapsed(self) -> float | None:
        """Seconds from start to end on the slots there are, once the queue is empty; None without a worker."""
        return self.plan.elapsed(self.site.slots) if self.site.slots else None

    @property
    def elsewhere(self) -> dict[str, float]:
        """Name of each other GPU → seconds that all of it would take there."""
        every = plans.elsewhere(self.plan.recipe, [run.spec for run in self.plan.runs])
        return {name: seconds for name, seconds in every.items() if name != self.plan.hardware.name}

    @property
    def questions(self) -> list[str]:
        """What must be confirmed before it is launched; mostly there is nothing."""
        asked = []
        if self.plan.seconds > plans.TOO_LONG:
            longest = max(self.plan.new, key=lambda run: run.seconds)
            asked.append(
                f"This would take about {duration(self.plan.seconds)} of {self.plan.hardware.name} time; stage "
                f"{longest.spec.stage} takes the most, {duration(longest.seconds)} a run ({longest.work.steps:,} steps)."
            )
        if self.site.free is not None and self.plan.disk > self.site.free:
            asked.append(
                f"This would leave {size(self.plan.disk)} on the disk; {self.site.folder} has {size(self.site.free)} free."
            )
        return asked


@dataclass(frozen=True)
class PlanWishes:
    """What a person may wish of the plan itself, as entered; what cannot be read is left out, and said."""

    device: str = ""
    difference: str = ""  # points
    discordant: str = ""  # percent
    problem: str = ""

    @classmethod
    def read(cls, posted: Mapping[str, str]) -> "PlanWishes":
        """From the fields plan.device, plan.difference and plan.discordant."""
        device = posted.get("plan.device", "")
        wishes = cls(
            device if device in HARDWARE else "",
            posted.get("plan.difference", "").strip(),
            posted.get("plan.discordant", "").strip(),
        )
        wrong = [text for text in (wishes.difference, wishes.discordant) if text and _share(text) is None]
        problem = f"{wrong[0]!r} is no share: give a number from 0.0001 to below 100" if wrong else ""
        return replace(wishes, problem=problem)

    def proposal(self, recipe: Recipe, launch_plan: LaunchPlan | None = None) -> Proposal:
        """The recipe's plan as wished."""
        return propose(
            recipe,
            launch_plan=launch_plan,
            device=self.device or None,
            wished=_share(self.difference),
            discordant=_share(self.discordant),
        )


def _share(percent: str) -> float | None:
    """2.5 → 0.025; None for what is no number from 0.0001 to below 100."""
    try:
        share = float(percent) / 100
    except ValueError:
        return None
    return share if 1e-6 <= share < 1 else None


def propose(
    recipe: Recipe,
    *,
    device: str | None = None,
    discordant: float | None = None,
    wished: float | None = None,
    launch_plan: LaunchPlan | None = None,
    database: bool = True,
) -> Proposal:
    """Plan a recipe for this installation, or for a named device, whose times are then guessed.

    `launch_plan` says what is reused; without it nothing is. Without the database nothing is known of earlier runs and of
    the queue. Creates nothing. Raises RecipeError, and ValueError for a device that is not known.
    """
    if device is not None and device not in HARDWARE:
        raise ValueError(f"there is no device {device!r}{nearest(device, HARDWARE)}")
    here = site(recipe.queue, database=database)
    hardware = HARDWARE[device] if device else own_hardware(here)
    specs = resolve(recipe) if launch_plan is None else launch_plan.specs
    reused = None if launch_plan is None else launch_plan.reused
    experience = MeasuredExperience(recipe, specs, hardware, timed=device is None) if database else None
    return Proposal(
        plan=plans.plan(recipe, hardware=hardware, experience=experience, reused=reused, specs=specs),
        site=here,
        power=power(
            recipe,
            same=launch_plan.sharing(recipe.conditions[0].name) if launch_plan else (),
            measured=measured_contrast(recipe) if database else None,
            accuracies=_start_accuracies(recipe, specs, experience) if experience else (),
            discordant=discordant,
            wished=wished,
        ),
        missing=missing_data(recipe, settings.MULBERRY_DATA, specs),
        doses=estimates(specs, settings.MULBERRY_DATA),
        contamination=contamination.sentences(specs, database=database),
    )


def _start_accuracies(
    recipe: Recipe, specs: Sequence[StageSpec], experience: MeasuredExperience
) -> list[float]:
    """What each condition starts the decisive stage from, by earlier runs; empty unless it is known of all."""
    stage = recipe.primary.stage or recipe.design.last_stages()[-1]
    found = {spec.condition: experience.accuracy(spec) for spec in specs if spec.stage == stage}
    known = [one for name in recipe.design.conditions if (one := found.get(name)) is not None]
    return known if len(known) == len(recipe.conditions) else []


def site(queue: str = "", *, database: bool = True) -> Site:
    """What is there to run on, now; `queue` empty: whatever the queue."""
    folder = settings.MULBERRY_STORAGE
    local = Path(folder).absolute() if "://" not in folder else None
    while local is not None and not local.exists():
        local = local.parent
    free = shutil.disk_usage(local).free if local is not None else None
    if not database:
        return Site(0, 0, free, folder, has_gpu=False, gpu="", reached=False, queue=queue)
    willing = willing_workers().order_by("pk")
    before = StageRun.objects.exclude(state__in=OVER).filter(experiment__imported=False)
    if queue:
        willing, before = willing.filter(queues__contains=[queue]), before.filter(queue=queue)
    devices = [device for worker in willing for device in worker.devices]
    return Site(
        slots=len(devices),
        waiting=before.count(),
        free=free,
        folder=folder,
        has_gpu=any(device.startswith("cuda") for device in devices),
        gpu=next((worker.gpus[0] for worker in willing if worker.gpus), ""),
        reached=True,
        queue=queue,
        served=served_queues() if queue else (),
    )


def own_hardware(here: Site) -> Hardware:
    """This installation's device; without a worker, or where its GPU is not known, the one of the report's run."""
    if here.slots and not here.has_gpu:
        return HARDWARE["cpu"]
    return named(here.gpu) or HARDWARE[CONSUMER]


def _alike(plan: plans.Plan) -> list[list[plans.RunPlan]]:
    """Runs of one stage that cost the same, stage after stage as the recipe has them."""
    order = {stage.name: place for place, stage in enumerate(plan.recipe.stages)}

    def cost(run: plans.RunPlan) -> tuple[object, ...]:
        return run.parameters, run.work.learnt, run.work.steps, run.evaluation.problems, round(run.seconds)

    def key(run: plans.RunPlan) -> tuple[object, ...]:
        return order.get(run.spec.stage, len(order)), run.spec.stage, *cost(run)

    return [list(runs) for _, runs in groupby(sorted(plan.runs, key=key), key=key)]
