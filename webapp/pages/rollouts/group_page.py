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
from webapp.telemetry import groups, series
from webapp.telemetry.models import Rollout, RolloutGroup

SCALED = {  # by the setting scale_rewards
    "group": "divided by the group’s SD",
    "batch": "divided by the SD of all rewards of the step",
    "none": "not divided by an SD",
}


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
        "replaced_from": _replaced_from(run_id, group),
        "scaled": SCALED.get(_settings(chosen.attempt.stage_run).get("scale_rewards", "")),
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
    group = groups.of_rollout(chosen)
    others = _asked(other_conditions(run), group.prompt_key)
    return {"run": run, "chosen": chosen, "others": others} | cards(group, chosen.pk)


def _asked(others: Sequence[StageRun], prompt_key: int) -> list[StageRun]:
    """Those of the runs that were asked this prompt too. Two queries."""
    if not others:
        return []
    found = groups.of_runs({one.computed_by for one in others}).filter(prompt_key=prompt_key)
    asked = set(found.values_list("attempt__stage_run", flat=True))
    return [one for one in others if one.computed_by in asked]


def _replaced_from(run_id: int, group: RolloutGroup) -> int | None:
    """The step from which a later attempt replaced what this group is of; None where the group counts."""
    limit = series.last_steps([run_id])[run_id].get(group.attempt_id)
    return limit + 1 if limit is not None and group.step > limit else None


def _settings(run: StageRun) -> dict[str, Any]:
    return dict((run.spec or {}).get("settings") or {})


def cards(group: RolloutGroup, chosen: int | None = None) -> dict[str, Any]:
    """A group's completions, equal ones together, each with the bar of its reward."""
    members = groups.members(group)
    return {
        "group": group,
        "members": members,
        "annotated": annotating.of_each("rollout", [one.pk for one in members]),
        "alike": [
            (same, bars.bar(same[0].components), bars.label(same[0].components), _advantages(same))
            for same in groups.alike(members, chosen)
        ],
        "components": bars.legend([one.components for one in members]),
        "bar_box": bars.box([one.components for one in members]),
    }


def _advantages(same: Sequence[Rollout]) -> tuple[float, float] | None:
    """Least and largest advantage of completions that are the same, where they differ."""
    known = [one.advantage for one in same if one.advantage is not None]
    return (min(known), max(known)) if known and round(min(known), 2) != round(max(known), 2) else None


def other_conditions(run: StageRun) -> list[StageRun]:
    """The runs of the same stage and seed in the other conditions of the experiment."""
    found = StageRun.objects.filter(experiment=run.experiment_id, stage=run.stage_id, seed=run.seed)
    others = found.exclude(condition=run.condition_id).select_related("condition", "stage")
    return list(others.order_by("condition__position"))
