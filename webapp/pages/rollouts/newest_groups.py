"""The newest groups of a run, as its page shows them: few, those from which something can be learnt first."""

from typing import Any

from webapp.pages.rollouts.prompt_lines import prompt_lines
from webapp.runs.models import StageRun
from webapp.telemetry import groups
from webapp.telemetry.models import RolloutGroup

NEWEST_SHOWN = 6  # groups; static/css/rollouts.css keeps their height free


def context(run: StageRun) -> dict[str, Any]:
    """For runs/_newest_groups.html: rows of the list of groups, and how many groups and rollouts there are in all."""
    part = groups.part(groups.by_attempt([run.pk]))
    rows = list(zip(part.groups, prompt_lines(part.prompts), strict=True))
    if rows:
        last = rows[0][0].step
        rows.sort(key=lambda row: _rank(row[0], last))
    return {
        "run": run,
        "rows": rows[:NEWEST_SHOWN],
        "total": groups.totals(groups.of_runs([run.pk])),
    }


def _rank(group: RolloutGroup, last: int) -> int:
    """Of the newest step those with mixed rewards first, then the others; earlier steps behind them."""
    if group.step != last:
        return 2
    return 0 if group.lowest < group.highest else 1
