"""One experiment's page, and stopping and retrying it."""

import yaml
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from webapp.comparison.alike import dose
from webapp.comparison.table import stage_table
from webapp.experiments.models import Experiment, ExperimentEvent
from webapp.experiments.planned_question import planned_question
from webapp.experiments.templatetags.humane import size
from webapp.pages.comparison import answer
from webapp.pages.confirmation import confirmation
from webapp.pages.experiment.organising import organised
from webapp.pages.experiment.settings_table import SettingsFilter, settings_table
from webapp.pages.experiments import querysets
from webapp.results import regrade as regrading
from webapp.runs import cancelling, code_versions, deleting, services
from webapp.runs.models import Event
from webapp.runs.workers import queue_places

EVENTS_SHOWN = 20
GRADES_FOR = 20  # seconds; the rest is done when it is asked for again


@require_GET
def experiment(request: HttpRequest, name: str) -> HttpResponse:
    """One experiment: its grid, its settings, what happened."""
    found = get_object_or_404(Experiment.objects.select_related("owner", "origin"), name=name)
    choice = SettingsFilter.read(request.GET)
    found_doses = dose.of_experiment(found)
    context = (
        _state(found)
        | organised(found, request.user.pk)
        | answer.sentences(stage_table(found))
        | {
            "settings": yaml.safe_dump(found.recipe, sort_keys=False, allow_unicode=True),
            "versions": code_versions.of_experiment(found),
            "choice": choice,
            "address": choice.address(found),
            "table": None if found.imported else settings_table(found, choice),
            "doses": [dose.sheet(rows).page_view for rows in dose.totals_and_sources(found_doses) if rows],
            "outdated": [] if found.imported else regrading.outdated(found),
        }
    )
    return render(request, "experiments/experiment.html", context)


@require_GET
def experiment_state(request: HttpRequest, name: str) -> HttpResponse:
    """What moves on an experiment's page, as a fragment."""
    found = get_object_or_404(Experiment.objects.select_related("owner", "origin"), name=name)
    return render(request, "experiments/_state.html", _state(found) | organised(found, request.user.pk))


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, name: str) -> HttpResponse:
    """Say what cancelling ends and what stays; a POST cancels every run that is not over."""
    found = get_object_or_404(Experiment, name=name)
    ends = cancelling.of_experiment(found)
    if request.method != "POST":
        return confirmation(request, f"Cancel {name}?", ends, reverse("experiment", args=[name]))
    try:
        services.cancel_experiment(experiment=found, by=request.user.get_username())
    except ValueError as error:
        messages.error(request, str(error))
    else:
        undo = "" if ends.running else reverse("retry_experiment", args=[name])
        messages.success(request, ends.done, extra_tags=undo)
    return redirect("experiment", name)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, name: str) -> HttpResponse:
    """Say what deleting removes for good and what stays for others; a POST does it, for the owner or an operator."""
    found = get_object_or_404(Experiment.objects.select_related("owner"), name=name)
    person = request.user
    if not deleting.may_delete(found, person):
        messages.error(
            request, f"{name} is {found.owner.get_username()}’s: they, or an operator, can delete it."
        )
        return redirect("experiment", name)
    if request.method != "POST":
        fragment = "HX-Request" in request.headers
        context = {
            "experiment": found,
            "plan": deleting.planned(found),
            "in_dialog": fragment,
            "nav": "experiments",
        }
        answer = render(
            request, "experiments/_delete.html" if fragment else "experiments/delete.html", context
        )
        patch_vary_headers(answer, ["HX-Request"])
        return answer
    try:
        done = deleting.delete(experiment=found, by=person.get_username())
    except ValueError as error:
        messages.error(request, str(error))
        return redirect("experiment", name)
    except OSError as error:  # the rows are gone, and files are left
        messages.error(request, str(error))
    else:
        messages.success(request, f"{name} is deleted: {size(done.bytes)} are free.")
    return redirect("experiments")


@require_POST
def retry(request: HttpRequest, name: str) -> HttpResponse:
    """Start again what failed or was cancelled."""
    found = get_object_or_404(Experiment, name=name)
    try:
        count = services.retry_experiment(experiment=found, by=request.user.get_username())
    except ValueError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{count} runs start again from their newest checkpoints.")
    return redirect("experiment", name)


@require_POST
def regrade(request: HttpRequest, name: str) -> HttpResponse:
    """Grade the stored completions anew by the newest graders, for as long as a browser waits."""
    found = get_object_or_404(Experiment, name=name)
    done = regrading.regrade(found, seconds=GRADES_FOR)
    (messages.warning if done.left else messages.success)(request, f"{name}: {done.sentence}.")
    return redirect("experiment", name)


def _state(found: Experiment) -> dict[str, object]:
    events = (
        Event.objects.filter(stage_run__experiment=found)
        .select_related("stage_run__condition", "stage_run__stage")
        .defer("stage_run__spec")
        .order_by("-id")[:EVENTS_SHOWN]
    )
    own = ExperimentEvent.objects.filter(experiment=found).order_by("-id")[:EVENTS_SHOWN]
    log: list[Event | ExperimentEvent] = [*events, *own]
    queued = queue_places(found)
    return {
        "experiment": found,
        "question": planned_question(found),
        "grid": querysets.grid(found),
        "queue_places": queued,
        "paused": any(turn.paused_at for turn in queued),
        "events": sorted(log, key=lambda event: event.at, reverse=True)[:EVENTS_SHOWN],
        "events_shown": EVENTS_SHOWN,
        "nav": "experiments",
    }
