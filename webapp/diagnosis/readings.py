"""The diagnosis: findings computed from an experiment's records by the rules (see rules/).

What a run's rules read changes only with the journals of the run, of its parent, of the runs that sample from it and of the
run it was reused from, and with its end, so its reading is kept by how far these have been brought in; an unfinished run is read again when its page asks and there is news.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from django.db.models import Q, QuerySet

from training.settings.shared import StageSettings
from training.stages import kinds_where
from webapp.comparison.table import StageTable, stage_table
from webapp.diagnosis import dynamics, kept
from webapp.diagnosis.finding import Advice, Finding, Link, Severity
from webapp.diagnosis.grouping import FindingGroup, grouped
from webapp.diagnosis.hypotheses import HYPOTHESES, Hypothesis
from webapp.diagnosis.kept import Reading
from webapp.diagnosis.records import RunRecords
from webapp.diagnosis.rules import RUN_RULES, TABLE_RULES
from webapp.experiments.models import Experiment
from webapp.runs.models import OVER, Attempt, StageRun
from webapp.runs.querysets import LONG

__all__ = [
    "Advice",
    "Finding",
    "FindingGroup",
    "Link",
    "NextStep",
    "Reading",
    "Severity",
    "grouped",
    "next_steps",
    "of_experiment",
    "of_run",
    "of_run_at_once",
]

QUICK = 2_000  # steps of a run that is read while its page waits
REASONS_TO_GO_ON = ("no_gradient",)  # where these are to know, not to worry: prompts that are solved


def of_run(run: StageRun) -> Reading:
    """Read one run with its stage, condition, experiment and parent; what is kept of it when nothing came in since."""
    return _readings([run])[run.pk]


def of_run_at_once(run: StageRun) -> tuple[Reading | None, bool]:
    """What a page shows of a run without waiting for it, and whether it is of all that came in.

    A long run's reading may be older than its newest records, or there may be none yet; a short one is read.
    """
    keys = _keys([run])
    if (found := kept.find(keys).get(run.pk)) is not None:
        return found, True
    if run.progress_done <= QUICK:
        return of_run(run), True
    return kept.latest(run.pk), False


def of_experiment(experiment: Experiment, table: StageTable | None = None) -> list[Finding]:
    """Every finding of an experiment, the worst first, then in the order of its stages; `table`: its own, where it is made."""
    found = [finding for reading in readings(experiment).values() for finding in reading.findings]
    table = table or stage_table(experiment)
    found += [finding for rule in TABLE_RULES for finding in rule(table)]
    order = {stage.name: stage.position for stage in experiment.stages.all()}
    return sorted(found, key=lambda one: (-one.severity, order.get(one.stage, -1)))


def readings(experiment: Experiment) -> dict[int, Reading]:
    """Stage run id → its reading, of every run that has started."""
    return _readings(
        _with_names().filter(Q(attempt_number__gt=0) | ~Q(reused_note=""), experiment=experiment)
    )


def _with_names() -> QuerySet[StageRun]:
    return StageRun.objects.select_related("stage", "condition", "experiment", "parent__stage").defer(*LONG)


def _readings(runs: Iterable[StageRun]) -> dict[int, Reading]:
    runs = list(runs)
    keys = _keys(runs)
    found = kept.find(keys)
    fresh = {run.pk: _read(run) for run in runs if run.pk not in found}
    if fresh:
        kept.keep((pk, keys[pk], reading) for pk, reading in fresh.items())
    return {run.pk: found.get(run.pk) or fresh[run.pk] for run in runs}


def _keys(runs: list[StageRun]) -> dict[int, str]:
    """A name for what each run's reading is made from: whether it is over, and how far the journals have come in."""
    seqs: dict[int, list[str]] = {}
    children: dict[int, set[int]] = {}
    wanted = {pk for run in runs for pk in _read_of(run)}
    sampling = Q(stage_run__parent__in=runs, stage_run__stage__kind__in=kinds_where(_samples))
    rows = Attempt.objects.filter(Q(stage_run__in=wanted) | sampling).order_by("stage_run", "number")
    names = "stage_run_id", "stage_run__parent_id", "id", "journal_seq", "first_step"
    for run, parent, attempt, seq, first in rows.values_list(*names):
        seqs.setdefault(run, []).append(f"{attempt}.{seq}.{first}")
        children.setdefault(parent, set()).add(run)
    return {
        run.pk: "/".join(
            [
                "over" if run.state in OVER else "going on",
                *("+".join(seqs.get(pk, [])) for pk in _read_of(run)),
                *("+".join(seqs[pk]) for pk in sorted(children.get(run.pk, ()))),
            ]
        )
        for run in runs
    }


def _samples(kind: type[StageSettings]) -> bool:
    return kind.samples_every_step


def _read_of(run: StageRun) -> list[int]:
    """The stage runs whose journals a run's reading is made from."""
    return [pk for pk in (run.pk, run.parent_id, run.reused_from_id) if pk is not None]


def _read(run: StageRun) -> Reading:
    records = RunRecords(run)
    seed = None if run.experiment.imported else run.seed
    found = [
        replace(finding, run=run.pk, stage=run.stage.name, condition=run.condition.name, seed=seed)
        for rule in RUN_RULES
        for finding in rule(records)
    ]
    rows = []
    if run.stage.settings_class.has_dynamics:
        rows = [*dynamics.rows(records.trend), *dynamics.component_rows(records.components)]
        rows.sort(key=lambda one: dynamics.place(one.measure.name))
    return Reading(rows, sorted(found, key=lambda one: -one.severity))


@dataclass(frozen=True)
class NextStep:
    """A hypothesis, and what speaks for it."""

    hypothesis: Hypothesis
    severity: Severity | None  # of the worst finding that points to it; None: none does
    texts: tuple[str, ...]  # what to do in it
    because: tuple[str, ...]  # what was found


def next_steps(findings: Iterable[Finding]) -> list[NextStep]:
    """Every hypothesis: those that findings point to, the worst first, then the rest; else in the report's order of priority."""
    pointing: dict[Hypothesis, list[tuple[Finding, Advice]]] = {one: [] for one in HYPOTHESES}
    for finding in findings:
        if finding.severity > Severity.INFO or finding.kind in REASONS_TO_GO_ON:
            for advice in finding.advice:
                if advice.hypothesis is not None:
                    pointing[advice.hypothesis].append((finding, advice))
    steps = [
        NextStep(
            hypothesis,
            max((finding.severity for finding, _ in pairs), default=None),
            tuple(dict.fromkeys(advice.text for _, advice in pairs)),
            tuple(dict.fromkeys(finding.topic for finding, _ in pairs)),
        )
        for hypothesis, pairs in pointing.items()
    ]
    return sorted(steps, key=lambda step: (-(step.severity or 0), step.hypothesis.priority))
