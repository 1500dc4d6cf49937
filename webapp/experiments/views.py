"""The list of experiments, launching one from a recipe, and one experiment's page."""

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
from webapp.experiments.drafts import Draft, draft_from
from webapp.experiments.forms import RecipeForm, gallery, planned_steps
from webapp.experiments.models import Experiment
from webapp.experiments.planning import PlanWishes, Proposal
from webapp.experiments.reuse import Fork, Line, check_fork, lines, planned
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
def new_from_recipe(request: HttpRequest, recipe: str, part: str = "form") -> HttpResponse:
    """A recipe's settings as a form with its plan; a POST launches it, or shows what to mend and queues nothing.

    `review` only shows the plan again; a plan that asks something is launched with `confirmed` alone. The other parts
    are fragments that create nothing: what a launch would reuse, and its plan.
    """
    try:
        data = recipes.shipped(recipe)
    except RecipeError as error:
        raise Http404(str(error)) from None
    return PARTS[part](request, Draft(recipe, data))


@require_http_methods(["GET", "HEAD", "POST"])
def new_from_experiment(
    request: HttpRequest, name: str, stage: str | None = None, part: str = "form"
) -> HttpResponse:
    """An experiment's settings as a form: to clone it (?seeds=other: with new seeds), or to fork it at a stage."""
    found = get_object_or_404(Experiment, name=name)
    try:
        if stage is not None:
            check_fork(Fork(found, stage))
        draft = draft_from(found, stage, other_seeds=request.GET.get("seeds") == "other")
        return PARTS[part](request, draft)
    except RecipeError as error:
        messages.error(request, "; ".join(text for _, text in error.problems))
        return redirect("experiment", name)


def _drafted(request: HttpRequest, draft: Draft) -> HttpResponse:
    """The form of a draft, or its launch."""
    form, reuse, wishes = _form(request, draft), _wants_reuse(request), PlanWishes.read(request.POST)
    posted = request.method == "POST"
    proposal = _proposal(form, draft, wishes, form.recipe if posted else form.base, reuse=reuse)
    asked = proposal is not None and bool(proposal.questions) and "confirmed" not in request.POST
    if form.recipe is not None and "review" not in request.POST and not asked:
        try:
            assert isinstance(request.user, User)  # LoginRequiredMiddleware lets nobody else through
            experiment = launch(
                recipe=form.recipe, owner=request.user, reuse=reuse, fork=draft.fork, origin=draft.origin
            )
        except RecipeError as error:
            form.refuse(error.problems)
        else:
            messages.success(request, f"{experiment.name} is launched: workers take its runs one by one.")
            return redirect("experiment", experiment.name)
    context = {
        "form": form,
        "recipe": form.base,
        "draft": draft,
        "reuse": reuse,
        "nav": "new",
        "asked": asked and form.recipe is not None and "review" not in request.POST,
        "proposal": proposal,
        "wishes": wishes,
        "hardware": HARDWARE.values(),
    }
    return render(request, "experiments/form.html", context)


def _offers(request: HttpRequest, draft: Draft) -> HttpResponse:
    """What a launch of the form as it stands would not compute, or why that cannot be said."""
    form = _form(request, draft)
    context: dict[str, object] = {"problems": form.problems}
    if not form.problems:
        try:
            specs = recipes.resolve(form.recipe or form.base)
            found = lines(planned(specs, reuse=_wants_reuse(request), fork=draft.fork))
        except RecipeError as error:
            context = {"problems": error.problems}
        else:
            by_text: dict[tuple[str, str], list[Line]] = {}
            for line in found:
                by_text.setdefault((line.stage, line.text), []).append(line)
            context = {"offers": by_text, "count": len(found), "runs": len(specs)}
    return render(request, "experiments/_reuse.html", context)


def _plan(request: HttpRequest, draft: Draft) -> HttpResponse:
    """What a launch of the form as it stands would take."""
    form, wishes = _form(request, draft), PlanWishes.read(request.POST)
    proposal = _proposal(form, draft, wishes, form.recipe, reuse=_wants_reuse(request))
    context = {"form": form, "proposal": proposal, "wishes": wishes, "hardware": HARDWARE.values()}
    return render(request, "experiments/_plan.html", context)


PARTS = {"form": _drafted, "reuse": _offers, "plan": _plan}


def _form(request: HttpRequest, draft: Draft) -> RecipeForm:
    posted = request.POST if request.method == "POST" else None
    return RecipeForm(draft.data, posted, opened=draft.fork.stage if draft.fork else None)


def _wants_reuse(request: HttpRequest) -> bool:
    return request.POST.getlist("reuse")[-1:] != ["false"]


def _proposal(
    form: RecipeForm, draft: Draft, wishes: PlanWishes, recipe: Recipe | None, *, reuse: bool
) -> Proposal | None:
    """The plan of what the form holds; None where that must be mended first, which the form then says."""
    if recipe is None:
        return None
    try:
        # a page does not wait for the hub, which tells what a source holds: its plan is fetched again at once
        posted = recipe is not form.base
        spared = planned(recipes.resolve(recipe), reuse=reuse, fork=draft.fork).spared if posted else None
        return wishes.proposal(recipe, spared)
    except RecipeError as error:
        form.refuse(error.problems)
        return None


@require_GET
def experiment(request: HttpRequest, name: str) -> HttpResponse:
    """One experiment: its grid, its settings, what happened."""
    found = get_object_or_404(Experiment.objects.select_related("owner", "origin"), name=name)
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
