"""The pages from which experiments are launched: the gallery, and a recipe as a form or as text with its plan."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from training.recipes import recipe as recipes
from training.recipes.hardware import CONSUMER, HARDWARE
from training.recipes.recipe import Recipe, RecipeError
from webapp.experiments.models import Experiment
from webapp.launch import conditions, gallery, sweeps
from webapp.launch.drafts import Draft, OwnDraft, draft_from, own_draft
from webapp.launch.forms import RecipeForm, RecipeText
from webapp.launch.launch import launch
from webapp.launch.planning import PlanWishes, Proposal, own_hardware, site
from webapp.launch.reuse import (
    Fork,
    LaunchPlan,
    by_older_code,
    check_fork,
    gathered,
    lines,
    plan_launch,
    takes_time,
)
from webapp.launch.stage_tree import tree
from webapp.launch.text import MOST_BYTES, TextError
from webapp.runs.models import OVER

Edited = RecipeForm | RecipeText


@require_GET
def new_experiment(request: HttpRequest) -> HttpResponse:
    """The newest experiments, a person's own text and the shipped recipes to begin from; ?q= shows those that hold all its words."""
    query, every = request.GET.get("q", "")[:200], gallery.choices()
    found = [choice for choice in every if choice.holds(query)]
    context = {"choices": every, "found": found, "shown": len(found), "q": query, "nav": "new"}
    context |= {"groups": gallery.groups(every), "recent": gallery.recent()}
    here = site()
    context |= {"hardware": own_hardware(here), "gpu": HARDWARE[CONSUMER], "idle": here.slots == 0}
    return render(request, "experiments/new.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new_from_recipe(request: HttpRequest, recipe: str, part: str = "form") -> HttpResponse:
    """A recipe's settings with their plan; a POST launches it, or shows what to fix and queues nothing.

    ?scale= and ?set=path=value fill it in, ?as=yaml shows it as text. A plan that asks something is launched with
    `confirmed` alone. The other parts are fragments that create nothing: the fields, and what a launch would take.
    """
    try:
        data = recipes.shipped(recipe)
    except RecipeError as error:
        raise Http404(str(error)) from None
    return PARTS[part](request, Draft(recipe, data).asked(request.GET))


@require_http_methods(["GET", "HEAD", "POST"])
def new_from_text(request: HttpRequest, part: str = "form") -> HttpResponse:
    """A recipe that a person brings as text: pasted, or as a file; a blank one before there is any."""
    if upload := request.FILES.get("file"):
        posted = request.POST.copy()  # one byte more than can be read is told to be too long
        posted["yaml"] = upload.read(MOST_BYTES + 1).decode("utf-8", "replace").removeprefix("\ufeff")
        request.POST = posted  # type: ignore[assignment]
    elif request.POST.get("do") == "open" and not request.POST.get("yaml", "").strip():
        return redirect(f"{reverse('new_from_text')}?as=yaml")
    return PARTS[part](request, own_draft().asked(request.GET))


@require_http_methods(["GET", "HEAD", "POST"])
def new_from_experiment(
    request: HttpRequest, name: str, stage: str | None = None, part: str = "form"
) -> HttpResponse:
    """An experiment's settings: to clone it (?seeds=more: with more seeds), or to fork it at a stage."""
    found = get_object_or_404(Experiment, name=name)
    try:
        if stage is not None:
            check_fork(Fork(found, stage))
        draft = draft_from(found, stage, more_seeds=request.GET.get("seeds") == "more").asked(request.GET)
        return PARTS[part](request, draft)
    except RecipeError as error:
        messages.error(request, "; ".join(text for _, text in error.problems))
        return redirect("experiment", name)


def _page(request: HttpRequest, draft: Draft) -> HttpResponse:
    """The whole page, or the launch."""
    form = _edited(request, draft)
    context = _plan_of(request, draft, form)
    proposal = context["proposal"]
    assert proposal is None or isinstance(proposal, Proposal)
    launch_plan = context["launch_plan"]
    assert launch_plan is None or isinstance(launch_plan, LaunchPlan)
    launches = request.method == "POST" and not {"review", "do"} & request.POST.keys()
    asked = launches and proposal is not None and bool(proposal.questions) and "confirmed" not in request.POST
    if launches and not asked and form.recipe is not None:
        try:
            assert isinstance(request.user, User)  # LoginRequiredMiddleware lets nobody else through
            made = launch(
                recipe=form.recipe,
                owner=request.user,
                reuse=bool(context["reuse"]),
                fork=draft.fork,
                origin=draft.origin,
                plan=launch_plan,
            )
        except RecipeError as error:
            form.refuse(error.problems)
        else:
            waiting = made.runs.exclude(state__in=OVER).exists()
            said = (
                "workers take its runs as they are free"
                if waiting
                else "all of it is reused, so nothing has to run"
            )
            messages.success(request, f"{made.name} is launched: {said}.")
            if waiting and (unserved := site(form.recipe.queue).unserved):
                messages.warning(request, unserved)
            return redirect("experiment", made.name)
    form = _requested_view(request, form, draft)
    context["own"] = isinstance(draft, OwnDraft)
    context |= _shown(form) | {"draft": draft, "nav": "new", "launches": launches}
    context |= {"asked": asked and not form.problems}
    return render(request, "experiments/form.html", context)


def _fields(request: HttpRequest, draft: Draft) -> HttpResponse:
    """The fields after a size was chosen, or conditions were added or removed; says the address that shows as much."""
    form = _edited(request, draft)
    context = _shown(form) | {"draft": draft}
    answer = render(request, "experiments/_fields.html", context)
    kept = {"scale": form.base.scale} if form.base.scale in draft.original.scales else {}
    if isinstance(draft, OwnDraft):
        kept["as"] = "form"  # it is opened as text
    answer["X-Address"] = f"?{urlencode(kept)}" if kept else request.path.removesuffix("fields/")
    return answer


def _panel(request: HttpRequest, draft: Draft) -> HttpResponse:
    """What a launch of the settings as they stand would take, and what it would reuse."""
    form = _edited(request, draft)
    context = _plan_of(request, draft, form) | {"form": form, "draft": draft}
    if isinstance(form, RecipeForm):
        context["warnings"] = conditions.warnings(form.base)
        context["sweep"] = _sweep(request, form)
    return render(request, "experiments/_panel.html", context)


PARTS: dict[str, Callable[[HttpRequest, Draft], HttpResponse]] = {
    "form": _page,
    "fields": _fields,
    "panel": _panel,
}


def _sweep(request: HttpRequest, form: RecipeForm) -> dict[str, object]:
    """What the sweep that is being written would make, or what is wrong with it; nothing where none is."""
    if form.recipe is None or not sweeps.entered(request.POST):
        return {}
    try:
        return {"said": sweeps.said(conditions.swept(form, form.recipe, request.POST))}
    except RecipeError as error:
        return {"wrong": [text for _, text in error.problems]}


def _edited(request: HttpRequest, draft: Draft) -> Edited:
    """The settings as they stand: as the draft has them, or as they were posted, with what a button does to them."""
    if request.method != "POST":
        return draft.form()
    try:
        form = draft.read(request.POST)
    except (RecipeError, TextError) as error:
        raise BadRequest(f"these settings were not written by this page: {error}") from None
    if isinstance(form, RecipeForm):
        form.sweep = sweeps.entered(request.POST)
    if isinstance(form, RecipeForm) and "do" in request.POST:
        conditions.do(form, request.POST["do"], request.POST)
    return form


def _requested_view(request: HttpRequest, form: Edited, draft: Draft) -> Edited:
    """The form as text or the text as form, as the address has it; what must be fixed first stays what it is.

    A person's own recipe is opened as text, and stays what was posted, unless the address says otherwise.
    """
    wanted = request.GET.get("as", "")
    if isinstance(draft, OwnDraft) and not wanted:
        as_text = form.as_text or request.method != "POST"
    else:
        as_text = wanted == "yaml"
    if as_text == form.as_text or form.problems:
        return form
    return draft.text(form) if isinstance(form, RecipeForm) else draft.view(form.base)


def _shown(form: Edited) -> dict[str, object]:
    """What the page shows of the settings themselves."""
    context: dict[str, object] = {"form": form, "recipe": form.base}
    if isinstance(form, RecipeForm):
        conditions.mark(form)
        stages = next(group for group in form.groups if group.path == "stages")
        context["roots"] = tree(form.base, stages.groups)
        context["table"] = conditions.table(form)
    return context


def _plan_of(request: HttpRequest, draft: Draft, form: Edited) -> dict[str, object]:
    """The plan of what the page holds, and what is reused; without one where something must be fixed first."""
    posted = request.method == "POST"
    reuse = request.POST.getlist("reuse")[-1:] != ["false"]
    wishes = PlanWishes.read(request.POST)
    context: dict[str, object] = {
        "proposal": None,
        "launch_plan": None,
        "wishes": wishes,
        "hardware": HARDWARE.values(),
        "reuse": reuse,
        "offers": None,
        "outdated": None,
        "already_in": [],
    }
    recipe: Recipe | None = form.recipe if posted else form.base
    if recipe is None or form.problems:
        return context
    try:
        # a page does not wait for the hub, which tells what a source holds: then its panel is fetched again at once
        at_once = posted or not takes_time(recipe, draft.fork)
        launch_plan = plan_launch(recipe, reuse=reuse, fork=draft.fork) if at_once else None
        context["launch_plan"] = launch_plan
        context["proposal"] = wishes.proposal(recipe, launch_plan)
        if launch_plan:
            context["offers"] = gathered(lines(launch_plan))
            context["already_in"] = launch_plan.already_in
            context["outdated"] = gathered(by_older_code(launch_plan) if reuse else [])
    except RecipeError as error:
        form.refuse(error.problems)
    return context
