"""The list of experiments, and its file."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from webapp.pages import file_responses
from webapp.pages.experiments import files, querysets
from webapp.pages.experiments.listing import ListFilter

ON_A_PAGE = 30


@require_GET
@vary_on_headers("HX-Request")
def experiments(request: HttpRequest) -> HttpResponse:
    """The experiments that fit the filter; a fragment when htmx asks."""
    wanted = ListFilter(request.GET)
    page = Paginator(wanted.narrowed(), ON_A_PAGE).get_page(request.GET.get("page"))
    parameters = request.GET.copy()
    parameters.pop("page", None)
    context = {
        "page": page,
        "summaries": querysets.summaries(page.object_list),
        "filter": wanted,
        "query": f"&{parameters.urlencode()}" if parameters else "",
        "nav": "experiments",
    }
    template = "experiments/_list.html" if "HX-Request" in request.headers else "experiments/list.html"
    return render(request, template, context)


@require_GET
def experiments_file(request: HttpRequest, format: str) -> HttpResponse:
    """The experiments that fit the filter, all of them, to download."""
    return file_responses.table_response(files.experiments(ListFilter(request.GET).narrowed()), format)
