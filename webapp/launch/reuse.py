"""What a launch need not compute: stages that a finished run has the result of, or that another condition computes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.utils import timezone

from training.did_you_mean import nearest
from training.recipes import identity
from training.recipes.identity import Identity, Key, key
from training.recipes.recipe import Recipe, RecipeError, StageSpec, resolve
from webapp.experiments.models import Experiment
from webapp.runs import environments, reuse as runs
from webapp.runs.models import StageRun, State
from webapp.runs.reuse import Offer


@dataclass(frozen=True)
class Fork:
    """An experiment and the stage from which on a new one goes its own way."""

    experiment: Experiment
    stage: str


@dataclass(frozen=True)
class LaunchPlan:
    """The runs of a launch with their identities: each is taken over, computed by another condition, or computed.

    It is made once for a recipe; the proposal, its panel and the launch itself read it.
    """

    specs: Sequence[StageSpec]
    identities: Mapping[Key, Identity]
    offers: Mapping[Key, Offer] = field(default_factory=dict)
    twins: Mapping[Key, Key] = field(default_factory=dict)  # run → the one that computes the same

    @property
    def reused(self) -> dict[Key, tuple[str, ...]]:
        """The runs that are not computed, each with the benchmarks that are left to run on what it takes over."""
        return {place: offer.missing for place, offer in self.offers.items()} | dict.fromkeys(self.twins, ())

    @property
    def already_in(self) -> list[Experiment]:
        """The experiments that have computed every run and every evaluation of this, by name; none where anything is new."""
        if not self.specs or any(self.offers.get(place) is None for place in map(key, self.specs)):
            return []
        if any(offer.missing for offer in self.offers.values()):
            return []
        found = {
            offer.source.run.experiment.name: offer.source.run.experiment for offer in self.offers.values()
        }
        return [found[name] for name in sorted(found)]

    def sharing(self, baseline: str) -> set[tuple[str, str]]:
        """The (stage, condition) that have the baseline's run, in every seed."""
        seeds: dict[tuple[str, str], list[bool]] = {}
        for condition, stage, seed in map(key, self.specs):
            if condition != baseline:
                same = self._source(condition, stage, seed) == self._source(baseline, stage, seed)
                seeds.setdefault((stage, condition), []).append(same)
        return {place for place, found in seeds.items() if all(found)}

    def _source(self, *place: Any) -> object:
        """What computes a run: another run's id, or a place in this plan."""
        if offered := self.offers.get(place):
            return offered.source.run.reused_from_id or offered.source.run.pk
        return self.twins.get(place, place)


def plan_launch(recipe: Recipe, *, reuse: bool = True, fork: Fork | None = None) -> LaunchPlan:
    """Resolve a recipe, tell each spec's identity once, and ask the database once what can be reused.

    A fork has what stands above it from its experiment, also without `reuse`. Raises RecipeError when that is not all
    there, or not what the recipe asks for.
    """
    specs: Sequence[StageSpec] = resolve(recipe)
    taken: dict[Key, Offer] = {}
    if fork is not None:
        specs, taken = _forked(specs, fork)
    known = {place: Identity(offer.source.run.identity, "") for place, offer in taken.items()}
    identities = identity.of_specs(specs, settings.MULBERRY_DATA, known)
    if not reuse:
        return LaunchPlan(specs, identities, taken)
    offers = reusable([spec for spec in specs if key(spec) not in taken], identities) | taken
    return LaunchPlan(specs, identities, offers, _twins(specs, identities, offers))


def takes_time(recipe: Recipe, fork: Fork | None = None) -> bool:
    """Whether `plan_launch` would wait for the hub; what a fork takes over is known already. Raises RecipeError."""
    specs = resolve(recipe)
    taken = _above(specs, fork.stage) if fork is not None else set()
    return identity.takes_time(spec for spec in specs if spec.stage not in taken)


def reusable(
    specs: Sequence[StageSpec], identities: Mapping[Key, Identity] | None = None
) -> dict[Key, Offer]:
    """Which resolved specs (parents first) have a finished run of their identity, and what it left.

    Four queries, the first by an index over the identities, whatever was launched before.
    """
    identities = identities or identity.of_specs(specs, settings.MULBERRY_DATA)
    wanted = {identities[key(spec)].sha256 for spec in specs} - {""}
    if not wanted:
        return {}
    finished = list(
        StageRun.objects.filter(identity__in=wanted, state=State.SUCCEEDED)
        .select_related("experiment", "stage", "condition")
        .defer("spec")
        .order_by("-finished_at", "-pk")
    )
    finished.sort(key=lambda run: run.reused_note != "")  # those that computed it come first
    left = runs.left_by(finished)
    there: dict[str, list[runs.Left]] = {}
    for run in finished:
        if left[run.pk].is_there:
            there.setdefault(run.identity, []).append(left[run.pk])
    offers, benchmarks = {}, runs.Benchmarks()
    for spec in specs:
        own = identities[key(spec)]
        sources = [one for one in there.get(own.sha256, []) if _serves(one, spec, own.data)]
        if sources:
            offers[key(spec)] = runs.offer(sources[0], sources[1:], spec.benchmarks, benchmarks)
    return offers


def _serves(left: runs.Left, spec: StageSpec, data: str) -> bool:
    """A checkpoint, unless the kind leaves none, of data that were still the same when it was made."""
    return (left.checkpoint is not None or not spec.settings.leaves_checkpoint) and left.learnt_from(data)


def _twins(
    specs: Iterable[StageSpec], identities: Mapping[Key, Identity], offers: Mapping[Key, Offer]
) -> dict[Key, Key]:
    """Runs that compute what an earlier one of the same launch computes."""
    first: dict[str, Key] = {}
    twins = {}
    for place in map(key, specs):
        sha256 = identities[place].sha256
        if sha256 and place not in offers and first.setdefault(sha256, place) != place:
            twins[place] = first[sha256]
    return twins


class ReuseLine(NamedTuple):
    """A run that is not computed, or why it is although there is one like it, in words."""

    stage: str
    condition: str
    seed: int
    source: StageRun | None  # None: it is in the same launch
    text: str


def lines(plan: LaunchPlan) -> list[ReuseLine]:
    """Every run of a plan that is not computed, in the plan's order."""
    found = []
    for spec in plan.specs:
        place = condition, stage, seed = key(spec)
        if place in plan.offers:
            offered = plan.offers[place]
            run = offered.source.run
            text = f"finished{_on(run.finished_at)} in {run.experiment.name}"
            if unlike := environments.unlike_here(offered.source.environment):
                text += f"; unlike here: {unlike}"
            if offered.missing:
                text += f", still to evaluate: {', '.join(offered.missing)}"
            found.append(ReuseLine(stage, condition, seed, run, text))
        elif place in plan.twins:
            text = f"the same as {plan.twins[place][0]}, which computes it"
            found.append(ReuseLine(stage, condition, seed, None, text))
    return found


def by_older_code(plan: LaunchPlan) -> list[ReuseLine]:
    """Every run that is computed although one of equal settings, data and seed is finished: the stage's code has changed.

    The newest such run each. One query by the index over the identities; none where no code has changed.
    """
    reused = plan.reused
    wanted = {place: plan.identities[place].earlier for place in map(key, plan.specs) if place not in reused}
    shas = {one.sha256 for earlier in wanted.values() for one in earlier}
    if not shas:
        return []
    finished = {
        run.identity: run
        for run in StageRun.objects.filter(identity__in=shas, state=State.SUCCEEDED)
        .select_related("experiment")
        .defer("spec")
        .order_by("finished_at", "pk")
    }
    found = []
    for (condition, stage, seed), earlier in wanted.items():
        for one in reversed(earlier):
            if run := finished.get(one.sha256):
                since = "; ".join(f"since {change.on} {change.why}" for change in one.changes)
                text = f"finished{_on(run.finished_at)} in {run.experiment.name}, by older code: {since}"
                found.append(ReuseLine(stage, condition, seed, run, text))
                break
    return found


def gathered(found: Iterable[ReuseLine]) -> dict[tuple[str, str], list[ReuseLine]]:
    """Runs of a stage together that have the same to say."""
    by_text: dict[tuple[str, str], list[ReuseLine]] = {}
    for line in found:
        by_text.setdefault((line.stage, line.text), []).append(line)
    return by_text


def _on(at: datetime | None) -> str:
    if at is None:
        return ""
    year = f" {at.year}" if at.year != timezone.now().year else ""
    return f" on {at.day} {at:%B}{year}"


def refuse_imported(experiment: Experiment) -> None:
    """Raise RecipeError for published numbers: there is nothing to start from."""
    if experiment.imported:
        text = (
            f"{experiment.name} was imported: published counts without settings and checkpoints; "
            "launch a recipe instead"
        )
        raise RecipeError([("", text)])


def check_fork(fork: Fork) -> None:
    """Raise RecipeError when the experiment is imported or has no such stage."""
    refuse_imported(fork.experiment)
    names = [stage.name for stage in fork.experiment.stages.all()]
    if fork.stage not in names:
        text = f"{fork.experiment.name} has no stage {fork.stage!r}{nearest(fork.stage, names)}"
        raise RecipeError([("", text)])


def _forked(specs: Sequence[StageSpec], fork: Fork) -> tuple[list[StageSpec], dict[Key, Offer]]:
    """The specs with the original's vocabulary, and what stands above the fork from its runs. Raises RecipeError."""
    check_fork(fork)
    parents = {spec.stage: spec.parent for spec in specs}
    if fork.stage not in parents:
        text = f"is what the fork begins with; leave its name as {fork.experiment.name} has it"
        raise RecipeError([("stages", f"{fork.stage!r} {text}")])
    above = _above(specs, fork.stage)
    originals = {
        (run.condition.name, run.stage.name, run.seed): run
        for run in fork.experiment.runs.select_related("experiment", "condition", "stage")
    }
    # A small vocabulary was trained on the original's sources, whatever the new stages learn from.
    original = StageSpec.model_validate(next(iter(originals.values())).spec)
    # So what stands above left out the texts that were too long for its conditions; whatever follows keeps to that.
    own = {"corpus": original.corpus, "forms": original.forms}
    all_forms = [*original.forms, *(form for form in specs[0].forms if form not in original.forms)]
    specs = [
        spec.model_copy(update=own if spec.stage in above else own | {"forms": all_forms}) for spec in specs
    ]
    wanted = [spec for spec in specs if spec.stage in above]
    left = runs.left_by([originals[key(spec)] for spec in wanted if key(spec) in originals])
    problems = []
    offers, benchmarks = {}, runs.Benchmarks()
    for spec in wanted:
        run = originals.get(key(spec))
        why = _why_not(spec, run, left.get(run.pk) if run else None, fork.experiment.name)
        if why or run is None:
            problems.append((f"stages.{spec.stage}", why))
        else:
            offers[key(spec)] = runs.offer(left[run.pk], [], spec.benchmarks, benchmarks)
    if problems:
        raise RecipeError(problems)
    return specs, offers


def _above(specs: Iterable[StageSpec], stage: str) -> set[str]:
    """The stages that a stage starts from, one after the other; none where there is no such stage."""
    parents = {spec.stage: spec.parent for spec in specs}
    above, parent = set(), parents.get(stage)
    while parent is not None:
        above.add(parent)
        parent = parents[parent]
    return above


def _why_not(spec: StageSpec, run: StageRun | None, left: runs.Left | None, name: str) -> str:
    """Why a fork cannot have this from the run; empty when it can."""
    which = f"{spec.stage} of {spec.condition}, seed {spec.seed}"
    if run is None or left is None:
        return f"{name} has no {which}; a fork keeps conditions and seeds: clone {name} to add some"
    if run.state != State.SUCCEEDED:
        return f"{which} is {run.state} in {name}; fork when it has succeeded"
    if identity.determining(spec) != identity.determining(StageSpec.model_validate(run.spec)):
        return f"{which} stands above the fork and would be another one; leave its settings, or clone {name}"
    if not left.is_there or (left.checkpoint is None and spec.settings.leaves_checkpoint):
        return f"the checkpoint of {which} in {name} is gone; clone {name} to compute it again"
    return ""
