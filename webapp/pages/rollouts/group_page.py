"""One group: its page, and the same beside a list, with the completions as cards."""

from collections.abc import Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.views.decorators.http import require_GET

from webapp.annotations import annotating
from webapp.charts import bars
from webapp.pages.rollouts import token_view
from webapp.pages.rollouts.token_view import TokenView
from webapp.runs.models import StageRun
from webapp.telemetry import groups
from webapp.telemetry.models import Rollout, RolloutGroup


@require_GET
def rollout_group(request: HttpRequest, run_id: int, rollout_id: int) -> HttpResponse:
    """A rollout's group: its prompt, the completions side by side, and how the prompt fared at every step."""
    chosen = rollout(rollout_id, run_id)
    context = pane(chosen)
    group: RolloutGroup = context["group"]
    try:
        tokens = _tokens(request, chosen, context["members"])
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    visits = groups.visits(run_id, group.prompt_key)
    context |= {
        "tokens": tokens,
        "neighbours": groups.neighbours(run_id, group),
        "visits": visits if len(visits) > 1 else [],
        "visits_shown": groups.VISITS_SHOWN,
        "curve": bars.curve([(visit.step, visit.solved) for visit in visits]),
        "nav": "experiments",
    }
    return render(request, "runs/group.html", context)


@require_GET
def group_pane(request: HttpRequest, run_id: int, rollout_id: int) -> HttpResponse:
    """The group as it stands beside a list, as a fragment."""
    return render(request, "runs/_group.html", pane(rollout(rollout_id, run_id)))


@require_GET
def group_texts(request: HttpRequest, run_id: int, rollout_id: int) -> HttpResponse:
    """The completions of a rollout's group, the best first, as a fragment."""
    return render(request, "runs/_completions.html", pane(rollout(rollout_id, run_id)))


@require_GET
def group_tokens(request: HttpRequest, run_id: int, rollout_id: int) -> HttpResponse:
    """The tokens of a group by ?measure= and ?completion=, as a fragment; 404 where none were recorded."""
    chosen = rollout(rollout_id, run_id)
    try:
        tokens = _tokens(request, chosen, groups.members(groups.of_rollout(chosen)))
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    if tokens is None:
        raise Http404("no tokens were recorded of this group; record_logprobs asks for them")
    context = {"run": chosen.attempt.stage_run, "chosen": chosen, "tokens": tokens}
    return render(request, "runs/_tokens.html", context)


@require_GET
def token_table(request: HttpRequest, run_id: int, rollout_id: int) -> HttpResponse:
    """Every recorded value of a completion's tokens, as a table."""
    rows = token_view.table(rollout(rollout_id, run_id))
    return render(request, "runs/_token_table.html", {"rows": rows})


def _tokens(request: HttpRequest, chosen: Rollout, members: Sequence[Rollout]) -> TokenView | None:
    """The token view that the query asks for; raises ValueError for what there is not."""
    return token_view.of_group(chosen, groups.alike(members, chosen.pk), request.GET)


def rollout(rollout_id: int, run_id: int | None = None) -> Rollout:
    """A rollout, with its run. Raises Http404 where there is none, or none of this run."""
    related = Rollout.objects.select_related(
        "attempt__stage_run__stage", "attempt__stage_run__condition", "attempt__stage_run__experiment"
    )
    found = related.filter(pk=rollout_id).first()
    if found is None or run_id not in (None, found.attempt.stage_run_id):
        raise Http404("there is no such rollout in this run")
    return found


def pane(chosen: Rollout) -> dict[str, Any]:
    """What a group shows wherever it stands."""
    run = chosen.attempt.stage_run
    return {"run": run, "chosen": chosen, "others": other_conditions(run)} | cards(
        groups.of_rollout(chosen), chosen.pk
    )


def cards(group: RolloutGroup, chosen: int | None = None) -> dict[str, Any]:
    """A group's completions, equal ones together, each with the bar of its reward."""
    members = groups.members(group)
    return {
        "group": group,
        "members": members,
        "annotated": annotating.of_each("rollout", [one.pk for one in members]),
        "alike": [
            (same, bars.bar(same[0].components), bars.label(same[0].components))
            for same in groups.alike(members, chosen)
        ],
        "components": bars.legend([one.components for one in members]),
        "bar_box": bars.box([one.components for one in members]),
    }


def other_conditions(run: StageRun) -> list[StageRun]:
    """The runs of the same stage and seed in the other conditions of the experiment."""
    found = StageRun.objects.filter(experiment=run.experiment_id, stage=run.stage_id, seed=run.seed)
    others = found.exclude(condition=run.condition_id).select_related("condition", "stage")
    return list(others.order_by("condition__position"))
