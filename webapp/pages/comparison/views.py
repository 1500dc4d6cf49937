"""Pages of the results: the comparison of conditions, its exports, the report."""

from dataclasses import replace
from urllib.parse import urlencode

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    JsonResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from webapp.comparison import groups
from webapp.comparison.cells import Refusal, SameRun, SeedsComparison
from webapp.comparison.corrections import corrections
from webapp.comparison.decisions import decisions
from webapp.comparison.pass_curves import MEANINGS, curves
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.sentences.warnings import floor, warnings
from webapp.comparison.table import StageTable, stage_table
from webapp.comparison.tables import benchmark_table, pass_at_k_sheets, stage_tables
from webapp.comparison.tables.stage_sheets import detail_sheet, none_for_new_problems, stage_sheet
from webapp.diagnosis import readings
from webapp.experiments.models import Experiment
from webapp.experiments.planned_question import planned_question
from webapp.files.formats import FORMATS
from webapp.pages import file_responses
from webapp.pages.comparison import answer
from webapp.reports import report as reports
from webapp.reports.experiment_tables import SEEDS, TABLES, TableChoices, build
from webapp.reports.prediction import predicted
from webapp.reports.report_formats import REPORT_FORMATS
from webapp.results import outcome_files
from webapp.results.published import Publication
from webapp.runs.models import StageRun


@require_GET
@vary_on_headers("HX-Request")
def comparison(request: HttpRequest, name: str) -> HttpResponse:
    """The stage table with its verdict sentences; ?benchmark=, ?baseline=, ?metric=, ?seeds=, ?problems=. For htmx only what changes."""
    experiment = get_object_or_404(Experiment, name=name)
    try:
        wanted = _choices(request, experiment)
        table = wanted.stage_table()
        if "seeds" not in request.GET and table.several_seeds and len(table.others) > 1:
            wanted = replace(wanted, seeds="together")  # a line a seed and condition would be pages long
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    together = wanted.together and table.several_seeds
    context = {
        "experiment": experiment,
        "question": planned_question(experiment),
        "table": table,
        "seeds": wanted.seeds,
        "seed_choices": SEEDS,
        "together": together,
        "predicted": predicted(table),
        "drawable": any(cell.complete for cell in table.cells()),
        "decisions": decisions(table),
        "verdict_sentences": verdict_sentences(table),
        "stages": (stages := stage_sheet(table, together=together).page_view),
        "reach": _reach(table, together=together),
        "corrections": " ".join(filter(None, (corrections(table), none_for_new_problems(table, stages)))),
        "floor": (low := floor(table)),
        "warning": " ".join(text for text in warnings(table) if text != low),
        "remarks": Publication.model_validate(experiment.recipe).remarks() if table.imported else [],
        "provenance": stage_tables.provenance(table),
        "groups": groups.sheet(table).page_view,
        "groups_caption": groups.CAPTION,
        "changes": pass_at_k_sheets.change_sheet(table).page_view if table.samples else None,
        "details": detail_sheet(table).page_view,
        "meanings": MEANINGS,
        "query": request.GET.urlencode(),
        "nav": "experiments",
    }
    template = "results/_comparison.html" if "HX-Request" in request.headers else "results/comparison.html"
    return render(request, template, context)


@require_GET
def benchmarks(request: HttpRequest, name: str) -> HttpResponse:
    """Every benchmark after the last stages as a fragment; ?baseline=."""
    experiment = get_object_or_404(Experiment, name=name)
    try:
        found = benchmark_table.tables(experiment, request.GET.get("baseline") or None)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    view = benchmark_table.sheet(found).page_view
    context = {
        "experiment": experiment,
        "table": found[0],
        "benchmarks": view,
        "has_planned": any(line.planned for line in view.rows),
        "query": urlencode({"baseline": found[0].baseline}),
    }
    return render(request, "results/_benchmarks.html", context)


@require_GET
def table_file(request: HttpRequest, name: str, format: str, what: str = "stages") -> HttpResponse:
    """One of TABLES to download as one of FORMATS, with the comparison page's choices; ?run= for one run's."""
    experiment = get_object_or_404(Experiment, name=name)
    if what not in TABLES:
        raise Http404(f"there is no table {what!r}; choose {', '.join(TABLES)}")
    file_responses.check(format, FORMATS)
    try:
        table = build(what, _choices(request, experiment))
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    return file_responses.table_response(table, format)


@require_GET
def comparison_charts(request: HttpRequest, name: str) -> HttpResponse:
    """The answer's figures and the pass@k curves as JSON for static/js/charts.js, with the comparison page's choices."""
    experiment = get_object_or_404(Experiment, name=name)
    try:
        table = _table(request, experiment)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    drawn = answer.charts(table)
    if table.samples:
        drawn += pass_at_k_sheets.charts(table, curves(table))
    return JsonResponse({"charts": drawn})


@require_GET
def outcomes_file(request: HttpRequest, name: str, format: str) -> HttpResponseBase:
    """Every completion that the stage tables are made of, streamed; ?benchmark= for those of one."""
    file_responses.check(format)
    experiment = get_object_or_404(Experiment, name=name)
    found = outcome_files.counted_evaluations(experiment, request.GET.get("benchmark", ""))
    return file_responses.rows_response(
        outcome_files.rows(experiment, found), format, f"{experiment.name}-outcomes"
    )


@require_GET
def experiment_answer(request: HttpRequest, name: str) -> HttpResponse:
    """What the experiment's verdict sentences say so far, with what was asked and predicted, as a fragment."""
    table = stage_table(get_object_or_404(Experiment, name=name))
    return render(request, "experiments/_answer.html", answer.sentences(table))


@require_GET
def experiment_charts(request: HttpRequest, name: str) -> HttpResponse:
    """The answer's figures of the planned question as JSON for static/js/charts.js."""
    return JsonResponse({"charts": answer.charts(stage_table(get_object_or_404(Experiment, name=name)))})


@require_GET
def findings(request: HttpRequest, name: str) -> HttpResponse:
    """The findings of an experiment, the worst first, as a fragment."""
    experiment = get_object_or_404(Experiment, name=name)
    table = stage_table(experiment)
    context = {
        "findings": readings.grouped(readings.of_experiment(experiment, table)),
        "experiment": experiment,
    }
    return render(request, "results/_findings.html", context)


@require_GET
def report(request: HttpRequest, name: str) -> HttpResponse:
    """The report as a page; ?problems= restricts it."""
    experiment = get_object_or_404(Experiment, name=name)
    try:
        written = reports.build(experiment, request.GET.get("problems", "").strip())
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    context = {
        "experiment": experiment,
        "report": written,
        "query": request.GET.urlencode(),
        "nav": "experiments",
    }
    return render(request, "results/report.html", context)


@require_GET
def report_file(request: HttpRequest, name: str, format: str) -> HttpResponse:
    """The report to download, as one of REPORT_FORMATS; ?problems= restricts it."""
    file_responses.check(format, REPORT_FORMATS)
    experiment = get_object_or_404(Experiment, name=name)
    try:
        written = reports.report(experiment, format, request.GET.get("problems", "").strip())
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    return _download(written, REPORT_FORMATS[format].content_type, f"{experiment.name}-report.{format}")


def _choices(request: HttpRequest, experiment: Experiment) -> TableChoices:
    """What the query asks for; raises ValueError for a run that there is not."""
    run = None
    if number := request.GET.get("run"):
        runs = StageRun.objects.select_related("stage", "condition", "experiment", "parent__stage")
        is_id = number.isdecimal() and len(number) < 19
        run = runs.filter(experiment=experiment, pk=int(number)).first() if is_id else None
        if run is None:
            raise ValueError(f"{experiment.name} has no run {number}")
    return TableChoices(
        experiment,
        benchmark=request.GET.get("benchmark") or None,
        baseline=request.GET.get("baseline") or None,
        metric=request.GET.get("metric") or None,
        seeds=request.GET.get("seeds") or "apart",
        problems=request.GET.get("problems", "").strip() or None,
        run=run,
    )


def _table(request: HttpRequest, experiment: Experiment) -> StageTable:
    """The table that the query asks for; raises ValueError for a choice that there is not."""
    return _choices(request, experiment).stage_table()


def _reach(table: StageTable, *, together: bool) -> float:
    """The largest end of an interval of a difference in the rows that are shown, for one scale over the whole table.

    Beside single seeds an interval over few seeds may go past it, which is drawn as an arrow: theirs would be dots.
    """
    ends = [0.0]
    for row in table.rows:
        single = [] if together else [one for seed in row.seeds for one in seed.comparisons]
        for one in [*row.over_seeds, *single]:
            if isinstance(one, SeedsComparison):
                ends.append(abs(one.delta))
                shown = one.interval if together else None
                ends += [abs(end) for end in shown or (() if one.interval else one.within)]
            elif one is not None and not isinstance(one, Refusal | SameRun):
                ends += [abs(end) for end in one.interval]
    return max(ends)


def _download(content: str | bytes, content_type: str, filename: str) -> HttpResponse:
    return HttpResponse(
        content,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )
