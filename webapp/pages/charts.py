"""Charts of a run, and their data as files."""

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    JsonResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET

from webapp.charts import (
    arrangement,
    choices as chart_choices,
    figures,
    files as chart_files,
    kinds as chart_kinds,
)
from webapp.charts.charts import charts as drawn
from webapp.pages import file_responses
from webapp.runs.models import StageRun
from webapp.telemetry import point_files


@require_GET
@gzip_page
def charts(request: HttpRequest, run_id: int) -> HttpResponse:
    """Every chart of a run as JSON for static/js/charts.js; those of ?keys= (separated by commas) with their figures."""
    run = get_object_or_404(StageRun.objects.select_related("stage", "condition"), pk=run_id)
    try:
        choices = chart_choices.read(request.GET)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    kinds, keys = chart_kinds.kinds(run.pk), set(request.GET.get("keys", "").split(","))
    wanted = [kind for kind in kinds if kind.key in keys]
    found = {chart.kind.key: figures.as_json(chart, choices) for chart in drawn(run, wanted, choices)}
    places = arrangement.placed(run, kinds, choices, request.COOKIES.get(arrangement.COOKIE, ""))
    return JsonResponse({"charts": [one.as_json() | found.get(one.kind.key, {}) for one in places]})


@require_GET
def chart_file(request: HttpRequest, run_id: int, format: str) -> HttpResponseBase:
    """Every point of the series on the chart of ?key=, streamed."""
    file_responses.check(format)
    run = get_object_or_404(StageRun.objects.select_related("stage", "condition", "experiment"), pk=run_id)
    try:
        choices = chart_choices.read(request.GET)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    wanted = [kind for kind in chart_kinds.kinds(run.pk) if kind.key == request.GET.get("key")]
    if not wanted:
        raise Http404(f"the run has no chart {request.GET.get('key')!r}; charts.json names those it has")
    chart = drawn(run, wanted, choices)[0]
    return file_responses.rows_response(
        chart_files.rows(chart, choices), format, chart_files.file_name(run, chart)
    )


@require_GET
def point_file(request: HttpRequest, run_id: int, format: str) -> HttpResponseBase:
    """Every point of a run's metrics that counts, streamed."""
    file_responses.check(format)
    run = get_object_or_404(StageRun.objects.select_related("experiment", "condition", "stage"), pk=run_id)
    made = point_files.rows(run.experiment, [run])
    return file_responses.rows_response(made, format, f"{run.experiment.name}-run-{run.pk}-metrics")
