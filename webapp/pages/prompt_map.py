"""The page of the prompt × step map: the solve rate of each prompt through a run that samples, the conditions one below the other."""

from collections.abc import Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from webapp.charts.prompt_map import BANDS, PromptMap, StepBlock, prompt_map
from webapp.reports.drawings import Drawing, DrawnCourse, line_drawing
from webapp.runs.models import StageRun

TALL = 560  # CSS pixels that a map of few prompts takes
FEW_COLUMNS = 20
CELL, LARGE_CELL = (18, 12), (25, 17)  # CSS pixels of a column and a row at most, and of a map of few columns
WIDE = 600  # units of the drawing of the groups


@require_GET
def page(request: HttpRequest, run_id: int) -> HttpResponse:
    """A run's prompts, and those of the other conditions' runs of its stage and seed."""
    related = StageRun.objects.select_related("experiment", "stage", "condition")
    run = get_object_or_404(related, pk=run_id)
    if run.experiment.imported or not run.stage.settings_class.records_rollouts:
        raise Http404(f"run {run_id} samples no rollouts, so that it has no prompts to map")
    runs = related.filter(experiment=run.experiment, stage=run.stage, seed=run.seed).order_by(
        "condition__position"
    )
    sections = [_section(one) for one in runs]
    context = {
        "run": run,
        "sections": sections,
        "few": _few(sections),
        "drawn_some": any(one["map"] and not one["map"].few for one in sections),
        "bands": BANDS,
        "nav": "experiments",
    }
    return render(request, "runs/prompt_map.html", context)


def _section(run: StageRun) -> dict[str, Any]:
    """One run as the page shows it; what it took over lies where it was sampled."""
    sampled = run.reused_from_id or run.pk
    source = (
        run if sampled == run.pk else StageRun.objects.select_related("stage", "condition").get(pk=sampled)
    )
    found = prompt_map(source)
    context: dict[str, Any] = {
        "run": run,
        "source": source,
        "map": found,
    }
    if found is None:
        return context
    context |= {
        "bars": _bars(found),
        "quarters": _quarters(found),
        "drawing": _drawing(found) if found.banded else None,
    }
    if found.few:
        return context
    wide, tall = LARGE_CELL if len(found.columns) < FEW_COLUMNS else CELL
    row = max(2, min(tall, TALL // max(1, len(found.rows))))
    return context | {
        "height": row * len(found.rows),
        "script": f"prompts-{run.pk}",
        "drawn": _drawn(found, source, row, wide),
    }


def _few(sections: Sequence[dict[str, Any]]) -> list[tuple[int, int, list[str]]]:
    """Of maps without a course to draw: how many prompts recur, of how many, and in which conditions; none named where it is all."""
    named = dict[tuple[int, int], list[str]]()
    for one in sections:
        if one["map"] is not None and one["map"].few:
            named.setdefault((one["map"].recurring, one["map"].prompts), []).append(one["run"].condition.name)
    return [
        (recurring, prompts, [] if len(names) == len(sections) else names)
        for (recurring, prompts), names in named.items()
    ]


def _drawn(found: PromptMap, source: StageRun, row: int, wide: int) -> dict[str, Any]:
    """What static/js/prompt_map.js draws."""
    return {
        "open": reverse("rollout_group", args=[source.pk, 0]),
        "row": row,
        "wide": wide,
        "prompts": [[one.prompt, BANDS[one.band], round(one.difficulty, 4)] for one in found.rows],
        "columns": found.columns,
        "cells": found.cells,
    }


def _drawing(found: PromptMap) -> Drawing | None:
    """A line a band; None where no prompt has a course."""
    courses = [
        DrawnCourse(band.name, place, band.points) for place, band in enumerate(found.bands) if band.points
    ]
    if not courses:
        return None
    first, last = float(found.first_step), float(found.last_step)
    ends = [(first, f"step {found.first_step:,}"), (last, f"{found.last_step:,}")]
    return line_drawing(
        "Mean solve rate of prompts by their difficulty",
        courses,
        ends if first < last else ends[:1],
        share=True,
        dots=True,
        top=1.0,
        start=first,
    )


def _bars(found: PromptMap) -> list[dict[str, Any]]:
    """A bar a block of steps, in units of the drawing: how many groups are solved by none, some, all."""
    width = WIDE / len(found.blocks)
    return [
        {"block": block, "x": round(place * width, 2), "width": round(width - 2, 2), "parts": _parts(block)}
        for place, block in enumerate(found.blocks)
        if block.groups
    ]


def _quarters(found: PromptMap) -> list[tuple[StepBlock, list[float]]]:
    """The first and the last quarter of the steps (or all, where they are one), and what share of their groups none, some and all solve."""
    blocks = [one for one in found.blocks if one.groups]
    many = max(1, len(blocks) // 4)
    ends = [blocks[:many], blocks[-many:]] if len(blocks) > 1 else [blocks]
    summed = [
        StepBlock(
            end[0].first,
            end[-1].last,
            sum(one.none for one in end),
            sum(one.some for one in end),
            sum(one.all for one in end),
        )
        for end in ends
    ]
    return [(one, [count / one.groups for count in (one.none, one.some, one.all)]) for one in summed]


def _parts(block: StepBlock) -> list[tuple[str, float, float]]:
    """Name, top and height in percent, from all at the bottom to none at the top."""
    parts, at = [], 0.0
    for name, count in (("none", block.none), ("some", block.some), ("all", block.all)):
        height = 100 * count / block.groups
        parts.append((name, round(at, 2), round(height, 2)))
        at += height
    return parts
