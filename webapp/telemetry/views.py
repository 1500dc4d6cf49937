"""The live stream, and what a run's page fetches: charts, rollouts, log."""

from asgiref.sync import sync_to_async
from django.core.paginator import Paginator
from django.db import connections
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from webapp.experiments.models import Experiment
from webapp.runs.models import StageRun
from webapp.telemetry import live, rollouts
from webapp.telemetry.charts import run_charts


@require_GET
async def stream(request: HttpRequest) -> StreamingHttpResponse | HttpResponseBadRequest:
    """Server-sent events of ?run=<id>, ?experiment=<name>, or everything; Last-Event-ID or ?cursor= goes on."""
    try:
        cursor = live.parse_cursor(request.headers.get("Last-Event-ID") or request.GET.get("cursor", ""))
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    page, news = await sync_to_async(_subject)(request, cursor)
    response = StreamingHttpResponse(live.stream(page, news), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _subject(request: HttpRequest, cursor: live.Cursor) -> tuple[live.Page, live.RunNews | live.ListNews]:
    try:
        if run_id := request.GET.get("run"):
            run = get_object_or_404(StageRun, pk=int(run_id))
            return live.Page(run.experiment_id, run.pk), live.RunNews(run.pk, cursor)
        if name := request.GET.get("experiment"):
            return live.Page(get_object_or_404(Experiment, name=name).pk), live.ListNews()
        return live.Page(), live.ListNews()
    except ValueError:
        raise Http404("a run goes by its number") from None
    finally:
        connections.close_all()  # the stream must not keep the connection that the session was read with


@require_GET
def charts(request: HttpRequest, run_id: int) -> JsonResponse:
    """Every chart of a run as JSON for static/js/charts.js."""
    run = get_object_or_404(StageRun.objects.select_related("stage", "condition"), pk=run_id)
    return JsonResponse({"charts": [chart.as_json() for chart in run_charts(run)]})


@require_GET
def rollout_list(request: HttpRequest, run_id: int) -> HttpResponse:
    """Every rollout of a run, newest first; ?only=correct|wrong|mul_tokens|repeats|hit_limit, ?step=, ?page=."""
    run = get_object_or_404(StageRun.objects.select_related("stage", "condition", "experiment"), pk=run_id)
    only, step = request.GET.get("only", ""), request.GET.get("step", "")
    if only not in rollouts.CHOICES:
        only = ""
    found = rollouts.counted(run.pk).filter(rollouts.CHOICES[only][1])
    if step.isdecimal():
        found = found.filter(step=int(step))
    page = Paginator(found.order_by(*rollouts.NEWEST_FIRST), rollouts.SHOWN).get_page(request.GET.get("page"))
    choices = {key: label for key, (label, _) in rollouts.CHOICES.items()}
    context = {"run": run, "page": page, "only": only, "step": step, "choices": choices, "nav": "experiments"}
    return render(request, "runs/rollouts.html", context)


@require_GET
def newest_rollouts(request: HttpRequest, run_id: int) -> HttpResponse:
    """The newest rollouts as a fragment."""
    run = get_object_or_404(StageRun, pk=run_id)
    return render(request, "runs/_rollouts.html", {"rollouts": rollouts.newest(run.pk)})
