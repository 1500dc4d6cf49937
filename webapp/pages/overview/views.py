"""The overview, and the first steps that it offers."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from webapp.accounts import saved
from webapp.pages.overview import first_steps
from webapp.pages.overview.rows import overview as read_overview

VIEWS_SHOWN = 8


@require_GET
@vary_on_headers("HX-Request")
def overview(request: HttpRequest) -> HttpResponse:
    """What happens now and what needs attention; a fragment when htmx asks."""
    assert request.user.pk is not None  # LoginRequiredMiddleware lets nobody else through
    context = {
        "overview": read_overview(request.user.pk),
        "first_steps": first_steps.first_steps(request.user.pk),
        "views": saved.visible_to(request.user.pk)[:VIEWS_SHOWN],
        "nav": "overview",
    }
    template = "home/_overview.html" if "HX-Request" in request.headers else "home/overview.html"
    return render(request, template, context)


@require_GET
def first_step(request: HttpRequest, step: str) -> HttpResponse:
    """A redirect to what a first step is about, which is then done."""
    assert request.user.pk is not None  # LoginRequiredMiddleware lets nobody else through
    if step not in first_steps.OPENED:
        raise Http404(f"There is no first step {step}.")
    return redirect(first_steps.take(step, request.user.pk) or "new_experiment")


@require_POST
def hide_first_steps(request: HttpRequest) -> HttpResponse:
    """Put the first steps aside for good."""
    assert request.user.pk is not None  # LoginRequiredMiddleware lets nobody else through
    first_steps.put_aside(request.user.pk)
    return redirect("overview")
