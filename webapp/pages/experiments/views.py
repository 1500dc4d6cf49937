"""The list of experiments, its file, and what is done to several of them at once."""

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from webapp.pages import file_responses
from webapp.pages.experiments import changes, files
from webapp.pages.experiments.listing import COLUMNS, ListFilter
from webapp.pages.experiments.rows import rows

ON_A_PAGE = 30
HIDDEN_COLUMNS = (
    "hidden-columns"  # a cookie: static/js/organise.js writes it, so that a page comes as it will stay
)


@require_GET
@vary_on_headers("HX-Request", "Cookie")
def experiments(request: HttpRequest) -> HttpResponse:
    """The experiments that fit the filter; a fragment when htmx asks."""
    template = "experiments/_list.html" if "HX-Request" in request.headers else "experiments/list.html"
    return render(request, template, _list(request, request.GET))


@require_GET
def experiments_file(request: HttpRequest, format: str) -> HttpResponse:
    """The experiments that fit the filter, all of them, to download."""
    found = ListFilter(request.GET, request.user.pk).narrowed()
    return file_responses.table_response(files.experiments(found), format)


@require_POST
@vary_on_headers("HX-Request")
def organise(request: HttpRequest) -> HttpResponse:
    """Archive, star or tag the chosen experiments, or take that back; then the list as its address `back` has it."""
    assert isinstance(request.user, User)  # LoginRequiredMiddleware lets nobody else through
    back = QueryDict(request.POST.get("back", ""))
    done, problem = None, ""
    try:
        done = changes.apply(request.POST, request.user, request.POST.getlist("experiment"))
    except ValueError as error:
        problem = f"Nothing was changed: {error}."
    if "HX-Request" not in request.headers:
        (messages.error if problem else messages.success)(request, problem or (done.text if done else ""))
        return redirect(ListFilter(back, request.user.pk).address())
    shows = request.POST.get("do") in ("star", "unstar") and not problem  # as its button does
    said = render_to_string(
        "experiments/_said.html", {"done": None if shows else done, "problem": problem}, request
    )
    listed = render_to_string("experiments/_list.html", _list(request, back), request)
    return HttpResponse(listed + said)


def _list(request: HttpRequest, asked: QueryDict) -> dict[str, object]:
    wanted = ListFilter(asked, request.user.pk)
    page = Paginator(wanted.narrowed(), ON_A_PAGE).get_page(asked.get("page"))
    found, unread = rows(list(page.object_list), grouped=wanted.grouped)
    address = wanted.address(**({"page": str(page.number)} if page.number > 1 else {}))
    query = urlencode(wanted.chosen)
    hidden = request.COOKIES.get(HIDDEN_COLUMNS, "").split("-")
    return {
        "page": page,
        "rows": found,
        "unread": unread,
        "filter": wanted,
        "headers": wanted.headers(),
        "columns": COLUMNS[1:],
        "hidden": [column.key for column in COLUMNS[1:] if column.key in hidden],
        "query": f"&{query}" if query else "",
        "address": address,
        "back": address.partition("?")[2],
        "nav": "experiments",
    }
