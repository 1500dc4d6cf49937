"""Lists of rollouts of a run or of an experiment, one rollout's group, and their files."""

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
)
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from webapp.charts import (
    bars,
)
from webapp.live import news
from webapp.pages import file_responses
from webapp.pages.rollouts import scopes, token_view
from webapp.pages.rollouts.filters import RolloutFilter
from webapp.pages.rollouts.scopes import Scope
from webapp.telemetry import rollout_files, rollouts, search
from webapp.telemetry.models import Rollout


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
        "cursor": news.encode_cursor(cursor),
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
def rollout_group(request: HttpRequest, run_id: int, rollout_id: int) -> HttpResponse:
    """A rollout's group: its prompt, the completions side by side, and how the prompt fared at every step."""
    chosen = _rollout(run_id, rollout_id)
    run = chosen.attempt.stage_run
    group = rollouts.group(chosen)
    alike = rollouts.alike(group, chosen)
    try:
        tokens = token_view.of_group(chosen, alike, request.GET)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    visits = rollouts.visits(search.of_prompt(run.pk, chosen.prompt))
    context = {
        "run": run,
        "chosen": chosen,
        "group": group,
        "alike": [(same, bars.bar(same[0].components), bars.label(same[0].components)) for same in alike],
        "tokens": tokens,
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


@require_GET
def group_tokens(request: HttpRequest, run_id: int, rollout_id: int) -> HttpResponse:
    """The tokens of a group by ?measure= and ?completion=, as a fragment; 404 where none were recorded."""
    chosen = _rollout(run_id, rollout_id)
    try:
        tokens = token_view.of_group(chosen, rollouts.alike(rollouts.group(chosen), chosen), request.GET)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    if tokens is None:
        raise Http404("no tokens were recorded of this group; record_logprobs asks for them")
    context = {"run": chosen.attempt.stage_run, "chosen": chosen, "tokens": tokens}
    return render(request, "runs/_tokens.html", context)


@require_GET
def token_table(request: HttpRequest, run_id: int, rollout_id: int) -> HttpResponse:
    """Every recorded value of a completion's tokens, as a table."""
    rows = token_view.table(_rollout(run_id, rollout_id))
    return render(request, "runs/_token_table.html", {"rows": rows})


def _rollout(run_id: int, rollout_id: int) -> Rollout:
    related = Rollout.objects.select_related(
        "attempt__stage_run__stage", "attempt__stage_run__condition", "attempt__stage_run__experiment"
    )
    return get_object_or_404(related, pk=rollout_id, attempt__stage_run=run_id)
