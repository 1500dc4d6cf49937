"""The live stream of server-sent events that open pages listen to."""

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import (
    Http404,
    HttpRequest,
    HttpResponseBadRequest,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from webapp.experiments.models import Experiment
from webapp.live import news as live_news, stream as live
from webapp.pages.rollouts import scopes
from webapp.runs.models import StageRun


@require_GET
async def stream(request: HttpRequest) -> StreamingHttpResponse | HttpResponseBadRequest:
    """Server-sent events of ?run=<id>, ?experiment=<name>, or everything; Last-Event-ID or ?cursor= goes on.

    With &rollouts=1 it is about rollouts: how many there are, of the run or of all runs of the experiment.
    Beside them what the person is told after ?notifications=<id>; with ?only=notifications nothing else.
    """
    try:
        cursor = live_news.parse_cursor(request.headers.get("Last-Event-ID") or request.GET.get("cursor", ""))
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    page, news = await sync_to_async(_subject)(request, cursor)
    response = StreamingHttpResponse(live.stream(page, news), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _subject(request: HttpRequest, cursor: live_news.Cursor) -> tuple[live.Page, list[live_news.News]]:
    try:
        page, news = _page(request, cursor)
        assert request.user.pk is not None  # LoginRequiredMiddleware lets nobody else through
        page.user = request.user.pk
        return page, [
            *news,
            live_news.NotificationNews(request.user.pk, int(request.GET.get("notifications") or 0)),
        ]
    except ValueError:
        raise Http404("runs and notifications go by their numbers") from None
    finally:
        connections.close_all()  # the stream must not keep the connection that the session was read with


def _page(request: HttpRequest, cursor: live_news.Cursor) -> tuple[live.Page, list[live_news.News]]:
    if request.GET.get("only") == "notifications":
        return live.Page(only_notifications=True), []
    if run_id := request.GET.get("run"):
        run = get_object_or_404(StageRun.objects.only("experiment"), pk=int(run_id))
        news = live_news.RolloutNews([run.pk], cursor) if "rollouts" in request.GET else None
        return live.Page(run.experiment_id, run.pk), [news or live_news.RunNews(run.pk, cursor)]
    if (name := request.GET.get("experiment")) and "rollouts" in request.GET:
        scope = scopes.of_experiment(name)
        return live.Page(scope.experiment.pk), [live_news.RolloutNews([run.pk for run in scope.runs], cursor)]
    if name:
        return live.Page(get_object_or_404(Experiment.objects.only("pk"), name=name).pk), [
            live_news.ListNews()
        ]
    return live.Page(), [live_news.ListNews()]
