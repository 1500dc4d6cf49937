"""The page of flips and its files: problems on which two checkpoints disagree, with both texts."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from webapp.annotations import annotating
from webapp.comparison import paths_through_stages
from webapp.comparison.flips import KINDS, Flips, ProblemMarks, flips
from webapp.comparison.metrics import METRICS, ComparisonMetric
from webapp.comparison.table import StageTable, refuse_unknown
from webapp.comparison.tables import flip_table
from webapp.experiments.models import Experiment
from webapp.pages import file_responses
from webapp.results.models import Outcome

SHOWN = 25  # problems on a page, each with two texts


@require_GET
def page(request: HttpRequest, name: str) -> HttpResponse:
    """Both texts of each problem; ?benchmark=, ?metric=, ?seed=, ?first=, ?first_stage=, …, ?only=, ?pattern=, ?of=, ?marked=."""
    experiment = get_object_or_404(Experiment, name=name)
    try:
        found = _flips(request, experiment)
        chosen = _chosen(request, found)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    only, pattern = request.GET.get("only", ""), request.GET.get("pattern", "")
    parameters = request.GET.copy()
    parameters.pop("page", None)
    shown = Paginator(chosen, SHOWN).get_page(request.GET.get("page"))
    texts = found.texts(shown) if chosen else {}
    words = paths_through_stages.words(_solved(found.metric))
    labels = kind_labels(found.metric)
    context = {
        "experiment": experiment,
        "flips": found,
        "page": shown,
        "annotated": annotating.of_each("outcome", [one.pk for pair in texts.values() for one in pair]),
        "marks": _marks(found).items(),
        "marked": request.GET.get("marked", ""),
        "problems": [_shown(found, problem, texts[problem.id], words) for problem in shown],
        "kinds": [(kind, labels[kind], getattr(found.counts, kind)) for kind in KINDS],
        "patterns": _patterns(found, words, only),
        "only": only,
        "only_label": labels.get(only, ""),
        "pattern": pattern,
        "pattern_label": words.get(pattern, ""),
        "of": request.GET.get("of", ""),
        "benchmarks": _benchmarks(experiment),
        "metrics": METRICS.values(),
        "query": parameters.urlencode(),
        "nav": "experiments",
    }
    return render(request, "results/flips.html", context)


def address(table: StageTable, stage: str, condition: str, seed: int, only: str = "") -> str:
    """The page of the problems on which a condition of the stage table and its baseline disagree; `only` one of KINDS."""
    query: dict[str, str | int] = {
        "benchmark": table.benchmark,
        "metric": table.metric.name,
        "seed": seed,
        "first": table.baseline,
        "first_stage": stage,
        "second": condition,
        "second_stage": stage,
    }
    if only:
        query["only"] = only
    return f"{reverse('flips', args=[table.experiment.name])}?{urlencode(query)}"


@require_GET
def file(request: HttpRequest, name: str, format: str) -> HttpResponseBase:
    """The problems that the page lists, all pages of them, streamed."""
    file_responses.check(format)
    experiment = get_object_or_404(Experiment, name=name)
    try:
        found = _flips(request, experiment)
        chosen = _chosen(request, found)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    if found.refusal:
        return HttpResponseBadRequest(f"{found.refusal}\n", content_type="text/plain")
    kind = f"-{request.GET['only']}" if request.GET.get("only") else ""
    return file_responses.rows_response(
        flip_table.rows(found, chosen), format, f"{experiment.name}-flips{kind}"
    )


def kind_labels(metric: ComparisonMetric) -> dict[str, str]:
    """What the four kinds of problems are called."""
    neither = "both wrong" if metric.name == "accuracy" else f"neither {metric.positive}"
    return {"gained": "gained", "lost": "lost", "both": f"both {metric.positive}", "neither": neither}


def _solved(metric: ComparisonMetric) -> str:
    return "solved" if metric.name == "accuracy" else metric.positive


def _flips(request: HttpRequest, experiment: Experiment) -> Flips:
    """What the query asks for; raises ValueError for a choice that there is not."""
    asked = request.GET
    if benchmark := asked.get("benchmark"):
        refuse_unknown("benchmark", benchmark, _benchmarks(experiment))
    return flips(
        experiment,
        benchmark=asked.get("benchmark", ""),
        metric=asked.get("metric") or "accuracy",
        seed=asked.get("seed", ""),
        first=(asked.get("first", ""), asked.get("first_stage", "")),
        second=(asked.get("second", ""), asked.get("second_stage", "")),
    )


def _chosen(request: HttpRequest, found: Flips) -> list[ProblemMarks]:
    only, pattern, of = (request.GET.get(name, "") for name in ("only", "pattern", "of"))
    refuse_unknown("kind", only or KINDS[0], list(KINDS))
    refuse_unknown("pattern", pattern or "never", paths_through_stages.PATTERNS)
    names = [way.condition.name for way in found.ways]
    # another condition may just have been chosen
    chosen = found.chosen(only, pattern, names.index(of)) if of in names else found.chosen(only, pattern)
    if not (marked := request.GET.get("marked", "")):
        return chosen
    refuse_unknown("label", marked, _marks(found))
    ids = annotating.those("outcome", marked, evaluation__in=_evaluations(found))
    annotated = set(Outcome.objects.filter(pk__in=ids).values_list("problem", flat=True))
    return [one for one in chosen if one.id in annotated]


def _evaluations(found: Flips) -> list[int]:
    return [side.tally.evaluation for side in (found.first, found.second) if side.tally is not None]


def _marks(found: Flips) -> dict[str, str]:
    """What outcomes of the two checkpoints were labelled and commented with."""
    return annotating.choices("outcome", evaluation__in=_evaluations(found))


def _benchmarks(experiment: Experiment) -> list[str]:
    specs = experiment.runs.values_list("spec__benchmarks", flat=True)
    planned = [one["benchmark"] for spec in specs for one in spec or []]
    return list(dict.fromkeys([experiment.primary_metric, *planned]))


def _patterns(found: Flips, words: dict[str, str], only: str) -> list[dict[str, Any]]:
    """A row a pattern: its words, what it means, and how many problems of each way have it."""
    counts = found.pattern_counts(only)
    return [
        {
            "name": name,
            "words": words[name],
            "meaning": meaning,
            "counts": [(way.condition, count[name]) for way, count in zip(found.ways, counts, strict=True)],
        }
        for name, (_, meaning) in paths_through_stages.PATTERNS.items()
    ]


def _shown(
    found: Flips, problem: ProblemMarks, texts: tuple[Any, Any], words: dict[str, str]
) -> dict[str, Any]:
    """One problem as the page draws it."""
    yes = problem.kind in ("lost", "both"), problem.kind in ("gained", "both")
    through = [
        (way.condition, list(zip(way.stages, marks, strict=True)), words.get(name, ""))
        for way, marks, name in zip(found.ways, problem.marks, problem.patterns, strict=True)
    ]
    sides = list(zip((found.first, found.second), yes, texts, strict=True))
    return {
        "id": problem.id,
        "kind": kind_labels(found.metric)[problem.kind],
        "sides": sides,
        "ways": through,
    }
