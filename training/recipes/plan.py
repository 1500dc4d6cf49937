"""The plan of an experiment: what each of its stage runs computes, takes and leaves on disk, before it is launched.

Everything comes from the resolved recipe; what an installation has measured comes in as `Experience`. Each kind of
stage counts its own work in training/stages/<kind>/config.py (no torch).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite
from typing import Protocol

from training.benchmarks import BENCHMARKS
from training.recipes.hardware import HARDWARE, Hardware
from training.recipes.identity import Key, key
from training.recipes.recipe import Recipe, RecipeError, StageSpec, resolve
from training.recipes.same_conditions import same_conditions
from training.settings.shared import BenchmarkSettings, TrainingStageSettings
from training.settings.work_estimate import Caution, Work

START_SECONDS = (
    10.0  # of a stage run, where it was not measured: libraries, tokenizer, model, data, the slot's next run
)
KEPT = 2  # points to resume from that stay beside the final checkpoint (training.process.checkpoints.prune)
WEIGHT_BYTES = 4  # float32, whatever the precision of the forward pass
RESUME_BYTES = 12  # a weight and its two moments in AdamW
TOKEN_BYTES = 4  # of text
ROLLOUT_BYTES = 700  # of a rollout beside its texts: reward, components, ids, index
OUTCOME_BYTES = 300
RECORD_BYTES = 1_200  # of a metrics record with about 20 values
COPIES = 2  # of what is recorded: in the journal and in the database
YEAR = 365.25 * 86_400
TOO_LONG = 10 * YEAR  # of device time: asked about before it is launched


class Experience(Protocol):
    """What an installation knows from earlier runs; None where it knows nothing."""

    def start(self) -> float | None:
        """Seconds that a stage run takes beside training and evaluating."""

    def speed(self, spec: StageSpec) -> float | None:
        """Units (of the kind: tokens or rollouts) a second while such a stage trains."""

    def benchmark_speed(self, spec: StageSpec, benchmark: BenchmarkSettings) -> float | None:
        """Problems a second on a model of this size."""

    def accuracy(self, spec: StageSpec) -> float | None:
        """Of the model that the stage starts from, on the recipe's primary metric."""


class NoExperience:
    """An installation that has run nothing yet."""

    def start(self) -> float | None:
        """Not known."""
        return None

    def speed(self, spec: StageSpec) -> float | None:
        """Not known."""
        return None

    def benchmark_speed(self, spec: StageSpec, benchmark: BenchmarkSettings) -> float | None:
        """Not known."""
        return None

    def accuracy(self, spec: StageSpec) -> float | None:
        """Not known."""
        return None


@dataclass(frozen=True)
class RunPlan:
    """One stage run."""

    spec: StageSpec
    parameters: int
    work: Work  # of training; evaluation's stands apart
    evaluation: Work
    seconds: float  # on one device
    measured: bool  # by this installation, else a guess
    reused: bool  # its checkpoint is there already
    computed: bool  # all of it, or of a reused one the benchmarks that are missing

    @property
    def key(self) -> Key:
        """What identifies it within the experiment."""
        return key(self.spec)

    @property
    def flops(self) -> float:
        """Of training and evaluation."""
        return (self.work + self.evaluation).flops(self.parameters)

    @property
    def checkpoint_bytes(self) -> int:
        """The final checkpoint and the newest points to resume from."""
        settings = self.spec.settings
        if not isinstance(settings, TrainingStageSettings) or (self.reused and self.computed):
            return 0  # nothing is trained
        saved = min(KEPT, max(self.work.steps - 1, 0) // settings.save_every)
        return self.parameters * (WEIGHT_BYTES + saved * RESUME_BYTES)

    @property
    def record_bytes(self) -> int:
        """Rollouts, outcomes and metrics, in the journal and in the database."""
        total = self.work + self.evaluation
        recorded = (
            total.rollouts * ROLLOUT_BYTES + total.outcomes * OUTCOME_BYTES + total.records * RECORD_BYTES
        )
        return COPIES * (recorded + total.kept * TOKEN_BYTES)

    @property
    def disk(self) -> int:
        """Bytes that stay."""
        return self.checkpoint_bytes + self.record_bytes


@dataclass(frozen=True)
class Plan:
    """All stage runs of an experiment, on one kind of device."""

    recipe: Recipe
    hardware: Hardware
    runs: Sequence[RunPlan]
    cautions: Sequence[Caution]

    @property
    def notes(self) -> list[Caution]:
        """Cautions that warn of nothing, where there are so many that they would hide what stands below them."""
        return [one for one in self.cautions if not one.warns] if len(self.cautions) > 2 else []

    @cached_property
    def new(self) -> list[RunPlan]:
        """Every run of which something is computed."""
        return [run for run in self.runs if run.computed]

    @cached_property
    def work(self) -> Work:
        """All training together."""
        return sum((run.work for run in self.new), Work())

    @cached_property
    def evaluation(self) -> Work:
        """All benchmarks together."""
        return sum((run.evaluation for run in self.new), Work())

    @property
    def rollouts_a_condition(self) -> int:
        """Of the condition that takes the most, over all its stages and seeds."""
        counts = Counter[str]()
        for run in self.new:
            counts[run.spec.condition] += run.work.rollouts
        return max(counts.values(), default=0)

    @property
    def flops(self) -> float:
        """Of all that is computed."""
        return sum(run.flops for run in self.new)

    @property
    def seconds(self) -> float:
        """Estimated device time in seconds, summed over all stage runs that are computed."""
        return sum(run.seconds for run in self.new)

    @property
    def measured(self) -> bool:
        """Whether every run's time comes from what was measured here."""
        return all(run.measured for run in self.new)

    @property
    def disk(self) -> int:
        """Bytes that stay."""
        return sum(run.disk for run in self.new)

    def elapsed(self, slots: int) -> float:
        """Seconds from start to end with so many free devices, at best: a run waits for its parent."""
        ends: dict[Key, float] = {}
        for run in self.runs:  # parents first
            spec = run.spec
            start = ends[spec.condition, spec.parent, spec.seed] if spec.parent else 0.0
            ends[run.key] = start + (run.seconds if run.computed else 0.0)
        return max(self.seconds / max(slots, 1), *ends.values())

    @property
    def assumptions(self) -> list[str]:
        """What the figures take for granted, a sentence each."""
        said = [text for run in self.new if not run.reused for text in run.spec.settings.assumptions()]
        if any(run.spec.model.start_from for run in self.new):
            said.append("the checkpoint to start from is taken to be of the size that model says")
        if not self.measured:
            said.append(
                f"guessed times: {self.hardware.name} with {self.hardware.flops / 1e12:g} TFLOP/s, of which pre-training "
                "reaches 17 % and other training 10 %; a layer of a decoding step takes "
                f"{self.hardware.layer_seconds * 1000:g} ms or more"
            )
        said.append("6 FLOPs a parameter and token learnt, 2 a token read or sampled; attention left out")
        return list(dict.fromkeys(said))


def plan(
    recipe: Recipe,
    *,
    hardware: Hardware,
    experience: Experience | None = None,
    reused: Mapping[Key, Collection[str]] | None = None,
    specs: Sequence[StageSpec] | None = None,
) -> Plan:
    """Plan every stage run of a recipe on one kind of device. `specs` is the resolved recipe, where it is known.

    `reused` are the runs (condition, stage, seed) whose result is there already, each with the benchmarks that are
    missing: it costs these alone. Raises RecipeError, also for sizes beyond what a computer counts with.
    """
    known = experience or NoExperience()
    specs = resolve(recipe) if specs is None else specs
    try:
        runs = [_run(spec, hardware, known, (reused or {}).get(key(spec))) for spec in specs]
        whole = sum(run.seconds + run.flops + float(run.disk) for run in runs)
    except OverflowError:
        whole = inf
    if not isfinite(whole):
        raise RecipeError(
            [("", "its sizes are too large to count with; lower lengths, batches or the model")]
        )
    return Plan(recipe, hardware, runs, [*same_conditions(specs), *_cautions(runs, known)])


def evaluation_work(benchmarks: Sequence[BenchmarkSettings]) -> Work:
    """What the benchmarks of one checkpoint compute; every completion is taken to go to its token limit."""
    total = Work()
    for settings in benchmarks:
        benchmark = BENCHMARKS[settings.benchmark]
        count = problems(settings)
        generates = benchmark.kind == "answer"
        outcomes = count * (1 + settings.samples)
        batches = -(-count // settings.batch_size) + _batches_of_samples(count, settings)
        total += Work(
            problems=count,
            outcomes=outcomes,
            scored=outcomes * benchmark.tokens,
            generated=outcomes * settings.max_new_tokens if generates else 0,
            decoding_steps=batches * settings.max_new_tokens if generates else 0,
            kept=outcomes * (benchmark.tokens + settings.max_new_tokens),
        )
    return total


def validation_work(spec: StageSpec) -> Work:
    """What the evaluations compute while a stage trains: every so many steps and after the last one; nothing of them is kept."""
    benchmark, settings = spec.validated_by, spec.settings
    if benchmark is None or not isinstance(settings, TrainingStageSettings) or not settings.evaluate_every:
        return Work()
    times = -(-settings.work().steps // settings.evaluate_every)
    known = [one for one in spec.benchmarks if one.benchmark == benchmark.name]
    asked = (known or [BenchmarkSettings(benchmark=benchmark.name)])[0]
    asked = asked.model_copy(update={"problems": settings.evaluate_problems, "samples": 0})
    once = evaluation_work([asked])
    return Work(
        scored=once.scored * times,
        generated=once.generated * times,
        decoding_steps=once.decoding_steps * times,
    )


def _batches_of_samples(count: int, settings: BenchmarkSettings) -> int:
    """As training.sampling.sampler draws them: whole problems together, or one in parts."""
    if not settings.samples:
        return 0
    together = max(1, settings.batch_size // settings.samples)
    return -(-count // together) * -(-settings.samples // settings.batch_size)


def problems(settings: BenchmarkSettings) -> int:
    """How many problems are asked."""
    size = BENCHMARKS[settings.benchmark].size
    return size if settings.problems is None else min(settings.problems, size)


def guessed_seconds(work: Work, spec: StageSpec, parameters: int, hardware: Hardware) -> float:
    """Device time of some work where nothing was measured.

    Arithmetic at the kind's share of the peak; sampling is bound by arithmetic too, or by the time that each
    decoding step takes a layer, whichever is more.
    """
    reached = hardware.flops * spec.settings.utilisation
    read = Work(learnt=work.learnt, scored=work.scored).flops(parameters) / reached
    sampled = Work(generated=work.generated).flops(parameters) / reached
    return read + max(sampled, work.decoding_steps * spec.model.n_layer * hardware.layer_seconds)


def _run(spec: StageSpec, hardware: Hardware, known: Experience, missing: Collection[str] | None) -> RunPlan:
    """`missing`: the benchmarks that are left of a reused run; None: it is not reused.

    A run of which nothing is left is counted as if it were computed, for the table; the sums leave it out.
    """
    parameters = spec.model.parameters(spec.tokenizer.vocabulary)
    settings, work, benchmarks = spec.settings, spec.settings.work(), spec.benchmarks
    if missing:
        work, benchmarks = Work(), [one for one in benchmarks if one.benchmark in missing]
    start = known.start()
    seconds, measured = START_SECONDS if start is None else start, True
    validation = Work() if missing else validation_work(spec)
    seconds += guessed_seconds(validation, spec, parameters, hardware)
    amount = work.amount(settings.unit)
    speed = known.speed(spec) if amount else None
    if speed:
        seconds += amount / speed
    else:
        seconds += guessed_seconds(work, spec, parameters, hardware)
        measured = not amount
    for benchmark in benchmarks:
        speed = known.benchmark_speed(spec, benchmark)
        if speed:
            seconds += problems(benchmark) / speed
        else:
            seconds += guessed_seconds(evaluation_work([benchmark]), spec, parameters, hardware)
            measured = False
    return RunPlan(
        spec=spec,
        parameters=parameters,
        work=work,
        evaluation=evaluation_work(benchmarks) + validation,
        seconds=seconds,
        measured=measured,
        reused=missing is not None,
        computed=missing is None or bool(missing),
    )


def _cautions(runs: Sequence[RunPlan], known: Experience) -> list[Caution]:
    """Each once, with the conditions that it is about where it is not about all; what differs in figures alone is one."""
    conditions = {run.spec.condition for run in runs}
    alike: dict[tuple[object, ...], dict[str, Caution]] = {}
    for run in runs:
        if not run.reused:
            own = run.spec.settings.cautions(known.accuracy(run.spec))
            for caution in (*own, *never_validated(run.spec)):
                alike.setdefault(caution.shared, {}).setdefault(run.spec.condition, caution)
    return [_caution(about, conditions) for about in alike.values()]


def never_validated(spec: StageSpec) -> list[Caution]:
    """That a stage is to be evaluated while it trains, and has nothing to be evaluated on."""
    settings = spec.settings
    if not isinstance(settings, TrainingStageSettings) or not settings.evaluate_every or spec.validated_by:
        return []
    text = f"{settings.name}: nothing is evaluated while it trains, since no benchmark follows it; name one in evaluate_benchmark."
    return [Caution(text, warns=False)]


def _caution(about: Mapping[str, Caution], conditions: Collection[str]) -> Caution:
    """One caution of what is said of some conditions."""
    first = next(iter(about.values()))
    text = first.text
    if len(set(about.values())) > 1 and first.around is not None:
        figures = [f"{one.figures[0]} in {whom} ({one.figures[1]})" for whom, one in about.items()]
        text = f"{first.around[0]}{', '.join(figures)}{first.around[1]}"
    elif set(about) != set(conditions):
        text = f"{', '.join(about)}, {text}"
    return Caution(text, first.warns)


def elsewhere(recipe: Recipe, specs: Sequence[StageSpec] | None = None) -> dict[str, float]:
    """Name of each GPU that a guess knows → seconds that the whole recipe would take on one."""
    specs = resolve(recipe) if specs is None else specs
    gpus = [one for one in HARDWARE.values() if one.is_gpu]
    return {gpu.name: plan(recipe, hardware=gpu, specs=specs).seconds for gpu in gpus}
