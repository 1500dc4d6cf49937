"""`mulberry launch --dry-run`: the plan of an experiment as text or JSON; nothing is created."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from training.recipes.recipe import Recipe
from training.settings.queue_names import DEFAULT
from webapp.experiments.templatetags.humane import duration, short, size
from webapp.launch.planning import PlanRow, Proposal, propose
from webapp.launch.reuse import Fork, LaunchPlan, by_older_code, gathered, plan_launch
from webapp.launch.sample_size.power import Power
from workers.cli.commands import CommandError, database

HEADER = (
    "stage",
    "conditions",
    "runs",
    "steps",
    "rollouts",
    "tokens",
    "FLOPs",
    "time a run",
    "disk a run",
    "problems",
)
LEFT = 2  # columns of words


def show(recipe: Recipe, fork: Fork | None, options: argparse.Namespace) -> int:
    """Print what launching the recipe would do. Works without a database, then by guesses alone."""
    reached = _reached()
    launch_plan = plan_launch(recipe, reuse=not options.no_reuse, fork=fork) if reached else None
    proposal = propose(recipe, device=options.device, launch_plan=launch_plan, database=reached)
    again = gathered(by_older_code(launch_plan)) if launch_plan and not options.no_reuse else {}
    texts = [
        f"{stage} ({len(runs)} run{'s' if len(runs) > 1 else ''}): {text}"
        for (stage, text), runs in again.items()
    ]
    if options.json:
        print(json.dumps({**as_json(proposal), "not_reused": texts}, indent=1))
    else:
        print("\n".join(lines(proposal, texts)))
    return 0


def ask(recipe: Recipe, fork: Fork | None, *, reuse: bool) -> LaunchPlan:
    """The launch's plan, to be handed on. Raises CommandError with what must be confirmed before it is launched."""
    launch_plan = plan_launch(recipe, reuse=reuse, fork=fork)
    if questions := propose(recipe, launch_plan=launch_plan).questions:
        raise CommandError("\n".join([*questions, "Nothing was launched: lower it, or confirm with --yes."]))
    return launch_plan


def lines(proposal: Proposal, not_reused: Sequence[str] = ()) -> list[str]:
    """The plan for a person; `not_reused` says of which runs there is one like it by older code."""
    plan, recipe, site = proposal.plan, proposal.plan.recipe, proposal.site
    conditions, seeds, stages = len(recipe.conditions), len(recipe.seeds), len(recipe.stages)
    model = plan.runs[0]
    said = [
        f"{recipe.name}: {recipe.title} (size {recipe.scale})",
        f"{conditions} conditions × {seeds} {'seed' if seeds == 1 else 'seeds'} × {stages} stages = "
        f"{len(plan.runs)} stage runs; {short(model.parameters)} parameters. ~: a guess.",
        "",
        *_table(proposal),
        "",
    ]
    if plan.work.rollouts:
        said.append(f"rollouts   {plan.work.rollouts:,} in all, {plan.rollouts_a_condition:,} a condition")
    source = "from this installation's own speeds" if plan.measured else "guess"
    said.append(f"time       {_hours(plan.seconds)} {proposal.unit} hours on {plan.hardware.name} ({source})")
    if proposal.elapsed is not None:
        said.append(f"           {duration(proposal.elapsed)} from start to end on {site.slots} slots")
    other = ", ".join(f"{_hours(seconds)} on {name}" for name, seconds in proposal.elsewhere.items())
    said.append(f"           GPU hours elsewhere (guess): {other}")
    room = f"; {size(site.free)} free" if site.free is not None else ""
    said.append(f"disk       {size(plan.disk)}{room}")
    said.append(f"reused     {_reused(proposal)}")
    said.append(f"queue      {_queue(proposal)}")
    for title, texts in (
        ("not reused", not_reused),
        ("power", [*proposal.power.sentences, *_grid(proposal.power)] if proposal.power else []),
        ("check", [("WARNING: " if one.warns else "") + one.text for one in plan.cautions]),
        ("", [f"WARNING: {site.unserved}"] if site.unserved else []),
        ("dose", [dose.sentence for dose in proposal.doses]),
        ("holds", proposal.contamination),
        ("missing", proposal.missing),
        ("asks", proposal.questions),
        ("assumed", plan.assumptions),
    ):
        said += [f"{title if place == 0 else '':<10} {text}" for place, text in enumerate(texts)]
    return said


def as_json(proposal: Proposal) -> dict[str, Any]:
    """The plan for a program: seconds, bytes, shares from 0 to 1."""
    plan = proposal.plan
    return {
        "recipe": plan.recipe.name,
        "scale": plan.recipe.scale,
        "device": plan.hardware.key,
        "measured": plan.measured,
        "seconds": plan.seconds,
        "elapsed_seconds": proposal.elapsed,
        "flops": plan.flops,
        "disk_bytes": plan.disk,
        "rollouts": plan.work.rollouts,
        "rollouts_a_condition": plan.rollouts_a_condition,
        "seconds_elsewhere": proposal.elsewhere,
        "runs": [
            {
                "condition": run.spec.condition,
                "stage": run.spec.stage,
                "seed": run.spec.seed,
                "kind": run.spec.settings.kind,
                "parameters": run.parameters,
                "work": asdict(run.work),
                "evaluation": asdict(run.evaluation),
                "flops": run.flops,
                "seconds": run.seconds,
                "measured": run.measured,
                "disk_bytes": run.disk,
                "reused": run.reused,
            }
            for run in plan.runs
        ],
        "site": asdict(proposal.site),
        "power": _power(proposal),
        "cautions": [{"text": caution.text, "warns": caution.warns} for caution in plan.cautions],
        "doses": [asdict(dose) for dose in proposal.doses],
        "contamination": list(proposal.contamination),
        "missing": list(proposal.missing),
        "questions": proposal.questions,
        "assumptions": plan.assumptions,
    }


def _power(proposal: Proposal) -> dict[str, Any] | None:
    power = proposal.power
    if power is None:
        return None
    computed = {
        "checkpoints": power.checkpoints,
        "conditions": power.conditions,
        "equivalence": power.equivalence,
        "needed_problems": power.needed,
        "grid": asdict(power.grid) if power.grid else None,
    }
    return asdict(power) | computed


def _grid(power: Power) -> list[str]:
    """Seeds and problems for the wished difference, as lines."""
    if (grid := power.grid) is None:
        return []
    widths = [max(map(len, column)) for column in zip(*grid.lines, strict=True)]
    lines = [
        "  ".join(
            [f"{row[0]:<{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in grid.lines
    ]
    return [f"{grid.title}:", *lines]


def _reached() -> bool:
    """Whether there is a database to ask: a dry run needs none."""
    if not database.announced():
        return False
    try:
        database.connect()
    except CommandError:
        return False
    return True


def _table(proposal: Proposal) -> list[str]:
    cells = [list(HEADER)]
    cells += [_cells(row, one_of_many=len(proposal.plan.recipe.conditions)) for row in proposal.rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADER))]
    return ["  ".join(_padded(row, widths)).rstrip() for row in cells]


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        f"{cell:<{width}}" if column < LEFT else f"{cell:>{width}}"
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _cells(row: PlanRow, one_of_many: int) -> list[str]:
    mark = "" if row.run.measured else "~"
    return [
        row.stage,
        "all" if len(row.conditions) == one_of_many else ", ".join(row.conditions),
        str(row.count),
        short(row.work.steps),
        f"{row.work.rollouts:,}" if row.work.rollouts else "–",
        short(row.work.learnt),
        f"{row.run.flops:.1e}",
        f"{mark}{duration(row.run.seconds)}",
        size(row.run.disk),
        short(row.problems),
    ]


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:,.1f}" if hours >= 10 else f"{hours:.2g}"


def _reused(proposal: Proposal) -> str:
    if not proposal.reused:
        return "nothing: every stage run is computed"
    stages = ", ".join(dict.fromkeys(run.spec.stage for run in proposal.reused))
    return f"{len(proposal.reused)} of {len(proposal.plan.runs)} stage runs ({stages})"


def _queue(proposal: Proposal) -> str:
    site = proposal.site
    if not site.reached:
        return "not known: no database answers here"
    named = "" if site.queue == DEFAULT else f"{site.queue}: "
    if not site.slots:
        lacks = "no worker serves it" if site.unserved else "no worker answers"
        return f"{named}{lacks}; {site.waiting} stage runs go first"
    return f"{named}{site.waiting} stage runs go first, on {site.slots} slots"
