"""Taking over what a finished run left, its checkpoint and its results: as attempt 0 of the run that reuses them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection
from django.db.models import Count, Prefetch
from django.utils import timezone

from training.benchmarks import BENCHMARKS
from training.benchmarks.comparable import comparable
from training.data import identity
from training.process import checkpoints
from training.settings.shared import BenchmarkSettings
from webapp.results.models import Evaluation, Outcome
from webapp.runs.code_versions import contributing
from webapp.runs.models import Attempt, Checkpoint, StageRun

One = TypeVar("One")
REUSED = "reused"  # outcome of attempt 0
COPIED = ", ".join(
    f'"{one.column}"' for one in Outcome._meta.concrete_fields if one.name not in ("id", "evaluation")
)


@dataclass(frozen=True)
class Left:
    """What a finished run left."""

    run: StageRun  # with its experiment
    checkpoint: Checkpoint | None  # None: its kind of stage leaves none
    code_version: str  # what computed it; empty: not recorded
    data: Sequence[list[Any]]  # what each of its attempts learnt from, where it was recorded
    examples: list[Any] | None  # which examples were kept; None: not recorded
    environment: dict[str, Any] | None  # of its last attempt
    evaluations: Sequence[Evaluation]  # whole ones, the newest first

    @property
    def name(self) -> str:
        """How the run is called for good."""
        return f"{self.run.experiment.name} / run {self.run.pk}"

    @property
    def is_there(self) -> bool:
        """Whether its checkpoint still lies on disk."""
        saved = self.checkpoint
        return saved is None or checkpoints.is_there(Path(saved.path), saved.manifest_sha256)

    def learnt_from(self, data: str) -> bool:
        """Whether the data were, when it ran, those of this digest."""
        return all(identity.digest(recorded) == data for recorded in self.data)

    def same_weights(self, other: "Left") -> bool:
        """Whether results of the other one are results of this one's checkpoint."""
        if self.checkpoint is None or other.checkpoint is None:
            return self.checkpoint is other.checkpoint
        return self.checkpoint.manifest_sha256 == other.checkpoint.manifest_sha256


@dataclass(frozen=True)
class Offer:
    """What a run can take over, and which of its benchmarks are left to run."""

    source: Left
    evaluations: Mapping[str, Evaluation]
    missing: tuple[str, ...]


class Benchmarks:
    """What results must share with the benchmarks of specs; each is looked at once."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, object] | None] = {}

    def wanted(self, benchmark: BenchmarkSettings) -> dict[str, object] | None:
        """As Evaluation.settings has it; None where the problems are not there."""
        name = benchmark.model_dump_json()
        if name not in self._known:
            found = BENCHMARKS[benchmark.benchmark]
            try:
                problems = found.asked(benchmark.problems, data_dir=settings.MULBERRY_DATA)
            except ValueError:
                self._known[name] = None
            else:
                self._known[name] = comparable(benchmark, found, problems)
        return self._known[name]


def offer(
    source: Left, others: Iterable[Left], benchmarks: Iterable[BenchmarkSettings], known: Benchmarks
) -> Offer:
    """The source's checkpoint with what was evaluated on it, in its own run or in others that have its weights."""
    evaluations = [e for left in (source, *others) if left.same_weights(source) for e in left.evaluations]
    found: dict[str, Evaluation] = {}
    missing = []
    for benchmark in benchmarks:
        name, wanted = benchmark.benchmark, known.wanted(benchmark)
        fits = (e for e in evaluations if e.benchmark == name and e.settings == wanted)
        if (evaluation := next(fits, None)) is not None:
            found[name] = evaluation
        else:
            missing.append(name)
    return Offer(source, found, tuple(missing))


def left_by(runs: Sequence[StageRun]) -> dict[int, Left]:
    """What each of some succeeded runs left. Three queries, whatever their number."""
    final = Checkpoint.objects.filter(final=True).order_by("seq")
    attempts = (
        Attempt.objects.filter(stage_run__in=runs)
        .defer("contamination")
        .prefetch_related(Prefetch("checkpoints", final))
    )
    by_run: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in attempts.order_by("number"):
        by_run[attempt.stage_run_id].append(attempt)
    evaluations: dict[int, list[Evaluation]] = defaultdict(list)
    for evaluation in (
        Evaluation.objects.filter(attempt__stage_run__in=runs, published__isnull=True)
        .annotate(counted=Count("outcomes"))
        .select_related("attempt")
        .order_by("-attempt__number", "-seq", "-grading")
    ):
        if evaluation.problems and evaluation.counted == evaluation.problems * (
            1 + evaluation.settings.get("samples", 0)
        ):
            evaluations[evaluation.attempt.stage_run_id].append(evaluation)
    return {
        run.pk: Left(
            run,
            _last([c for a in by_run[run.pk] if a.number == run.attempt_number for c in a.checkpoints.all()]),
            ", ".join(contributing(by_run[run.pk]))[:100],
            [attempt.data for attempt in by_run[run.pk] if attempt.data is not None],
            _last([attempt.examples for attempt in by_run[run.pk] if attempt.examples is not None]),
            _last([attempt.environment for attempt in by_run[run.pk] if attempt.environment is not None]),
            evaluations[run.pk],
        )
        for run in runs
    }


def _last(found: list[One]) -> One | None:
    return found[-1] if found else None


def take_over(offers: Sequence[tuple[StageRun, Offer]]) -> None:
    """Copy references to checkpoints, and results, so that nothing is missing when the sources are deleted.

    Each run gets what it is offered as attempt 0. Six queries, whatever the number of runs.
    """
    if not offers:
        return
    recorded = Attempt.objects.filter(
        stage_run__in={offered.source.run.pk for _, offered in offers}, contamination__isnull=False
    )
    contaminations = dict(recorded.order_by("number").values_list("stage_run_id", "contamination"))
    now = timezone.now()
    attempts = Attempt.objects.bulk_create(
        Attempt(
            stage_run=run,
            number=0,
            started_at=now,
            ended_at=now,
            outcome=REUSED,
            code_version=offered.source.code_version or None,
            data=offered.source.data[-1] if offered.source.data else None,
            examples=offered.source.examples,
            contamination=contaminations.get(offered.source.run.pk),
            environment=offered.source.environment,
            journal_seq=1 + len(offered.evaluations),
        )
        for run, offered in offers
    )
    Checkpoint.objects.bulk_create(
        Checkpoint(
            attempt=attempt,
            seq=1,
            step=saved.step,
            path=saved.path,
            final=True,
            manifest_sha256=saved.manifest_sha256,
            bytes=saved.bytes,
            saved_at=saved.saved_at,
        )
        for attempt, (_, offered) in zip(attempts, offers, strict=True)
        if (saved := offered.source.checkpoint) is not None
    )
    _copy(
        [
            (evaluation, attempt, seq)
            for attempt, (_, offered) in zip(attempts, offers, strict=True)
            for seq, evaluation in enumerate(offered.evaluations.values(), start=2)
        ]
    )
    for run, offered in offers:
        source = offered.source.run
        taken = source.reused_from_id  # who took it over itself names the run that computed it
        run.reused_from_id = taken or source.pk
        run.reused_note = source.reused_note if taken else offered.source.name
        run.progress_done = run.progress_total
    StageRun.objects.bulk_update([run for run, _ in offers], ["reused_from", "reused_note", "progress_done"])


def _copy(evaluations: Sequence[tuple[Evaluation, Attempt, int]]) -> None:
    """Each evaluation with all its outcomes, for an attempt at a place in its journal; copied within the database."""
    made = Evaluation.objects.bulk_create(
        Evaluation(
            attempt=attempt,
            seq=seq,
            key=evaluation.key,
            benchmark=evaluation.benchmark,
            step=evaluation.step,
            problems=evaluation.problems,
            settings=evaluation.settings,
            at=evaluation.at,
        )
        for evaluation, attempt, seq in evaluations
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO results_outcome (evaluation_id, {COPIED}) "  # noqa: S608 - names of columns
            f"SELECT pairs.made_id, {COPIED} FROM unnest(%s::bigint[], %s::bigint[]) AS pairs (made_id, source_id) "
            "JOIN results_outcome ON results_outcome.evaluation_id = pairs.source_id",
            [[one.pk for one in made], [evaluation.pk for evaluation, _, _ in evaluations]],
        )


@dataclass(frozen=True)
class TakenOver:
    """What a run has from another one."""

    checkpoint: Checkpoint | None
    benchmarks: frozenset[str]


def taken_over(run: int) -> TakenOver | None:
    """What a run took over; None: nothing, it computes all itself."""
    attempt = Attempt.objects.filter(stage_run=run, number=0, outcome=REUSED).first()
    if attempt is None:
        return None
    benchmarks = attempt.evaluations.values_list("benchmark", flat=True)
    return TakenOver(attempt.checkpoints.first(), frozenset(benchmarks))
