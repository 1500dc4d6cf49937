"""The newest results in one line each: what was planned, or the last stages' differences, and its verdict, kept until there is news."""

from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.db.models import Max, OuterRef, Subquery, Sum

from webapp.comparison.cells import Refusal, SameRun, SeedsComparison
from webapp.comparison.comparisons import Compared
from webapp.comparison.contrasts import StageContrast
from webapp.comparison.sentences.wording import difference, waiting_for
from webapp.comparison.stage_rows import StageRow
from webapp.comparison.table import StageTable, stage_table
from webapp.experiments.models import Experiment
from webapp.results.models import AS_IT_RAN, Evaluation
from webapp.results.outcome_counts import NO_PROBLEMS, PRIMARY
from webapp.runs.models import Event
from webapp.statistics.verdicts import Verdict

SHOWN = 5
LOOKED_AT = 80  # newest evaluations: one experiment of many seeds has a dozen of its last stages
KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True)
class ContrastResult:
    """A condition against the baseline after the planned stage, or a last one; or a planned gain or interaction, which goes before."""

    stage: str  # of a gain or an interaction with the one that it starts from
    condition: str
    position: int
    against: str  # what it is set against
    delta: str  # with its sign, and its unit where that is not points; empty while there is none
    verdict: Verdict | None
    note: str  # why there is no difference, or what it lacks


@dataclass(frozen=True)
class LastResult:
    """An experiment whose last stages were evaluated lately."""

    experiment: Experiment
    at: datetime
    contrasts: tuple[ContrastResult, ...]


def last_results() -> list[LastResult]:
    """The experiments with the newest evaluations of last stages on their primary metric."""
    newest = Evaluation.objects.filter(
        attempt__stage_run__stage__followers=None,
        attempt__stage_run__experiment__imported=False,
        benchmark=PRIMARY,
        grading=AS_IT_RAN,
    ).order_by("-pk")
    found: dict[int, datetime] = {}
    for experiment, at in newest.values_list("attempt__stage_run__experiment", "at")[:LOOKED_AT]:
        if len(found) < SHOWN or experiment in found:
            found.setdefault(experiment, at)
    experiments = Experiment.objects.in_bulk(list(found))
    graded = Evaluation.objects.filter(attempt__stage_run__experiment=OuterRef("pk")).exclude(
        grading=AS_IT_RAN
    )
    moved = Event.objects.filter(stage_run__experiment=OuterRef("pk"))
    news = {
        pk: ".".join(map(str, known))
        for pk, *known in Experiment.objects.filter(pk__in=found)
        .annotate(seqs=Sum("runs__attempts__journal_seq"), last=Max("runs__attempts"))
        .annotate(graded=Subquery(graded.order_by("-pk").values("pk")[:1]))
        .annotate(moved=Subquery(moved.order_by("-pk").values("pk")[:1]))
        .values_list("pk", "seqs", "last", "graded", "moved")
    }
    return [
        LastResult(experiments[pk], at, _contrasts(experiments[pk], news[pk])) for pk, at in found.items()
    ]


def _contrasts(experiment: Experiment, news: str) -> tuple[ContrastResult, ...]:
    """From the cache as long as no journal of the experiment was read on, no run moved, and nothing was graded anew."""
    key = f"last-contrasts:{experiment.pk}:{news}"
    known: tuple[ContrastResult, ...] | None = cache.get(key)
    if known is None:
        table = stage_table(experiment)
        known = tuple(_planned(table, one) for one in table.contrasts) or tuple(
            _difference(table, row, place) for row, place in _places(table)
        )
        cache.set(key, known, KEPT_SECONDS)
    return known


def _places(table: StageTable) -> list[tuple[StageRow, int]]:
    """The planned differences where the question names a stage or a condition; else those after the last stages, too."""
    asked = table.roles
    every = [(row, place) for row in table.rows for place in range(len(table.others))]
    planned = [(row, place) for row, place in every if asked.is_primary(row.stage, table.others[place])]
    if planned and (asked.question.stage or asked.question.condition):
        return planned
    return [(row, place) for row, place in every if row.last or (row, place) in planned]


def _difference(table: StageTable, row: StageRow, place: int) -> ContrastResult:
    name = table.others[place]
    if table.several_seeds and (together := row.over_seeds[place]):
        return _shown(table, row.stage, name, f"− {table.baseline}", together)
    named = row.stage, name, table.positions[name], f"− {table.baseline}"
    done = [one for seed in row.seeds if (one := seed.comparisons[place]) is not None]
    if done and any(cell.empty for seed in row.seeds for cell in (seed.cells[0], seed.cells[place + 1])):
        return ContrastResult(*named, "", None, NO_PROBLEMS)
    return _shown(table, row.stage, name, f"− {table.baseline}", done[0] if done else None)


def _planned(table: StageTable, one: StageContrast) -> ContrastResult:
    """A planned gain or interaction."""
    against = "gain" if one.kind == "gain" else f"gain − {table.baseline}’s"
    done = [found for found in one.seeds if found is not None]
    found = one.over_seeds if table.several_seeds and one.over_seeds else done[0] if done else None
    return _shown(table, f"{one.start} → {one.stage}", one.condition, against, found)


def _shown(
    table: StageTable, stage: str, condition: str, against: str, found: Compared | SeedsComparison | None
) -> ContrastResult:
    named = stage, condition, table.positions[condition], against
    if found is None:
        return ContrastResult(*named, "", None, "not decided yet")
    if isinstance(found, SameRun):
        return ContrastResult(*named, "", None, "same run")
    if isinstance(found, Refusal):
        return ContrastResult(*named, "", None, "cannot be compared")
    delta = difference(found.delta, table.metric)
    if table.metric.kind == "mean":
        delta += f" {table.metric.unit}"
    if isinstance(found, SeedsComparison):
        return ContrastResult(*named, delta, found.verdict, waiting_for(found) if found.interim else "")
    alone = f"seed {found.seed} alone so far" if table.several_seeds else ""
    return ContrastResult(*named, delta, None if alone else found.verdict, alone)
