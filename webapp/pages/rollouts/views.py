"""The live stream, charts and rollouts with their files: of a run, and rollouts of an experiment too."""

from collections.abc import Callable

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
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET

from webapp.charts import (
    bars,
    choices as chart_choices,
    figures,
    files as chart_files,
    kinds as chart_kinds,
)
from webapp.charts.charts import charts as drawn
from webapp.experiments.models import Experiment
from webapp.live import stream as live
from webapp.pages import file_responses
from webapp.pages.rollouts import scopes
from webapp.pages.rollouts.filters import RolloutFilter
from webapp.pages.rollouts.scopes import Scope
from webapp.runs.models import StageRun
from webapp.telemetry import point_files, rollout_files, rollouts, search
from webapp.telemetry.models import Rollout


@require_GET
async def stream(request: HttpRequest) -> StreamingHttpResponse | HttpResponseBadRequest:
    """Server-sent events of ?run=<id>, ?experiment=<name>, or everything; Last-Event-ID or ?cursor= goes on.

    ?experiment=<name>&rollouts=1 has the rollouts of all its runs.
    Beside them what the person is told after ?told=<id>; with ?only=told nothing else.
    """
    try:
        cursor = live.parse_cursor(request.headers.get("Last-Event-ID") or request.GET.get("cursor", ""))
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    page, news = await sync_to_async(_subject)(request, cursor)
    response = StreamingHttpResponse(live.stream(page, news), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _subject(request: HttpRequest, cursor: live.Cursor) -> tuple[live.Page, live.Told]:
    try:
        page, news = _page(request, cursor)
        assert request.user.pk is not None  # LoginRequiredMiddleware lets nobody else through
        page.user = request.user.pk
        return page, live.Told(request.user.pk, int(request.GET.get("told") or 0), news)
    except ValueError:
        raise Http404("runs and notifications go by their numbers") from None
    finally:
        connections.close_all()  # the stream must not keep the connection that the session was read with


def _page(request: HttpRequest, cursor: live.Cursor) -> tuple[live.Page, Callable[[], list[live.Message]]]:
    if request.GET.get("only") == "told":
        return live.Page(only_told=True), live.nothing
    if run_id := request.GET.get("run"):
        run = get_object_or_404(StageRun, pk=int(run_id))
        return live.Page(run.experiment_id, run.pk), live.RunNews(run.pk, cursor)
    if (name := request.GET.get("experiment")) and "rollouts" in request.GET:
        scope = scopes.of_experiment(name)
        return live.Page(scope.experiment.pk), live.RolloutNews([run.pk for run in scope.runs], cursor)
    if name:
        return live.Page(get_object_or_404(Experiment, name=name).pk), live.ListNews()
    return live.Page(), live.ListNews()


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
    return JsonResponse({"charts": [found.get(kind.key) or kind.as_json() for kind in kinds]})


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
def newest_rollouts(request: HttpRequest, run_id: int) -> HttpResponse:
    """The newest rollouts of a run that fit the filter, as a fragment."""
    return _newest(request, scopes.of_run(run_id))


@require_GET
def newest_experiment_rollouts(request: HttpRequest, name: str) -> HttpResponse:
    """The newest rollouts of an experiment that fit the filter, as a fragment."""
    return _newest(request, scopes.of_experiment(name))


@require_GET
def rollout_list(request: HttpRequest, run_id: int) -> HttpResponse:
    """The rollouts of a run that fit the filter, newest first, growing while it trains; ?before= goes further back."""
    return _list(request, scopes.of_run(run_id))


@require_GET
def experiment_rollouts(request: HttpRequest, name: str) -> HttpResponse:
    """The same list over all conditions, stages and seeds of an experiment."""
    return _list(request, scopes.of_experiment(name))


@require_GET
def rollout_file(request: HttpRequest, run_id: int, format: str) -> HttpResponseBase:
    """The rollouts of a run that fit the filter, all of them, streamed."""
    return _file(request, scopes.of_run(run_id), format)


@require_GET
def experiment_rollout_file(request: HttpRequest, name: str, format: str) -> HttpResponseBase:
    """The rollouts of an experiment that fit the filter, all of them, streamed."""
    return _file(request, scopes.of_experiment(name), format)


def _newest(request: HttpRequest, scope: Scope) -> HttpResponse:
    wanted = RolloutFilter(request.GET, scope.runs)
    found = rollouts.part(wanted.fitting)
    return render(request, "runs/_rollouts.html", {"rollouts": found.rollouts, "across": scope.run is None})


def _list(request: HttpRequest, scope: Scope) -> HttpResponse:
    cursor = (
        scope.cursor()
    )  # read before the list: what comes in meanwhile is told again, and the page knows it by its id
    wanted = RolloutFilter(request.GET, scope.runs)
    found, before = wanted.fitting, request.GET.get("before", "")
    try:
        shown = rollouts.part(found, before)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    parameters = request.GET.copy()
    parameters.pop("before", None)
    context = {
        "scope": scope,
        "across": scope.run is None,
        "filter": wanted,
        "rollouts": shown.rollouts,
        "older": shown.older,
        "before": before,
        "query": parameters.urlencode(),
        "total": sum(every.count() for every in scope.rollouts().values()),
        "found": rollouts.at_most(found.values()) if wanted.active else None,
        "limit": rollouts.COUNTED,
        "indexed_to": search.indexed_to(run.pk for run in wanted.runs) if request.GET.get("words") else None,
        "cursor": live.encode_cursor(cursor),
        "nav": "experiments",
    }
    return render(request, "runs/rollouts.html", context)


def _file(request: HttpRequest, scope: Scope, format: str) -> HttpResponseBase:
    file_responses.check(format)
    wanted = RolloutFilter(request.GET, scope.runs)
    if not wanted.is_valid():
        mistakes = [f"{name}: {error}" for name, errors in wanted.errors.items() for error in errors]
        return HttpResponseBadRequest("\n".join([*mistakes, ""]), content_type="text/plain")
    made = rollout_files.rows(scope.experiment, wanted.runs, wanted.narrowed)
    return file_responses.rows_response(made, format, f"{scope.name}-rollouts")


@require_GET
def point_file(request: HttpRequest, run_id: int, format: str) -> HttpResponseBase:
    """Every point of a run's metrics that counts, streamed."""
    file_responses.check(format)
    run = get_object_or_404(StageRun.objects.select_related("experiment", "condition", "stage"), pk=run_id)
    made = point_files.rows(run.experiment, [run])
    return file_responses.rows_response(made, format, f"{run.experiment.name}-run-{run.pk}-metrics")


@require_GET
def rollout_group(request: HttpRequest, run_id: int, rollout_id: int) -> HttpResponse:
    """A rollout's group: its prompt, the completions side by side, and how the prompt fared at every step."""
    chosen = _rollout(run_id, rollout_id)
    run = chosen.attempt.stage_run
    group = rollouts.group(chosen)
    visits = rollouts.visits(search.of_prompt(run.pk, chosen.prompt))
    context = {
        "run": run,
        "chosen": chosen,
        "group": group,
        "alike": [(same, bars.bar(same[0].components)) for same in rollouts.alike(group, chosen)],
        "components": bars.legend([rollout.components for rollout in group]),
        "neighbours": rollouts.neighbours(run.pk, chosen),
        "visits": visits,
        "visits_shown": rollouts.VISITS_SHOWN,
        "curve": bars.curve([(visit.step, visit.accuracy) for visit in visits]),
        "indexed_to": search.indexed_to([run.pk]),
        "nav": "experiments",
    }
    return render(request, "runs/group.html", context)


@require_GET
def group_texts(request: HttpRequest, run_id: int, rollout_id: int) -> HttpResponse:
    """The completions of a rollout's group, the best first, as a fragment."""
    context = {"rollouts": rollouts.group(_rollout(run_id, rollout_id)), "briefly": True}
    return render(request, "runs/_rollouts.html", context)


def _rollout(run_id: int, rollout_id: int) -> Rollout:
    related = Rollout.objects.select_related(
        "attempt__stage_run__stage", "attempt__stage_run__condition", "attempt__stage_run__experiment"
    )
    return get_object_or_404(related, pk=rollout_id, attempt__stage_run=run_id)
