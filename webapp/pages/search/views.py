"""The search for everything: as a page, and for the palette."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from webapp.pages.search.hits import as_json, counted, search, with_pages


@require_GET
def search_page(request: HttpRequest) -> HttpResponse:
    """What ?q= finds, for browsers without scripts."""
    text = request.GET.get("q", "").strip()
    hits = search(text, request.user.pk)
    context = {"text": text, "hits": with_pages(hits), "count": counted(hits)}
    return render(request, "home/search.html", context)


@require_GET
def search_json(request: HttpRequest) -> JsonResponse:
    """The same for the palette."""
    found = search(request.GET.get("q", ""), request.user.pk)
    return JsonResponse({"hits": as_json(found)})
