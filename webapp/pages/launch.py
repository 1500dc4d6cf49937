"""The pages from which experiments are launched: the gallery, and a recipe as a form or as text with its plan."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from training.recipes import recipe as recipes
from training.recipes.hardware import CONSUMER, HARDWARE
from training.recipes.recipe import Recipe, RecipeError
from webapp.experiments.models import Experiment
from webapp.launch import conditions
from webapp.launch.drafts import Draft, draft_from
from webapp.launch.forms import RecipeForm, RecipeText
from webapp.launch.gallery import choices
from webapp.launch.launch import launch
from webapp.launch.planning import PlanWishes, Proposal, own_hardware, site
from webapp.launch.reuse import Fork, LaunchPlan, by_older_code, check_fork, gathered, lines, plan_launch
from webapp.launch.stage_tree import tree
from webapp.launch.text import TextError
from webapp.runs.models import OVER

Edited = RecipeForm | RecipeText


@require_GET
def new_experiment(request: HttpRequest) -> HttpResponse:
    """The shipped recipes to choose from; ?q= shows those that hold all its words."""
    query, every = request.GET.get("q", "")[:200], choices()
    found = [choice for choice in every if choice.holds(query)]
    context = {"choices": every, "found": found, "shown": len(found), "q": query, "nav": "new"}
    context |= {"hardware": own_hardware(site()), "gpu": HARDWARE[CONSUMER]}
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
    context |= _shown(form) | {"draft": draft, "nav": "new", "launches": launches}
    context |= {"asked": asked and not form.problems}
    return render(request, "experiments/form.html", context)


def _fields(request: HttpRequest, draft: Draft) -> HttpResponse:
    """The fields after a size was chosen, or conditions were added or removed; says the address that shows as much."""
    form = _edited(request, draft)
    context = _shown(form) | {"draft": draft}
    answer = render(request, "experiments/_fields.html", context)
    kept = {"scale": form.base.scale} if form.base.scale != recipes.FULL else {}
    answer["X-Address"] = f"?{urlencode(kept)}" if kept else request.path.removesuffix("fields/")
    return answer


def _panel(request: HttpRequest, draft: Draft) -> HttpResponse:
    """What a launch of the settings as they stand would take, and what it would reuse."""
    form = _edited(request, draft)
    return render(
        request, "experiments/_panel.html", _plan_of(request, draft, form) | {"form": form, "draft": draft}
    )


PARTS: dict[str, Callable[[HttpRequest, Draft], HttpResponse]] = {
    "form": _page,
    "fields": _fields,
    "panel": _panel,
}


def _edited(request: HttpRequest, draft: Draft) -> Edited:
    """The settings as they stand: as the draft has them, or as they were posted, with what a button does to them."""
    if request.method != "POST":
        return draft.form()
    try:
        form = draft.read(request.POST)
    except (RecipeError, TextError) as error:
        raise BadRequest(f"these settings were not written by this page: {error}") from None
    if isinstance(form, RecipeForm) and "do" in request.POST:
        conditions.do(form, request.POST["do"], request.POST)
    return form


def _requested_view(request: HttpRequest, form: Edited, draft: Draft) -> Edited:
    """The form as text or the text as form, as the address has it; what must be fixed first stays what it is."""
    as_text = request.GET.get("as") == "yaml"
    if as_text == form.as_text or form.problems:
        return form
    if isinstance(form, RecipeForm):
        return RecipeText(form.text, draft.original, recipe=form.base)
    return draft.view(form.base)


def _shown(form: Edited) -> dict[str, object]:
    """What the page shows of the settings themselves."""
    context: dict[str, object] = {"form": form, "recipe": form.base, "roots": tree(form.base)}
    if isinstance(form, RecipeForm):
        conditions.mark(form)
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
    }
    recipe: Recipe | None = form.recipe if posted else form.base
    if recipe is None or form.problems:
        return context
    try:
        # a page does not wait for the hub, which tells what a source holds: its panel is fetched again at once
        launch_plan = plan_launch(recipe, reuse=reuse, fork=draft.fork) if posted else None
        context["launch_plan"] = launch_plan
        context["proposal"] = wishes.proposal(recipe, launch_plan)
        if launch_plan:
            context["offers"] = gathered(lines(launch_plan))
            context["outdated"] = gathered(by_older_code(launch_plan) if reuse else [])
    except RecipeError as error:
        form.refuse(error.problems)
    return context
