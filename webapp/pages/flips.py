"""The page of flips and its files: problems on which two checkpoints disagree, with both texts."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from webapp.annotations import annotating
from webapp.comparison.metrics import METRICS, ComparisonMetric
from webapp.comparison.problems import paths_through_stages
from webapp.comparison.problems.flips import KINDS, Flips, ProblemMarks, flips
from webapp.comparison.table import StageTable, refuse_unknown
from webapp.comparison.tables import flip_table
from webapp.experiments.models import Condition, Experiment
from webapp.pages import file_responses
from webapp.results.models import Outcome

NARROWING = ("only", "pattern", "since", "of", "marked")  # what a list of flips is narrowed by
SHOWN = 25  # problems on a page, each with two texts
Side = tuple[str, str]  # condition, stage


@require_GET
def page(request: HttpRequest, name: str) -> HttpResponse:
    """Both texts of each problem; ?benchmark=, ?metric=, ?seed=, ?first=, …, ?only=, ?pattern=, ?since=, ?of=, ?marked=."""
    experiment = get_object_or_404(Experiment.objects.prefetch_related("conditions", "stages"), name=name)
    try:
        found, chosen = listed(request.GET, experiment)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    only, pattern, since = (request.GET.get(name, "") for name in ("only", "pattern", "since"))
    parameters = request.GET.copy()
    parameters.pop("page", None)
    every = parameters.copy()
    for narrowing in NARROWING:
        every.pop(narrowing, None)
    shown = Paginator(chosen, SHOWN).get_page(request.GET.get("page"))
    texts = found.texts(shown) if chosen else {}
    words = paths_through_stages.words(_solved(found.metric))
    labels = kind_labels(found.metric)
    named = side_names(found)
    context = {
        "experiment": experiment,
        "flips": found,
        "named": named,
        "difference": " − ".join(reversed(named)),
        "pair_rows": _pair_rows(found, named),
        "page": shown,
        "annotated": annotating.of_each("outcome", [one.pk for pair in texts.values() for one in pair]),
        "marks": _marks(found).items(),
        "marked": request.GET.get("marked", ""),
        "problems": [
            _shown(found, problem, texts[problem.id], words, folds=parameters.keys().isdisjoint(NARROWING))
            for problem in shown
        ],
        "other_pairs": _other_pairs(found, parameters),
        "kinds": [(kind, labels[kind], getattr(found.counts, kind)) for kind in KINDS],
        "patterns": _patterns(found, words, only, since),
        "sinces": _sinces(found, only, pattern),
        "only": only,
        "only_label": labels.get(only, ""),
        "pattern": pattern,
        "narrowing": [(name, request.GET[name]) for name in NARROWING if request.GET.get(name)],
        "narrowed": _narrowed(found, parameters, words),
        "listed_label": _counted("Download", len(chosen)),
        "every_label": _counted("Download all", len(found.problems)),
        "since": since,
        "of": request.GET.get("of", ""),
        "benchmarks": benchmarks(experiment),
        "metrics": METRICS.values(),
        "query": parameters.urlencode(),
        "every": every.urlencode(),
        "opened": _opened(found, parameters),
        "nav": "experiments",
    }
    return render(request, "results/flips.html", context)


def _other_pairs(found: Flips, parameters: QueryDict) -> list[tuple[Condition, str]]:
    """The conditions that the second one of the pair can be, each with its page; none where there is no choice."""
    conditions = [one for one in found.experiment.conditions.all() if one.pk != found.first.condition.pk]
    if len(conditions) < 2 or found.first.condition.pk == found.second.condition.pk:
        return []
    pairs = []
    for one in conditions:
        query = parameters.copy()
        query["second"] = one.name
        for narrowing in NARROWING:
            query.pop(narrowing, None)
        pairs.append((one, query.urlencode()))
    return pairs


def address(table: StageTable, stage: str, condition: str, seed: int, only: str = "") -> str:
    """The page of the problems on which a condition of the stage table and its baseline disagree; `only` one of KINDS."""
    pair = (table.baseline, stage), (condition, stage)
    return pair_address(table.experiment.name, table.benchmark, table.metric.name, seed, *pair, only)


def pair_address(
    name: str, benchmark: str, metric: str, seed: int, first: Side, second: Side, only: str = ""
) -> str:
    """The page of the problems on which two checkpoints of an experiment and seed disagree; each is a condition and a stage."""
    query: dict[str, str | int] = {
        "benchmark": benchmark,
        "metric": metric,
        "seed": seed,
        "first": first[0],
        "first_stage": first[1],
        "second": second[0],
        "second_stage": second[1],
    }
    if only:
        query["only"] = only
    return f"{reverse('flips', args=[name])}?{urlencode(query)}"


@require_GET
def file(request: HttpRequest, name: str, format: str) -> HttpResponseBase:
    """The problems that the page lists, all pages of them, streamed."""
    file_responses.check(format)
    experiment = get_object_or_404(Experiment, name=name)
    try:
        found, chosen = listed(request.GET, experiment)
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


def side_names(found: Flips) -> tuple[str, str]:
    """What tells the two checkpoints apart: their conditions, or their stages, or both."""
    first, second = found.first, found.second
    if first.stage == second.stage and first.condition != second.condition:
        return first.condition.name, second.condition.name
    if first.condition == second.condition:
        return first.stage.name, second.stage.name
    return (
        f"{first.condition.name} after {first.stage.name}",
        f"{second.condition.name} after {second.stage.name}",
    )


def _pair_rows(found: Flips, named: tuple[str, str]) -> list[tuple[str, list[tuple[str, int, str]]]]:
    """The 2 × 2 of the pair: a row each for what the first says, its cells with their kind, number and words."""
    yes, counts = found.metric.positive, found.counts
    no = "wrong" if found.metric.name == "accuracy" else f"not {yes}"
    neither = kind_labels(found.metric)["neither"]
    return [
        (yes, [("both", counts.both, f"both {yes}"), ("lost", counts.lost, f"only {named[0]} {yes}")]),
        (no, [("gained", counts.gained, f"only {named[1]} {yes}"), ("neither", counts.neither, neither)]),
    ]


def _solved(metric: ComparisonMetric) -> str:
    return "solved" if metric.name == "accuracy" else metric.positive


def listed(asked: QueryDict, experiment: Experiment) -> tuple[Flips, list[ProblemMarks]]:
    """What a query of the page asks for, and the problems that it lists; raises ValueError for a choice that there is not."""
    found = _flips(asked, experiment)
    return found, _chosen(asked, found)


def _flips(asked: QueryDict, experiment: Experiment) -> Flips:
    if benchmark := asked.get("benchmark"):
        refuse_unknown("benchmark", benchmark, benchmarks(experiment))
    return flips(
        experiment,
        benchmark=asked.get("benchmark", ""),
        metric=asked.get("metric") or "accuracy",
        seed=asked.get("seed", ""),
        first=(asked.get("first", ""), asked.get("first_stage", "")),
        second=(asked.get("second", ""), asked.get("second_stage", "")),
    )


def _chosen(asked: QueryDict, found: Flips) -> list[ProblemMarks]:
    only, pattern, since, of, marked = (asked.get(name, "") for name in NARROWING)
    refuse_unknown("kind", only or KINDS[0], list(KINDS))
    refuse_unknown("pattern", pattern or "never", paths_through_stages.PATTERNS)
    if since:
        refuse_unknown("stage", since, [stage.name for stage in found.experiment.stages.all()])
    names = [way.condition.name for way in found.ways]
    way = names.index(of) if of in names else None  # not: as when another condition has just been chosen
    chosen = sorted(
        found.chosen(only, pattern, way, since), key=lambda one: KINDS.index(one.kind)
    )  # flips first
    if not marked:
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


def benchmarks(experiment: Experiment) -> list[str]:
    """What an experiment's checkpoints are evaluated on, the one that decides first."""
    specs = experiment.runs.values_list("spec__benchmarks", flat=True)
    planned = [one["benchmark"] for spec in specs for one in spec or []]
    return list(dict.fromkeys([experiment.primary_metric, *planned]))


def _opened(found: Flips, asked: QueryDict) -> str:
    """The stepper of a problem of this list, but for the problem; it goes through the list in its order."""
    query = {"benchmark": found.benchmark, "seed": str(found.seed), "flips": asked.urlencode()}
    return f"{reverse('stepper', args=[found.experiment.name])}?{urlencode(query)}"


def _counted(what: str, rows: int) -> str:
    return f"{what} {rows:,} row{'s' * (rows != 1)}"


def _narrowed(found: Flips, asked: QueryDict, words: dict[str, str]) -> list[tuple[str, str]]:
    """What the list is narrowed by besides the kind: its words, and the address without it."""
    named = {
        "pattern": words.get(asked.get("pattern", ""), ""),
        "since": f"first {found.metric.positive} after {asked['since']}" if asked.get("since") else "",
    }
    chosen = {name: label for name, label in named.items() if label}
    whose = f" in {asked['of']}" if asked.get("of") else ""
    narrowed = []
    for name, label in chosen.items():
        without = asked.copy()
        for gone in (name, *(["of"] if len(chosen) == 1 else [])):
            without.pop(gone, None)
        narrowed.append((f"{label}{whose}", f"?{without.urlencode()}#problems"))
    return narrowed


def _sinces(found: Flips, only: str, pattern: str) -> list[tuple[str, list[tuple[Condition, int]]]]:
    """A row a stage: how many problems of each way were first so after it."""
    counts = found.since_counts(only, pattern)
    stages = found.ways[0].stages if found.ways else ()
    return [
        (stage, [(way.condition, count[stage]) for way, count in zip(found.ways, counts, strict=True)])
        for stage in stages
    ]


def _patterns(found: Flips, words: dict[str, str], only: str, since: str) -> list[dict[str, Any]]:
    """A row a pattern: its words, what it means, and how many problems of each way have it."""
    counts = found.pattern_counts(only, since)
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
    found: Flips, problem: ProblemMarks, texts: tuple[Any, Any], words: dict[str, str], *, folds: bool
) -> dict[str, Any]:
    """One problem as the page draws it; `folds`: the texts of one that did not flip are folded."""
    yes = problem.kind in ("lost", "both"), problem.kind in ("gained", "both")
    through = {
        way.condition.pk: (list(zip(way.stages, marks, strict=True)), words.get(name, ""))
        for way, marks, name in zip(found.ways, problem.marks, problem.patterns, strict=True)
    }
    sides = [
        (side, mark, outcome, through.pop(side.condition.pk, None))  # of one condition the way is said once
        for side, mark, outcome in zip((found.first, found.second), yes, texts, strict=True)
    ]
    return {
        "id": problem.id,
        "kind": kind_labels(found.metric)[problem.kind],
        "sides": sides,
        "folded": folds and problem.kind in ("both", "neither"),
    }
