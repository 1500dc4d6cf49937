"""The live stream, and what a run's page fetches: charts, rollouts, log."""

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    JsonResponse,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from webapp import rows
from webapp.experiments.models import Experiment
from webapp.runs.models import Attempt, StageRun
from webapp.telemetry import bars, live, rollout_files, rollouts, search
from webapp.telemetry.charts import run_charts
from webapp.telemetry.filters import RolloutFilter
from webapp.telemetry.models import Rollout


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
def newest_rollouts(request: HttpRequest, run_id: int) -> HttpResponse:
    """The newest rollouts that fit the filter, as a fragment."""
    run = get_object_or_404(StageRun, pk=run_id)
    found = RolloutFilter(request.GET).narrowed(rollouts.counted(run.pk))
    return render(request, "runs/_rollouts.html", {"rollouts": rollouts.part(found).rollouts, "run": run})


@require_GET
def rollout_list(request: HttpRequest, run_id: int) -> HttpResponse:
    """The rollouts of a run that fit the filter, newest first, growing while it trains; ?before= goes further back."""
    run = get_object_or_404(StageRun.objects.select_related("stage", "condition", "experiment"), pk=run_id)
    # read before the list: what comes in meanwhile is told again, and the page knows it by its id
    cursor = dict(Attempt.objects.filter(stage_run=run).values_list("id", "journal_seq"))
    wanted = RolloutFilter(request.GET)
    every = rollouts.counted(run.pk)
    found, before = wanted.narrowed(every), request.GET.get("before", "")
    try:
        shown = rollouts.part(found, before)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    parameters = request.GET.copy()
    parameters.pop("before", None)
    context = {
        "run": run,
        "filter": wanted,
        "rollouts": shown.rollouts,
        "older": shown.older,
        "before": before,
        "query": parameters.urlencode(),
        "total": every.count(),
        "found": rollouts.at_most(found) if wanted.active else None,
        "limit": rollouts.COUNTED,
        "forms": rows.FORMS,
        "indexed_to": search.indexed_to(run.pk) if request.GET.get("words") else None,
        "cursor": live.encode_cursor(cursor),
        "nav": "experiments",
    }
    return render(request, "runs/rollouts.html", context)


@require_GET
def rollout_file(request: HttpRequest, run_id: int, form: str) -> HttpResponseBase:
    """The rollouts of a run that fit the filter, all of them, streamed."""
    if form not in rows.FORMS:
        raise Http404(f"there is no export {form!r}; choose {', '.join(rows.FORMS)}")
    run = get_object_or_404(StageRun.objects.select_related("experiment"), pk=run_id)
    wanted = RolloutFilter(request.GET)
    if not wanted.is_valid():
        mistakes = [f"{name}: {error}" for name, errors in wanted.errors.items() for error in errors]
        return HttpResponseBadRequest("\n".join([*mistakes, ""]), content_type="text/plain")
    made = rollout_files.rows(run.experiment, [run], wanted.narrowed)
    return rows.download(made, form, f"{run.experiment.name}-run-{run.pk}-rollouts")


@require_GET
def rollout_group(request: HttpRequest, run_id: int, rollout_id: int) -> HttpResponse:
    """A rollout's group: its prompt, the completions side by side, and how the prompt fared at every step."""
    run = get_object_or_404(StageRun.objects.select_related("stage", "condition", "experiment"), pk=run_id)
    chosen = get_object_or_404(Rollout, pk=rollout_id, attempt__stage_run=run)
    group = rollouts.group(chosen)
    context = {
        "run": run,
        "chosen": chosen,
        "group": [(rollout, bars.bar(rollout.components)) for rollout in group],
        "components": bars.legend([rollout.components for rollout in group]),
        "visits": rollouts.visits(search.of_prompt(run.pk, chosen.prompt)),
        "indexed_to": search.indexed_to(run.pk),
        "nav": "experiments",
    }
    return render(request, "runs/group.html", context)
