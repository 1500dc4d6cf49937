"""The same prompt in two conditions, side by side."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from webapp.pages.rollouts.group_page import cards, other_conditions, rollout
from webapp.telemetry import groups
from webapp.telemetry.models import RolloutGroup
from webapp.telemetry.pairs import pair, steps_of


@require_GET
def rollout_pair(request: HttpRequest, run_id: int, rollout_id: int) -> HttpResponse:
    """A rollout's group beside that of ?with=, a run of another condition, for the same prompt; else the first other."""
    chosen = rollout(rollout_id, run_id)
    run = chosen.attempt.stage_run
    others = other_conditions(run)
    wanted = request.GET.get("with", "")
    other = next((one for one in others if wanted in ("", str(one.pk))), None)
    if other is None:
        raise Http404("no such run has this stage and seed in another condition")
    source = other.reused_from_id or other.pk  # what was taken over lies where it was sampled
    found = pair(groups.of_rollout(chosen), run.pk, source)
    sides = [(run, run.pk, cards(found.mine))]
    if found.other is not None:
        sides.append((other, source, cards(found.other)))
    sides.sort(key=lambda side: side[0].condition.position)  # the baseline is the first condition
    left, right = sorted((run, other), key=lambda one: one.condition.position)
    context = {
        "run": run,
        "chosen": chosen,
        "other_run": other,
        "source": source,
        "others": others,
        "pair": found,
        "sides": sides,
        "left": left,
        "right": right,
        "differences": _differences(*(side[2]["group"] for side in sides)) if found.other else None,
        "same_run": source == run.pk,
        "other_steps": None if found.other else steps_of(source),
        "nav": "experiments",
    }
    return render(request, "runs/pair.html", context)


def _differences(left: RolloutGroup, right: RolloutGroup) -> dict[str, float]:
    """Share solved and mean reward, the right side − the left one: condition − baseline."""
    return {"solved": right.solved - left.solved, "reward": right.reward - left.reward}
