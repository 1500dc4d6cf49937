"""Lists of groups of a run or of an experiment, what comes in, and files of their rollouts."""

from typing import Any

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    QueryDict,
)
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from webapp.charts import bars
from webapp.live import news
from webapp.pages import file_responses
from webapp.pages.rollouts import group_page, newest_groups, scopes
from webapp.pages.rollouts.filters import RolloutFilter
from webapp.pages.rollouts.prompt_lines import prompt_lines
from webapp.pages.rollouts.scopes import Scope
from webapp.telemetry import groups, rollout_files, rollouts, search
from webapp.telemetry.groups import SORTS, GroupSlice, GroupTotals
from webapp.telemetry.models import Rollout
from webapp.telemetry.reward_histogram import reward_histogram

HEADINGS = (  # of columns that a list is sorted by: css, heading, what it is, one of SORTS, and the other way
    ("number", "Reward", "Mean reward", "reward", "low_reward"),
    ("number", "SD", "Standard deviation of the group's rewards", "spread"),
    ("number", "Tokens", "Mean tokens of a completion", "long", "short"),
)


@require_GET
def newest_rollouts(request: HttpRequest, run_id: int) -> HttpResponse:
    """The newest groups of a run, as a fragment."""
    run = scopes.of_run(run_id).runs[0]
    return render(request, "runs/_newest_groups.html", newest_groups.context(run))


@require_GET
def rollout_list(request: HttpRequest, run_id: int) -> HttpResponse:
    """The groups of a run that fit the filter, growing while it trains; ?after= goes further, ?group= shows one beside."""
    return _list(request, scopes.of_run(run_id))


@require_GET
def experiment_rollouts(request: HttpRequest, name: str) -> HttpResponse:
    """The same list over all conditions, stages and seeds of an experiment."""
    return _list(request, scopes.of_experiment(name))


@require_GET
def group_rows(request: HttpRequest, run_id: int) -> HttpResponse:
    """That list as it is now, from its beginning, and its files, as a fragment."""
    return _rows(request, scopes.of_run(run_id))


@require_GET
def experiment_group_rows(request: HttpRequest, name: str) -> HttpResponse:
    """An experiment's list as it is now, as a fragment."""
    return _rows(request, scopes.of_experiment(name))


@require_GET
def rollout_file(request: HttpRequest, run_id: int, format: str) -> HttpResponseBase:
    """The rollouts of a run that fit the filter, all of them, streamed."""
    return _file(request, scopes.of_run(run_id), format)


@require_GET
def experiment_rollout_file(request: HttpRequest, name: str, format: str) -> HttpResponseBase:
    """The rollouts of an experiment that fit the filter, all of them, streamed."""
    return _file(request, scopes.of_experiment(name), format)


def _rows(request: HttpRequest, scope: Scope) -> HttpResponse:
    wanted = RolloutFilter(request.GET, scope.runs)
    part = groups.part(wanted.groups, wanted.order)
    return render(request, "runs/_groups_now.html", _found(request, scope, wanted, part))


def _list(request: HttpRequest, scope: Scope) -> HttpResponse:
    # The cursor is read before the list: what comes in meanwhile is told again, and the page knows it by its id.
    cursor = scope.cursor()
    wanted = RolloutFilter(request.GET, scope.runs)
    try:
        part = groups.part(wanted.groups, wanted.order, request.GET.get("after", ""))
        chosen = _chosen(request.GET.get("group", ""), scope)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    context = _found(request, scope, wanted, part) | {
        "cursor": news.encode_cursor(cursor),
        "explicit": chosen is not None,
        "nav": "experiments",
    }
    if chosen is None and part.groups:
        chosen = group_page.rollout(part.groups[0].first_id)
    if chosen is not None:
        context |= group_page.pane(chosen)
        context |= {"shown_group": context["group"]}
    return render(request, "runs/rollouts.html", context)


def _found(request: HttpRequest, scope: Scope, wanted: RolloutFilter, part: GroupSlice) -> dict[str, Any]:
    """The list and what stands above it."""
    query = request.GET.copy()
    for name in ("after", "group"):
        query.pop(name, None)
    total = groups.totals(groups.of_runs([run.pk for run in scope.runs]))
    found = groups.totals(wanted.all_groups) if wanted.active else None
    histogram = reward_histogram(wanted.rewards)
    return {
        "scope": scope,
        "filter": wanted,
        "rows": list(zip(part.groups, prompt_lines(part.prompts), strict=True)),
        "across": scope.run is None,
        "more": part.more,
        "after": request.GET.get("after", ""),
        "query": query.urlencode(),
        "total": total,
        "found": found,
        "files": _files(wanted, total, found, query),
        "most": groups.SHOWN,
        "looked_at": groups.LOOKED_AT,
        "sorted_as": SORTS[wanted.order][0],
        "headings": [_heading(wanted.order, query, *heading) for heading in HEADINGS],
        "histogram": histogram,
        "narrowed_by_reward": wanted.narrowed_by_reward,
        "bars": [
            (
                bar,
                bars.column(bar.place, bar.rollouts, histogram.most),
                _of_bar(query, bar.low, bar.high),
                wanted.takes_reward(bar.low) and wanted.takes_reward(bar.high),
            )
            for bar in histogram.bars
        ],
        "counted_places": bars.with_counts({bar.place: bar.rollouts for bar in histogram.bars}),
        "without_rewards": _of_bar(query, None, None),
        "recurs": not wanted.asks_whether_it_became_right
        or bool(part.groups)
        or groups.recur(groups.of_runs([run.pk for run in wanted.runs])),
        "indexed_to": search.indexed_to(run.pk for run in wanted.runs) if wanted.search_query else None,
        "cut_texts": search.cut_texts(run.pk for run in wanted.runs) if wanted.search_query else 0,
        "searched": search.LONGEST,
    }


def _chosen(text: str, scope: Scope) -> Rollout | None:
    """The rollout that ?group= names. Raises ValueError, and Http404 for one of other runs."""
    if not text:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise ValueError(f"{text!r} is no group; leave `group` out to see the first of the list")
    found = group_page.rollout(int(text))
    if found.attempt.stage_run_id not in {run.pk for run in scope.runs}:
        raise Http404("this group is of another run")
    return found


def _files(
    wanted: RolloutFilter, total: GroupTotals, found: GroupTotals | None, query: QueryDict
) -> list[tuple[str, str]]:
    """What can be downloaded: how many rollouts, and the query of the file."""
    files = [(f"Download all {total.rollouts:,}", "")] if total.rollouts else []
    if found is not None and found.rollouts:
        if wanted.of_whole_groups:
            fitting = found.rollouts
        elif wanted.holding is not None and wanted.holding.complete:
            fitting = wanted.holding.rollouts
        else:  # counted no further than one beyond the limit
            fitting = rollouts.at_most(wanted.fitting.values())
        how_many = f"{fitting:,}" if fitting <= rollouts.COUNTED else f"more than {rollouts.COUNTED:,}"
        files.append((f"The {how_many} that fit", query.urlencode()))
    return files


def _heading(order: str, query: QueryDict, css: str, label: str, title: str, *sorts: str) -> dict[str, str]:
    """A column's heading, whose link sorts by it, and the other way when it does already."""
    changed = query.copy()
    changed.pop("sort", None)
    if wanted := sorts[-1] if order == sorts[0] else sorts[0]:
        changed["sort"] = wanted
    sorted_ = "" if order not in sorts else "ascending" if SORTS[order][1][0] != "-" else "descending"
    return {"css": css, "label": label, "title": title, "query": changed.urlencode(), "sorted": sorted_}


def _of_bar(query: QueryDict, low: float | None, high: float | None) -> str:
    """The list's query with this range of rewards instead of another."""
    changed = query.copy()
    for name, value in (("from_reward", low), ("to_reward", high)):
        changed.pop(name, None)
        if value is not None:
            changed[name] = repr(value)
    return str(changed.urlencode())


def _file(request: HttpRequest, scope: Scope, format: str) -> HttpResponseBase:
    file_responses.check(format)
    wanted = RolloutFilter(request.GET, scope.runs)
    if not wanted.is_valid():
        mistakes = [f"{name}: {error}" for name, errors in wanted.errors.items() for error in errors]
        return HttpResponseBadRequest("\n".join([*mistakes, ""]), content_type="text/plain")
    made = rollout_files.rows(scope.experiment, wanted.runs, wanted.narrowed)
    return file_responses.rows_response(made, format, f"{scope.name}-rollouts")
