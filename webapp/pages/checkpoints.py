"""The page that compares checkpoints of any experiments."""

from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.views.decorators.http import require_GET

from webapp.comparison.cells import Comparison, UnpairedComparison
from webapp.comparison.checkpoints import MOST, Across, across
from webapp.comparison.suggested_checkpoints import suggested
from webapp.comparison.tables import checkpoint_tables
from webapp.experiments.models import Experiment
from webapp.files.formats import FORMATS
from webapp.pages import file_responses


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Up to MOST checkpoints against the first: ?experiment1=, ?run1=, … and ?benchmark=, ?problems=."""
    try:
        found = _across(request)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    compared = [one for one in found.comparisons if isinstance(one, Comparison | UnpairedComparison)]
    fields = [*found.picks, *([None] * (max(2, len(found.picks) + 1) - len(found.picks)))][:MOST]
    chosen = Q(
        name__in=[pick.experiment.name for pick in found.picks]
    )  # an archived one may be named by its address
    offered = Experiment.objects.filter(chosen | Q(archived_at=None))
    context = {
        "table": found,
        "checkpoints": checkpoint_tables.page_view(found),
        "differences": checkpoint_tables.differences_sheet(found).page_view,
        "lacking_stages": checkpoint_tables.lacking_stages(found),
        "fields": list(enumerate(fields, 1)),
        "names": list(offered.values_list("name", flat=True)),
        "reach": max((abs(end) for one in compared for end in one.interval), default=0.0),
        "most": MOST,
        "suggested": [] if found.picks else [(one, urlencode(one.chosen)) for one in suggested()],
        "query": request.GET.urlencode(),
        "nav": "compare",
    }
    return render(request, "results/across.html", context)


@require_GET
def file(request: HttpRequest, format: str) -> HttpResponse:
    """What the page shows, to download."""
    file_responses.check(format, FORMATS)
    try:
        found = _across(request)
        if not found.picks:
            raise ValueError("choose checkpoints first: ?experiment1=, ?run1=, …")
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    return file_responses.table_response(checkpoint_tables.checkpoints(found), format)


def _across(request: HttpRequest) -> Across:
    """What the query asks for; raises ValueError for what there is not."""
    chosen = [
        (name, request.GET.get(f"run{place}", ""))
        for place in range(1, MOST + 1)
        if (name := request.GET.get(f"experiment{place}", ""))
    ]
    restricted = request.GET.get("benchmark", ""), request.GET.get("problems", "").strip()
    found = across(chosen, *restricted)
    alone = len(found.picks) == 1 and "experiment2" not in request.GET
    if alone and {one.pk for one in found.picks[0].options} - {
        found.picks[0].run.pk,
        *found.picks[0].other_problems,
    }:  # a link names one experiment: its own nearest is beside it
        found = across([*chosen, (found.picks[0].experiment.name, "")], *restricted)
    return found
