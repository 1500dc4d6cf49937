"""Help: its beginning with the search, its documents, and the keyboard shortcuts."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from webapp.pages.help import documents

SHOWN = 40
WORDS = 8


@require_GET
def index(request: HttpRequest) -> HttpResponse:
    """What there is to read; of `q` what holds all of its words."""
    text = request.GET.get("q", "").strip()[:200]
    hits = documents.search(text.split()[:WORDS]) if text else []
    context = {
        "text": text,
        "hits": hits[:SHOWN],
        "found": len(hits),
        "documents": [(documents.document(name), about) for name, about in documents.DOCUMENTS.items()],
        "nav": "help",
    }
    return render(request, "help/index.html", context)


@require_GET
def page(request: HttpRequest, name: str) -> HttpResponse:
    """One document."""
    if name not in documents.DOCUMENTS:
        raise Http404(f"The help has no page {name}.")
    about = documents.DOCUMENTS[name]
    return render(
        request, "help/page.html", {"document": documents.document(name), "about": about, "nav": "help"}
    )


@require_GET
def shortcuts(request: HttpRequest) -> HttpResponse:
    """What keys do, on a page of its own."""
    return render(request, "help/shortcuts.html", {"nav": "help"})
