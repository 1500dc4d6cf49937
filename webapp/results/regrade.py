"""Grading stored completions anew, as a new version beside the old evaluation's outcomes."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Count, Q

from training.benchmarks import BENCHMARKS, Benchmark, Problem
from training.benchmarks.benchmark import Graded
from webapp.experiments.models import Experiment
from webapp.results.models import Evaluation, KeptReading, Outcome
from webapp.runs import lifecycle
from webapp.runs.models import StageRun

CHUNK = 2_000  # outcomes that are graded at once
GRADED = ("final_answer", "correct", "answer_rule")  # the columns that a grader decides
_KEPT = ", ".join(
    f'"{one.column}"'
    for one in Outcome._meta.concrete_fields
    if one.name not in ("id", "evaluation", *GRADED)
)


@dataclass(frozen=True)
class Regraded:
    """What grading an experiment anew did; outcomes are counted with their samples."""

    graders: tuple[str, ...] = ()  # name/version, of what was graded anew
    evaluations: int = 0
    outcomes: int = 0
    now_right: int = 0
    now_wrong: int = 0
    read_differently: int = 0  # final answers that changed, right or wrong
    left: int = 0  # evaluations that are still to do: the time was up

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        rest = f"; {_counted(self.left, 'evaluation')} still to do: do it again" if self.left else ""
        if not self.evaluations:
            return f"nothing to grade anew: every finished evaluation has its grader’s newest version{rest}"
        changed = self.now_right + self.now_wrong
        return (
            f"{_counted(self.evaluations, 'evaluation')} graded anew by {', '.join(self.graders)}: {changed:,} of "
            f"{_counted(self.outcomes, 'outcome')} changed ({self.now_right:,} now right, {self.now_wrong:,} now wrong), "
            f"{_counted(self.read_differently, 'final answer')} read differently{rest}"
        )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def outdated(experiment: Experiment) -> list[Evaluation]:
    """Its finished evaluations, the newest grading of each, that an older version of their benchmark's grader graded.

    Choices are left out: they are graded by the problem's other choices, which no outcome holds.
    """
    found = Evaluation.objects.filter(attempt__stage_run__experiment=experiment, published__isnull=True)
    newest = {(one.attempt_id, one.seq): one for one in found.select_related("attempt").order_by("grading")}
    older = [one for _, one in sorted(newest.items()) if _is_older(one)]
    if not older:
        return []
    rows = Outcome.objects.filter(evaluation__in=older).order_by().values_list("evaluation")
    counted = dict(rows.annotate(Count("pk")))
    return [
        one
        for one in older
        if one.problems and counted.get(one.pk) == one.problems * (1 + one.settings.get("samples", 0))
    ]


def _is_older(evaluation: Evaluation) -> bool:
    """Whether an older version of its benchmark's grader graded it, and the newest one can."""
    benchmark = BENCHMARKS.get(evaluation.benchmark)
    if benchmark is None or benchmark.kind != "answer":
        return False
    name, _, version = evaluation.grader.partition("/")
    own, _, newest = benchmark.grader.partition("/")
    return name == own and version.isdigit() and int(version) < int(newest)


def regrade(experiment: Experiment, *, seconds: float | None = None) -> Regraded:
    """Grade what `outdated` lists; a second time there is nothing to do.

    Each evaluation is one transaction. After so many `seconds` no further one is begun; None: all are.
    """
    end = None if seconds is None else time.monotonic() + seconds
    wanted = outdated(experiment)
    graders: dict[str, None] = {}
    marks: list[Mark] = []
    runs: list[int] = []  # one for each evaluation
    done = 0
    for evaluation in wanted:
        if end is not None and time.monotonic() > end:
            break
        benchmark = BENCHMARKS[evaluation.benchmark]
        with transaction.atomic():
            found = _graded_anew(evaluation, benchmark)
            if found is not None:  # else somebody else did it meanwhile
                marks += found
                runs.append(evaluation.attempt.stage_run_id)
                graders[benchmark.grader] = None
        done += 1
    _tell(experiment, runs)
    return Regraded(
        tuple(graders),
        len(runs),
        len(marks),
        now_right=sum(after and not before for before, after, _ in marks),
        now_wrong=sum(before and not after for before, after, _ in marks),
        read_differently=sum(other for *_, other in marks),
        left=len(wanted) - done,
    )


Mark = tuple[bool, bool, bool]  # right before, right now, another final answer


def _graded_anew(evaluation: Evaluation, benchmark: Benchmark) -> list[Mark] | None:
    """Write the new version of an evaluation; None where it is there already."""
    same = Evaluation.objects.select_for_update().filter(attempt=evaluation.attempt_id, seq=evaluation.seq)
    if any(one.settings.get("grader") == benchmark.grader for one in same):
        return None
    made = Evaluation.objects.create(
        attempt_id=evaluation.attempt_id,
        seq=evaluation.seq,
        grading=1 + max(one.grading for one in same),
        key=evaluation.key,
        benchmark=evaluation.benchmark,
        step=evaluation.step,
        problems=evaluation.problems,
        settings={**evaluation.settings, "grader": benchmark.grader},
        at=evaluation.at,
    )
    marks: list[Mark] = []
    after = 0
    columns = ("pk", "problem", "prompt", "reference", "completion", "final_answer", "correct")
    while rows := list(evaluation.outcomes.filter(pk__gt=after).order_by("pk").values_list(*columns)[:CHUNK]):
        graded = [
            benchmark.grade(Problem(name, prompt, right), text) for _, name, prompt, right, text, *_ in rows
        ]
        _copy(made, [row[0] for row in rows], graded)
        marks += [
            (correct, one.correct, one.final_answer != answer)
            for (*_, answer, correct), one in zip(rows, graded, strict=True)
        ]
        after = rows[-1][0]
    return marks


def _copy(made: Evaluation, outcomes: Sequence[int], graded: Sequence[Graded]) -> None:
    """These outcomes for another evaluation, graded so; copied within the database."""
    answers, correct, rules = zip(*graded, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO results_outcome (evaluation_id, {', '.join(GRADED)}, {_KEPT}) "  # noqa: S608 - names of columns
            f"SELECT %s, graded.final_answer, graded.correct, graded.answer_rule, {_KEPT} "
            "FROM unnest(%s::bigint[], %s::text[], %s::boolean[], %s::text[]) "
            "AS graded (outcome_id, final_answer, correct, answer_rule) "
            "JOIN (SELECT id, " + _KEPT + " FROM results_outcome) AS old ON old.id = graded.outcome_id",
            [made.pk, list(outcomes), list(answers), list(correct), list(rules)],
        )


def _tell(experiment: Experiment, runs: Iterable[int]) -> None:
    """Read anew what the diagnosis read of these runs and of those that are compared with them; tell open pages."""
    runs = set(runs)
    if not runs:
        return
    changed = Q(pk__in=runs) | Q(parent__in=runs) | Q(reused_from__in=runs)
    with transaction.atomic():
        KeptReading.objects.filter(stage_run__in=StageRun.objects.filter(changed)).delete()
        for run, state in StageRun.objects.filter(pk__in=runs).values_list("pk", "state"):
            lifecycle.notify(experiment=experiment.pk, run=run, state=str(state))
