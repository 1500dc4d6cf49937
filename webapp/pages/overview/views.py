"""The overview."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from webapp.accounts import saved
from webapp.pages.overview.rows import overview as read_overview

VIEWS_SHOWN = 8


@require_GET
@vary_on_headers("HX-Request")
def overview(request: HttpRequest) -> HttpResponse:
    """What happens now and what needs attention; a fragment when htmx asks."""
    assert request.user.pk is not None  # LoginRequiredMiddleware lets nobody else through
    context = {
        "overview": read_overview(request.user.pk),
        "views": saved.visible_to(request.user.pk)[:VIEWS_SHOWN],
        "nav": "overview",
    }
    template = "home/_overview.html" if "HX-Request" in request.headers else "home/overview.html"
    return render(request, template, context)
