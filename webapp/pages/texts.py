"""The whole of a text whose page shows only its beginning."""

from typing import Any

from django.db.models import Manager
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from webapp.pages.written_text import placed, written
from webapp.results.models import Outcome
from webapp.telemetry.models import Rollout

OF: dict[str, Manager[Any]] = {"rollout": Rollout.objects, "outcome": Outcome.objects}
FIELDS = ("prompt", "completion")


@require_GET
@vary_on_headers("HX-Request")
def whole_text(request: HttpRequest, kind: str, row_id: int, field: str) -> HttpResponse:
    """A rollout's or outcome's prompt or completion: for htmx as pages write it, else as plain text."""
    if kind not in OF or field not in FIELDS:
        raise Http404(f"there is no text of this kind; take {' or '.join(OF)}, and {' or '.join(FIELDS)}")
    found = get_object_or_404(OF[kind].only(field), pk=row_id)
    text: str = getattr(found, field)
    if "HX-Request" in request.headers:
        return HttpResponse(placed(written(text)))
    return HttpResponse(text.encode("utf-8", "replace"), content_type="text/plain; charset=utf-8")
