"""The top of an experiment's page: title, where it comes from and what became of it, tags, star, archive."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST
from django.views.decorators.vary import vary_on_headers

from webapp.experiments import changed_settings, organising
from webapp.experiments.changed_settings import setting_rows
from webapp.experiments.models import Experiment, Star
from webapp.experiments.other_seeds import with_other_seeds
from webapp.experiments.settings_by_condition import by_condition
from webapp.pages.experiments import changes
from webapp.runs.lifecycle import notify

DIFFERENCES_SHOWN = 8
SOON = 1.0  # seconds that differences may take, where nobody has worked them out


def organised(found: Experiment, person: int | None) -> dict[str, object]:
    """What _organise.html takes. Five queries."""
    offspring = list(Experiment.objects.filter(origin=found).order_by("pk").defer("recipe", "notes"))
    changed_settings.keep_missing([found, *offspring], seconds=SOON)
    differs = changed_settings.named(found.differences)
    return {
        "starred": Star.objects.filter(experiment=found, person=person).exists(),
        "differences": differs[:DIFFERENCES_SHOWN],
        "more_differences": max(0, len(differs) - DIFFERENCES_SHOWN),
        "between_conditions": [row for row in setting_rows(by_condition(found.recipe), {}) if row.differs],
        "offspring": [
            (one, (named := changed_settings.named(one.differences))[:3], max(0, len(named) - 3))
            for one in offspring
        ],
        "other_seeds": with_other_seeds(found),
        "known_tags": organising.every_tag(),
    }


@require_POST
@vary_on_headers("HX-Request")
def organise_experiment(request: HttpRequest, name: str) -> HttpResponse:
    """Rename it (`do=rename`), or what changes.ACTIONS has; then the top of its page, or all of it."""
    found = get_object_or_404(Experiment.objects.select_related("owner", "origin"), name=name)
    assert isinstance(request.user, User)  # LoginRequiredMiddleware lets nobody else through
    problem, said = "", ""
    try:
        if request.POST.get("do") == "rename":
            title = request.POST.get("title", "")
            if organising.rename(experiment=found, title=title, by=request.user.get_username()):
                notify(experiment=found.pk)
            said = "Renamed."
        else:
            said = changes.apply(request.POST, request.user, [name]).text
    except ValueError as error:
        problem = f"Nothing was changed: {error}."
    if "HX-Request" not in request.headers:
        (messages.error if problem else messages.success)(request, problem or said)
        return redirect("experiment", name)
    found.refresh_from_db(fields=["title", "tags", "archived_at", "archived_by"])
    context = {"experiment": found, "problem": problem, "asked": request.POST}
    return render(request, "experiments/_organise.html", context | organised(found, request.user.pk))
