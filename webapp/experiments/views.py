"""The list of experiments, launching one from a recipe, and one experiment's page."""

from typing import Any

import yaml
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from training import recipe as recipes
from training.data.availability import missing_data
from training.hardware import HARDWARE
from training.recipe import Recipe, RecipeError
from webapp.experiments import querysets
from webapp.experiments.forms import RecipeForm, gallery, planned_steps
from webapp.experiments.models import Experiment
from webapp.experiments.planning import PlanWishes, Proposal
from webapp.experiments.services import launch
from webapp.runs import services
from webapp.runs.models import Event

ON_A_PAGE = 30
EVENTS_SHOWN = 20


@require_GET
@vary_on_headers("HX-Request")
def experiments(request: HttpRequest) -> HttpResponse:
    """Every experiment, newest first; a fragment when htmx asks."""
    every = Experiment.objects.select_related("owner")
    page = Paginator(every, ON_A_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "summaries": querysets.summaries(page.object_list), "nav": "experiments"}
    template = "experiments/_list.html" if "HX-Request" in request.headers else "experiments/list.html"
    return render(request, template, context)


@require_GET
def new_experiment(request: HttpRequest) -> HttpResponse:
    """The shipped recipes to choose from."""
    choices = [
        {
            "recipe": recipe,
            "steps": planned_steps(recipe),
            "runs": len(recipe.conditions) * len(recipe.seeds) * len(recipe.stages),
            "missing": missing_data(recipe, settings.MULBERRY_DATA),
        }
        for recipe in gallery()
    ]
    choices.sort(key=lambda choice: bool(choice["missing"]))  # what can run at once comes first
    return render(request, "experiments/new.html", {"choices": choices, "nav": "new"})


@require_http_methods(["GET", "HEAD", "POST"])
def new_from_recipe(request: HttpRequest, recipe: str) -> HttpResponse:
    """A recipe's settings as a form with its plan; a POST launches it, or shows what to mend and queues nothing.

    `review` only shows the plan again; a plan that asks something is launched with `confirmed` alone.
    """
    form = RecipeForm(_shipped(recipe), request.POST if request.method == "POST" else None)
    wishes = PlanWishes.read(request.POST)
    planned = _planned(form, wishes, form.recipe if request.method == "POST" else form.base)
    asked = planned is not None and bool(planned.questions) and "confirmed" not in request.POST
    if form.recipe is not None and "review" not in request.POST and not asked:
        try:
            assert isinstance(request.user, User)  # LoginRequiredMiddleware lets nobody else through
            experiment = launch(recipe=form.recipe, owner=request.user)
        except RecipeError as error:
            form.refuse(error.problems)
        else:
            messages.success(request, f"{experiment.name} is launched: workers take its runs one by one.")
            return redirect("experiment", experiment.name)
    context = {
        "form": form,
        "recipe": form.base,
        "name": recipe,
        "nav": "new",
        "asked": asked and form.recipe is not None and "review" not in request.POST,
        "proposal": planned,
        "wishes": wishes,
        "hardware": HARDWARE.values(),
    }
    return render(request, "experiments/form.html", context)


@require_POST
def plan_of_recipe(request: HttpRequest, recipe: str) -> HttpResponse:
    """The plan of the form as it stands, as a fragment; creates nothing."""
    form, wishes = RecipeForm(_shipped(recipe), request.POST), PlanWishes.read(request.POST)
    planned = _planned(form, wishes, form.recipe)
    context = {"form": form, "proposal": planned, "wishes": wishes, "hardware": HARDWARE.values()}
    return render(request, "experiments/_plan.html", context)


def _planned(form: RecipeForm, wishes: PlanWishes, recipe: Recipe | None) -> Proposal | None:
    """The plan of what the form holds; None where that must be mended first, which the form then says."""
    if recipe is None:
        return None
    try:
        return wishes.proposal(recipe)
    except RecipeError as error:
        form.refuse(error.problems)
        return None


def _shipped(recipe: str) -> dict[str, Any]:
    try:
        return recipes.shipped(recipe)
    except RecipeError as error:
        raise Http404(str(error)) from None


@require_GET
def experiment(request: HttpRequest, name: str) -> HttpResponse:
    """One experiment: its grid, its settings, what happened."""
    found = get_object_or_404(Experiment.objects.select_related("owner"), name=name)
    context = _state(found) | {"settings": yaml.safe_dump(found.recipe, sort_keys=False, allow_unicode=True)}
    return render(request, "experiments/experiment.html", context)


@require_GET
def experiment_state(request: HttpRequest, name: str) -> HttpResponse:
    """What moves on an experiment's page, as a fragment."""
    found = get_object_or_404(Experiment.objects.select_related("owner"), name=name)
    return render(request, "experiments/_state.html", _state(found))


@require_POST
def cancel(request: HttpRequest, name: str) -> HttpResponse:
    """Cancel every run that is not over."""
    found = get_object_or_404(Experiment, name=name)
    try:
        count = services.cancel_experiment(experiment=found, by=request.user.get_username())
    except ValueError as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request, f"Cancelling {count} runs. What they recorded stays; Retry goes on from there."
        )
    return redirect("experiment", name)


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


def _state(found: Experiment) -> dict[str, object]:
    events = (
        Event.objects.filter(stage_run__experiment=found)
        .select_related("stage_run__condition", "stage_run__stage")
        .order_by("-id")[:EVENTS_SHOWN]
    )
    return {"experiment": found, "grid": querysets.grid(found), "events": events, "nav": "experiments"}
