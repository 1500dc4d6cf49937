"""The page that counts experiments."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from webapp.experiments.models import Experiment


@require_GET
def counting(request: HttpRequest) -> HttpResponse:
    """How many experiments there are."""
    return render(request, "counting/counting.html", {"count": Experiment.objects.count()})
