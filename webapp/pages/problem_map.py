"""The page of the problem × stage map: what each stage moved, problem by problem, a block a condition and seed."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from webapp.comparison.problems import paths_through_stages
from webapp.comparison.problems.problem_map import MOVES, ORDERS, ProblemMap, StageMoves, problem_map
from webapp.comparison.table import refuse_unknown
from webapp.experiments.models import Experiment
from webapp.pages.flips import benchmarks

TALL = 660  # CSS pixels that a map of few problems takes; one of more has a pixel a problem
ROW = 12  # and no row is taller


@dataclass(frozen=True)
class MapChoices:
    """What is chosen above the map; it stands in the address, and goes along to a problem that is opened."""

    benchmark: str = ""
    order: str = "pattern"
    conditions: tuple[str, ...] = ()  # none: all
    seeds: tuple[str, ...] = ()

    @classmethod
    def read(cls, asked: QueryDict) -> "MapChoices":
        """From an address."""
        conditions, seeds = (tuple(dict.fromkeys(asked.getlist(name))) for name in ("conditions", "seeds"))
        return cls(asked.get("benchmark", ""), asked.get("order") or "pattern", conditions, seeds)

    def map(self, experiment: Experiment) -> ProblemMap:
        """Raises ValueError for a choice that there is not."""
        if self.benchmark:
            refuse_unknown("benchmark", self.benchmark, benchmarks(experiment))
        return problem_map(
            experiment,
            benchmark=self.benchmark,
            order=self.order,
            conditions=self.conditions,
            seeds=self.seeds,
        )

    @property
    def query(self) -> str:
        """As an address says it; what is not chosen is left out."""
        order = "" if self.order == "pattern" else self.order
        named = {"benchmark": self.benchmark, "order": order}
        listed = {"conditions": self.conditions, "seeds": self.seeds}
        return urlencode({name: value for name, value in {**named, **listed}.items() if value}, doseq=True)


@require_GET
def page(request: HttpRequest, name: str) -> HttpResponse:
    """The map and its counts; ?benchmark=, ?order=, ?conditions= and ?seeds=, each as often as wanted."""
    experiment = get_object_or_404(Experiment, name=name)
    choices = MapChoices.read(request.GET)
    try:
        found = choices.map(experiment)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    row = max(1, min(ROW, TALL // max(1, len(found.problems))))
    context = {
        "experiment": experiment,
        "map": found,
        "choices": choices,
        "benchmarks": benchmarks(experiment),
        "orders": ORDERS.items(),
        "chosen_conditions": {block.condition.name for block in found.blocks},
        "chosen_seeds": {block.seed for block in found.blocks},
        "moves": MOVES.items(),
        "stages": _stages(found),
        "patterns": _patterns(found),
        "line": [found.stages[place].name for place in found.line],
        "row": row,
        "height": row * len(found.problems),
        "drawn": _drawn(found, choices, row),
        "nav": "experiments",
    }
    return render(request, "results/problem_map.html", context)


def _drawn(found: ProblemMap, choices: MapChoices, row: int) -> dict[str, Any]:
    """What static/js/problem_map.js draws: a letter a problem, stage and block."""
    opened = reverse("stepper", args=[found.experiment.name])
    return {
        "open": f"{opened}?{choices.query}",
        "row": row,
        "moves": MOVES,
        "problems": found.problems,
        "solved": [found.solved(problem) for problem in found.problems],
        "stages": [stage.name for stage in found.stages],
        "blocks": [
            {
                "condition": block.condition.name,
                "place": block.condition.position,
                "seed": block.seed,
                "columns": columns,
            }
            for block, columns in zip(found.blocks, found.columns, strict=True)
        ],
    }


def _stages(found: ProblemMap) -> list[tuple[str, bool, list[StageMoves]]]:
    """A stage, whether there is one before it that it could move anything from, and its counts, a block each."""
    rows = zip(found.stages, found.before, found.counts(), strict=True)
    return [(stage.name, before is not None, counts) for stage, before, counts in rows]


def _patterns(found: ProblemMap) -> list[tuple[str, str, list[int]]]:
    """Its words, what it means, and how many problems of each block have it."""
    words, counts = paths_through_stages.words("solved"), found.pattern_counts()
    return [
        (words[name], meaning, [one[name] for one in counts])
        for name, (_, meaning) in paths_through_stages.PATTERNS.items()
    ]
