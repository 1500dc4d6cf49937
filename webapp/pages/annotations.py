"""Putting labels and comments on rollouts and outcomes, and taking them away."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django.views.decorators.vary import vary_on_headers

from webapp.annotations import annotating
from webapp.results.models import Outcome
from webapp.telemetry.models import Rollout


@require_POST
@vary_on_headers("HX-Request")
def annotate(request: HttpRequest, kind: str, row: int) -> HttpResponse:
    """`do=add` with `label` and `text`, or `do=remove` of an own `annotation`; then what stands on the completion."""
    if kind not in annotating.KINDS:
        raise Http404("annotations are of a rollout or of an outcome")
    found = get_object_or_404(annotating.KINDS[kind][0], pk=row)
    by, problem, number = request.user.get_username(), "", request.POST.get("annotation", "")
    try:
        if request.POST.get("do") == "remove":
            if not number.isdecimal() or len(number) > 18:
                raise ValueError("annotation is a number")
            annotating.remove(kind=kind, annotation=int(number), by=by)
        else:
            label, text = request.POST.get("label", ""), request.POST.get("text", "")
            annotating.annotate(kind=kind, of=row, label=label, text=text, by=by)
    except ValueError as error:
        problem = f"Nothing was changed: {error}."
    if "HX-Request" not in request.headers and not problem:
        return redirect(_page(found))
    context = {
        "kind": kind,
        "of": row,
        "annotations": annotating.of_each(kind, [row]).get(row, []),
        "problem": problem,
        "asked": request.POST if problem else {},
    }
    return render(request, "annotations/_annotations.html", context)


def _page(found: object) -> str:
    """Where a completion is read."""
    if isinstance(found, Rollout):
        return reverse("rollout_group", args=[found.attempt.stage_run_id, found.pk])
    assert isinstance(found, Outcome)
    return f"{reverse('samples', args=[found.evaluation_id])}?problem={found.problem}"
