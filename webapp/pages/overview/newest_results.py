"""The newest results of last stages in one line each: the difference and its verdict, kept until there is news."""

from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.db.models import Max, OuterRef, Subquery, Sum

from webapp.comparison.cells import Refusal, SameRun
from webapp.comparison.table import StageRow, StageTable, stage_table
from webapp.comparison.wording import waiting_for
from webapp.experiments.models import Experiment
from webapp.files.number_text import points
from webapp.results.models import AS_IT_RAN, Evaluation
from webapp.results.outcome_counts import NO_PROBLEMS, PRIMARY
from webapp.statistics.verdicts import Verdict

SHOWN = 5
LOOKED_AT = 80  # newest evaluations: one experiment of many seeds has a dozen of its last stages
KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True)
class BaselineDifference:
    """A condition against the baseline after a last stage."""

    stage: str
    condition: str
    position: int
    baseline: str
    points: str  # with its sign; empty while there is none
    verdict: Verdict | None
    note: str  # why there is no difference, or what it lacks


@dataclass(frozen=True)
class LastResult:
    """An experiment whose last stages were evaluated lately."""

    experiment: Experiment
    at: datetime
    differences: tuple[BaselineDifference, ...]


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
    news = {
        pk: f"{seqs}.{last}.{graded_anew}"
        for pk, seqs, last, graded_anew in Experiment.objects.filter(pk__in=found)
        .annotate(seqs=Sum("runs__attempts__journal_seq"), last=Max("runs__attempts"))
        .annotate(graded=Subquery(graded.order_by("-pk").values("pk")[:1]))
        .values_list("pk", "seqs", "last", "graded")
    }
    return [
        LastResult(experiments[pk], at, _differences(experiments[pk], news[pk])) for pk, at in found.items()
    ]


def _differences(experiment: Experiment, news: str) -> tuple[BaselineDifference, ...]:
    """From the cache as long as no journal of the experiment was read on, and nothing was graded anew."""
    key = f"last-result:{experiment.pk}:{news}"
    known: tuple[BaselineDifference, ...] | None = cache.get(key)
    if known is None:
        table = stage_table(experiment)
        known = tuple(
            _difference(table, row, place)
            for row in table.rows
            if row.last
            for place in range(len(table.others))
        )
        cache.set(key, known, KEPT_SECONDS)
    return known


def _difference(table: StageTable, row: StageRow, place: int) -> BaselineDifference:
    named = row.stage, table.others[place], place + 1, table.baseline
    if table.several_seeds and (together := row.over_seeds[place]):
        note = waiting_for(together) if together.interim else ""
        return BaselineDifference(*named, points(together.result.mean), together.verdict, note)
    done = [one for seed in row.seeds if (one := seed.comparisons[place]) is not None]
    if not done:
        return BaselineDifference(*named, "", None, "not decided yet")
    if any(cell.empty for seed in row.seeds for cell in (seed.cells[0], seed.cells[place + 1])):
        return BaselineDifference(*named, "", None, NO_PROBLEMS)
    if isinstance(done[0], SameRun):
        return BaselineDifference(*named, "", None, "same run")
    if isinstance(done[0], Refusal):
        return BaselineDifference(*named, "", None, "cannot be compared")
    alone = f"seed {done[0].seed} alone so far" if table.several_seeds else ""
    return BaselineDifference(*named, points(done[0].delta), None if alone else done[0].verdict, alone)
