"""The page of the problem × stage map: what each stage moved, problem by problem, a block a condition and seed."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from webapp.comparison.problems import paths_through_stages
from webapp.comparison.problems.map_rows import UNCHANGED, MapRows, map_rows
from webapp.comparison.problems.problem_map import MOVES, ORDERS, ProblemMap, StageMoves, problem_map
from webapp.comparison.table import refuse_unknown
from webapp.experiments.models import Experiment
from webapp.pages.flips import benchmarks

TALL = 660  # CSS pixels that a map of few problems takes; one of more has a pixel a problem
ROW = 6  # and no row is taller
BAND = 24  # but one that stands for several problems, so that it can be labelled
LABEL = 16  # pixels of rows that are alike before they are labelled
BESIDE = 480  # pixels of the table of counts up to which it stands beside the map
LETTER, AROUND = 7, 8  # pixels of a letter of a stage's name, and around it
COLUMN = 48  # pixels around a condition's name at the head of a table
UPRIGHT = (6, 8, 10, 12, 16)  # letters
FLAT_NARROW, FLAT = 300, 560  # pixels that a phone and a desktop have for such names


@dataclass(frozen=True)
class MapChoices:
    """What is chosen above the map; it stands in the address, and goes along to a problem that is opened."""

    benchmark: str = ""
    order: str = "pattern"
    conditions: tuple[str, ...] = ()  # none: all
    seeds: tuple[str, ...] = ()
    unchanged: str = ""  # one of UNCHANGED; '': as fits

    @classmethod
    def read(cls, asked: QueryDict) -> "MapChoices":
        """From an address."""
        conditions, seeds = (tuple(dict.fromkeys(asked.getlist(name))) for name in ("conditions", "seeds"))
        order, unchanged = asked.get("order") or "pattern", asked.get("unchanged", "")
        return cls(asked.get("benchmark", ""), order, conditions, seeds, unchanged)

    def map(self, experiment: Experiment) -> ProblemMap:
        """Raises ValueError for a choice that there is not."""
        if self.benchmark:
            refuse_unknown("benchmark", self.benchmark, benchmarks(experiment))
        refuse_unknown("way to draw what never changes", self.unchanged or UNCHANGED[0], UNCHANGED)
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
        named = {"benchmark": self.benchmark, "order": order, "unchanged": self.unchanged}
        listed = {"conditions": self.conditions, "seeds": self.seeds}
        return urlencode({name: value for name, value in {**named, **listed}.items() if value}, doseq=True)


@require_GET
def page(request: HttpRequest, name: str) -> HttpResponse:
    """The map and its counts; ?benchmark=, ?order=, ?unchanged=, ?conditions= and ?seeds=, these two as often as wanted."""
    experiment = get_object_or_404(Experiment, name=name)
    choices = MapChoices.read(request.GET)
    try:
        found = choices.map(experiment)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    rows = map_rows(found, choices.unchanged)
    row = max(1, min(ROW, TALL // max(1, len(rows.rows))))
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
        "rows": rows,
        "height": row * (len(rows.rows) - rows.bands) + BAND * rows.bands,
        "heads": _heads(found),
        "letters": _letters(found),
        "beside": _width_of_counts(found) <= BESIDE,
        "drawn": _drawn(rows, choices, row),
        "nav": "experiments",
    }
    return render(request, "results/problem_map.html", context)


def _width_of_counts(found: ProblemMap) -> int:
    """About how many pixels the table of what each stage moved takes: its stages, and a column a block."""
    longest = max((len(stage.name) for stage in found.stages), default=0)
    return LETTER * longest + sum(LETTER * len(block.condition.name) + COLUMN for block in found.blocks)


def _heads(found: ProblemMap) -> str:
    """Classes of the heads, so that they have their height before names are written: how much the names of stages need."""
    longest = max((len(stage.name) for stage in found.stages), default=0)
    needed = len(found.blocks) * len(found.stages) * (LETTER * longest + AROUND)
    flat = "flat flat-narrow" if needed <= FLAT_NARROW else "flat" if needed <= FLAT else "upright"
    return flat if len({block.seed for block in found.blocks}) > 1 else f"{flat} seedless"


def _letters(found: ProblemMap) -> int:
    """For how many letters upright names of stages have room, in the steps that static/css/maps.css knows."""
    longest = max((len(stage.name) for stage in found.stages), default=0)
    return next((room for room in UPRIGHT if longest <= room), UPRIGHT[-1])


def _drawn(rows: MapRows, choices: MapChoices, row: int) -> dict[str, Any]:
    """What static/js/problem_map.js draws: a letter a row, stage and block."""
    found = rows.found
    problems = [found.problems[one.place] for one in rows.rows]
    opened = reverse("stepper", args=[found.experiment.name])
    return {
        "open": f"{opened}?{choices.query}",
        "heights": [BAND if one.says else row for one in rows.rows],
        "says": {at: one.says for at, one in enumerate(rows.rows) if one.says},
        "labels": rows.labels(-(-LABEL // row)),
        "moves": MOVES,
        "problems": problems,
        "solved": [found.solved(problem) for problem in problems],
        "stages": [stage.name for stage in found.stages],
        "blocks": [
            {
                "condition": block.condition.name,
                "place": block.condition.position,
                "seed": block.seed,
                "columns": ["".join(column[one.place] for one in rows.rows) for column in columns],
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
