"""The stepper: what every checkpoint answered to one problem of a benchmark, stage by stage, the conditions side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from webapp.comparison.problems.completion_changes import completion_change
from webapp.comparison.problems.problem_map import MOVES, ProblemMap
from webapp.comparison.table import refuse_unknown
from webapp.experiments.models import Experiment
from webapp.pages import flips
from webapp.pages.problem_map import MapChoices
from webapp.results.models import GREEDY, Outcome
from webapp.runs.models import StageRun

CHANGES = {
    "changed": "gl",
    "gained": "g",
    "lost": "l",
}  # what a problem did at the last stage: letters of MOVES


@dataclass(frozen=True)
class ProblemList:
    """The list that a problem was opened from: where it stands in it, and the problems beside it."""

    name: str
    address: str
    problems: Sequence[str]
    place: int | None  # None: it is not in it

    @property
    def before(self) -> str | None:
        """The problem before it."""
        return self.problems[self.place - 1] if self.place else None

    @property
    def after(self) -> str | None:
        """The problem behind it; the first where this one is not in the list."""
        at = -1 if self.place is None else self.place
        return self.problems[at + 1] if at + 1 < len(self.problems) else None

    @property
    def number(self) -> int:
        """Its place as people count."""
        return 0 if self.place is None else self.place + 1


@require_GET
def page(request: HttpRequest, name: str) -> HttpResponse:
    """?problem= (else the first that the last stage changed), ?change= (one of CHANGES), ?seed=, ?stage= (else the last), and the choices
    of the map, or ?flips=: the query of a list of flips.
    """
    experiment = get_object_or_404(Experiment, name=name)
    asked, choices = request.GET, MapChoices.read(request.GET)
    try:
        found = choices.map(experiment)
        seeds = list(dict.fromkeys(str(block.seed) for block in found.blocks))
        seed = asked.get("seed") or next(iter(seeds), "")
        refuse_unknown("seed", seed, seeds)
        changes = _changes(found, seed)
        change = _change(asked, changes)
        problems = _problems(asked, experiment, found, changes.get(change))
        if not found.stages or not problems:
            raise Http404(f"no checkpoint of {name} has answered a problem of {found.benchmark} here")
        problem = asked.get("problem") or problems[0]
        if not any(problem in ways for ways in found.ways):
            raise Http404(f"no checkpoint of {name} was asked a problem {problem!r} of {found.benchmark}")
        stages = [stage.name for stage in found.stages]
        stage = asked.get("stage") or stages[-1]
        refuse_unknown("stage", stage, stages)
    except ValueError as error:
        return HttpResponseBadRequest(f"{error}\n", content_type="text/plain")
    texts = _texts(found, problem)
    read = [texts[one] for one in _evaluations(found, seed) if one in texts]
    context = {
        "experiment": experiment,
        "map": found,
        "problem": problem,
        "list": _list(asked, choices, experiment, problems, problem),
        "seed": seed,
        "seeds": seeds,
        "stage": stage,
        "place": stages.index(stage),
        "change": change,
        "changes": [(kind, len(chosen)) for kind, chosen in changes.items()],
        "both_ways": len(changes["gained"]) + len(changes["lost"]) - len(changes["changed"]),
        "last_stage": stages[-1],
        "from_flips": "flips" in asked,
        "shown": read[0] if read else None,
        "prompts_differ": len({one.prompt for one in read}) > 1,
        "track": _track(found, problem, seed, texts),
        "steps": _steps(found, problem, seed, texts),
        "nav": "experiments",
    }
    return render(request, "results/stepper.html", context)


def opened(run: StageRun, benchmark: str) -> str:
    """The stepper at a run's stage and seed, but for the problem; it goes through the benchmark in its order."""
    query = {"benchmark": benchmark, "order": "benchmark", "seed": str(run.seed), "stage": run.stage.name}
    return f"{reverse('stepper', args=[run.experiment.name])}?{urlencode(query)}"


def _changes(found: ProblemMap, seed: str) -> dict[str, list[str]]:
    """For each of CHANGES the problems that the last stage moved so in a block of the seed, in the order of the map."""
    last = [
        columns[-1]
        for block, columns in zip(found.blocks, found.columns, strict=True)
        if str(block.seed) == seed and columns
    ]
    return {
        change: [
            problem
            for place, problem in enumerate(found.problems)
            if any(column[place] in letters for column in last)
        ]
        for change, letters in CHANGES.items()
    }


def _change(asked: QueryDict, changes: Mapping[str, Sequence[str]]) -> str:
    """The one of CHANGES that the list is narrowed to, '' for none; without a problem in the address that of what changed."""
    change = asked.get("change")
    if change is None:
        return "changed" if changes["changed"] and not ("problem" in asked or "flips" in asked) else ""
    refuse_unknown("change", change or "changed", CHANGES)
    return change


def _problems(
    asked: QueryDict, experiment: Experiment, found: ProblemMap, changed: Sequence[str] | None
) -> Sequence[str]:
    """The problems of the list that this one was opened from."""
    if "flips" not in asked:
        return changed or found.problems
    _, chosen = flips.listed(QueryDict(asked.get("flips", "")), experiment)
    return [one.id for one in chosen] or found.problems


def _list(
    asked: QueryDict, choices: MapChoices, experiment: Experiment, problems: Sequence[str], problem: str
) -> ProblemList:
    place = problems.index(problem) if problem in problems else None
    if "flips" in asked:
        address = f"{reverse('flips', args=[experiment.name])}?{asked['flips']}#problems"
        return ProblemList("flips", address, problems, place)
    address = f"{reverse('problem_map', args=[experiment.name])}?{choices.query}"
    return ProblemList("problem map", address, problems, place)


def _evaluations(found: ProblemMap, seed: str) -> list[int]:
    """Those of a seed."""
    of_seed = [block for block in found.blocks if str(block.seed) == seed]
    return [one for block in of_seed for one in block.evaluations if one is not None]


def _texts(found: ProblemMap, problem: str) -> dict[int, Outcome]:
    """The greedy outcomes of the problem in all evaluations of the map, by evaluation. One query."""
    wanted = [one for block in found.blocks for one in block.evaluations if one is not None]
    read = Outcome.objects.filter(evaluation__in=wanted, sample=GREEDY, problem=problem)
    return {one.evaluation_id: one for one in read}


def _track(found: ProblemMap, problem: str, seed: str, texts: Mapping[int, Outcome]) -> list[dict[str, Any]]:
    """A row a block: its mark and its outcome after each stage, and whether its seed is the one that is read."""
    names = [stage.name for stage in found.stages]
    return [
        {
            "block": block,
            "read": str(block.seed) == seed,
            "marks": [
                (name, mark, texts.get(one or 0))
                for name, mark, one in zip(names, found.marks(place, problem), block.evaluations, strict=True)
            ],
        }
        for place, block in enumerate(found.blocks)
    ]


def _steps(
    found: ProblemMap, problem: str, seed: str, texts: Mapping[int, Outcome]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """For each stage what the checkpoints of the seed answered, a condition each."""
    blocks = [(place, block) for place, block in enumerate(found.blocks) if str(block.seed) == seed]
    return [
        (stage.name, [_answered(found, problem, which, at, texts) for which, _ in blocks])
        for at, stage in enumerate(found.stages)
    ]


def _answered(
    found: ProblemMap, problem: str, which: int, at: int, texts: Mapping[int, Outcome]
) -> dict[str, Any]:
    block = found.blocks[which]
    outcome = texts.get(block.evaluations[at] or 0)
    before, earlier = found.before[at], None
    while before is not None and earlier is None:
        earlier = texts.get(block.evaluations[before] or 0)
        before = found.before[before]
    change = outcome and completion_change(
        outcome.completion, earlier.completion if earlier else None, outcome.final_answer
    )
    move = found.moves(which, problem)[at]
    return {"block": block, "outcome": outcome, "change": change, "move": MOVES[move]}
