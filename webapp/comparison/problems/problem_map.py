"""The problem × stage map: what every checkpoint of an experiment said to each problem of a benchmark, without a text."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from webapp.comparison.cells import SHARED
from webapp.comparison.problems.paths_through_stages import pattern
from webapp.comparison.table import refuse_unknown
from webapp.experiments.models import Condition, Experiment, Stage
from webapp.results.marks import answers
from webapp.results.models import Evaluation
from webapp.results.outcome_counts import latest_accuracies

ORDERS = {
    "pattern": "by pattern",
    "differ": "where conditions differ",
    "solved": "by how many solve it",
    "benchmark": "as the benchmark has them",
}  # how the problems may be ordered: what it is called
MOVES = {
    "w": "wrong",
    "r": "right",
    "g": "gained",
    "l": "lost",
    "-": "not evaluated",
}  # a cell of the map: what its letter means
_MARKS = {"1": True, "0": False, "-": None}
_MOVED = {("0", "0"): "w", ("0", "1"): "g", ("1", "0"): "l", ("1", "1"): "r"}


class MapBlock(NamedTuple):
    """A condition with a seed: a column a stage."""

    condition: Condition
    seed: int
    evaluations: tuple[int | None, ...]  # a stage each; None: none that counts

    @property
    def name(self) -> str:
        """What it is called beside others."""
        return f"{self.condition.name}, seed {self.seed}"


@dataclass(frozen=True)
class StageMoves:
    """What one stage did in one block: how many problems it moved."""

    asked: int
    right: int
    gained: int
    lost: int


@dataclass(frozen=True)
class ProblemMap:
    """A benchmark's problems × the stages of an experiment, a block a condition and seed."""

    experiment: Experiment
    benchmark: str
    order: str  # one of ORDERS
    stages: tuple[Stage, ...]
    before: tuple[int | None, ...]  # a stage each: the place of the one that it goes on from; None: of none
    blocks: tuple[MapBlock, ...]
    ways: tuple[
        Mapping[str, str], ...
    ]  # a block each: problem → a mark a stage: '1' right, '0' wrong, '-' not known
    caution: str  # what the evaluations do not have in common; '' when they may be set side by side

    @cached_property
    def line(self) -> tuple[int, ...]:
        """The places of the stages that lead to the last one, which the pattern is read from."""
        found: list[int] = []
        at: int | None = len(self.stages) - 1 if self.stages else None
        while at is not None:
            found.insert(0, at)
            at = self.before[at]
        return tuple(found)

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """Every problem, in the order that was chosen."""
        every = sorted({problem for ways in self.ways for problem in ways}, key=natural)
        if self.order == "pattern":
            every.sort(key=self.history)
        elif self.order == "differ":
            every.sort(key=lambda problem: (*self._apart(problem), self.history(problem)))
        elif self.order == "solved":
            every.sort(
                key=lambda problem: (self.solved(problem), self.rights(problem), self.history(problem))
            )
        return tuple(every)

    def history(self, problem: str) -> tuple[str, ...]:
        """Its marks in every block: problems that share them lie together."""
        unknown = "-" * len(self.stages)
        return tuple(ways.get(problem, unknown) for ways in self.ways)

    def _apart(self, problem: str) -> tuple[int, int]:
        """Where it stands by how the conditions end: gained against the first one, lost, both, the same; more seeds first."""
        ends = dict[int, list[int]]()
        for block, way in zip(self.blocks, self.history(problem), strict=True):
            if known := way.replace("-", "")[-1:]:
                ends.setdefault(block.seed, []).append(int(known))
        apart = [end - first for first, *others in ends.values() for end in others]
        gained = sum(apart)
        kind = 0 if gained > 0 else 1 if gained < 0 else 2 if any(apart) else 3
        return kind, -abs(gained)

    def solved(self, problem: str) -> int:
        """In how many blocks it is right after the last stage that asked it."""
        return sum(way.replace("-", "")[-1:] == "1" for way in self.history(problem))

    def rights(self, problem: str) -> int:
        """After how many stages of all blocks it is right."""
        return sum(way.count("1") for way in self.history(problem))

    @cached_property
    def columns(self) -> tuple[tuple[str, ...], ...]:
        """The letters of MOVES: for each block a text a stage, a letter a problem in their order."""
        return tuple(self._columns(ways) for ways in self.ways)

    def _columns(self, ways: Mapping[str, str]) -> tuple[str, ...]:
        unknown, known = "-" * len(self.stages), dict[str, str]()
        rows = []
        for problem in self.problems:
            way = ways.get(problem, unknown)
            if way not in known:  # few histories are different
                known[way] = self._moved(way)
            rows.append(known[way])
        return tuple("".join(column) for column in zip(*rows, strict=True)) or ("",) * len(self.stages)

    def moves(self, block: int, problem: str) -> str:
        """The letters of MOVES of one problem in a block, a stage each."""
        return self._moved(self.ways[block].get(problem, "-" * len(self.stages)))

    def _moved(self, way: str) -> str:
        letters = []
        for place, mark in enumerate(way):
            at = self.before[place]
            while at is not None and way[at] == "-":
                at = self.before[at]
            was = mark if at is None else way[at]  # a first stage moves nothing
            letters.append("-" if mark == "-" else _MOVED[was, mark])
        return "".join(letters)

    def marks(self, block: int, problem: str) -> tuple[bool | None, ...]:
        """What a problem's checkpoints said in a block, a stage each."""
        return tuple(_MARKS[mark] for mark in self.ways[block].get(problem, "-" * len(self.stages)))

    def counts(self) -> list[list[StageMoves]]:
        """For each stage, in each block, what it moved."""
        found = [[Counter(column) for column in columns] for columns in self.columns]
        return [
            [
                StageMoves(one.total() - one["-"], one["r"] + one["g"], one["g"], one["l"])
                for one in (columns[place] for columns in found)
            ]
            for place in range(len(self.stages))
        ]

    def pattern_counts(self) -> list[Counter[str]]:
        """How many problems have each pattern, a block each; '' of those that no stage asked."""
        found = []
        for ways in self.ways:
            known = Counter("".join(ways[problem][place] for place in self.line) for problem in ways)
            counts = Counter[str]()
            for way, count in known.items():
                counts[pattern([_MARKS[mark] for mark in way])] += count
            found.append(counts)
        return found


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts p9 before p10, as the benchmark numbers its problems."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)


def problem_map(
    experiment: Experiment,
    *,
    benchmark: str = "",
    order: str = "pattern",
    conditions: Sequence[str] = (),
    seeds: Sequence[str] = (),
) -> ProblemMap:
    """Read the map; no condition or no seed chosen: all of them. Six queries, whatever the size.

    Blocks come seed by seed, so that the conditions of one seed stand side by side. Stages that nobody evaluated are left out.
    Raises ValueError for a name that the experiment does not have.
    """
    every = {one.name: one for one in experiment.conditions.all()}
    for name in conditions:
        refuse_unknown("condition", name, every)
    for seed in seeds:
        refuse_unknown("seed", seed, [str(one) for one in experiment.seeds])
    refuse_unknown("order", order, ORDERS)
    chosen = [one for name, one in every.items() if not conditions or name in conditions]
    numbers = [one for one in experiment.seeds if not seeds or str(one) in seeds]
    benchmark = benchmark or experiment.primary_metric
    runs = {
        (condition, stage, seed): pk
        for pk, condition, stage, seed in experiment.runs.filter(
            condition__in=chosen, seed__in=numbers
        ).values_list("pk", "condition_id", "stage_id", "seed")
    }
    accuracies = latest_accuracies(runs.values(), benchmark)
    evaluations = {
        run: one.evaluation for run, one in accuracies.items() if one.counted and one.published_rate is None
    }
    kept, caution = _alike(evaluations.values())
    of_run = {run: one for run, one in evaluations.items() if one in kept}
    used = {stage for (_, stage, _), run in runs.items() if run in of_run}
    every_stage = {stage.pk: stage for stage in experiment.stages.all()}
    stages = tuple(stage for stage in every_stage.values() if stage.pk in used)
    blocks = tuple(
        MapBlock(
            condition,
            seed,
            tuple(of_run.get(runs.get((condition.pk, stage.pk, seed), 0)) for stage in stages),
        )
        for seed in numbers
        for condition in chosen
    )
    places = {stage.pk: place for place, stage in enumerate(stages)}
    before = tuple(_place_before(stage, every_stage, places) for stage in stages)
    said = answers(kept, "correct")
    ways = tuple(_ways(block, said) for block in blocks)
    return ProblemMap(experiment, benchmark, order, stages, before, blocks, ways, caution)


def _place_before(stage: Stage, every: Mapping[int, Stage], places: Mapping[int, int]) -> int | None:
    """The place on the map of the nearest stage that this one goes on from."""
    above = stage.after_id
    while above is not None and above not in places:
        above = every[above].after_id
    return None if above is None else places[above]


def _ways(block: MapBlock, said: Mapping[int, Mapping[str, bool]]) -> dict[str, str]:
    columns = [said.get(one or 0, {}) for one in block.evaluations]
    letters = [{problem: "01"[right] for problem, right in column.items()} for column in columns]
    return {
        problem: "".join([column.get(problem, "-") for column in letters])
        for problem in dict.fromkeys(problem for column in columns for problem in column)
    }


def _alike(evaluations: Collection[int]) -> tuple[set[int], str]:
    """Those that asked the problems that most of them asked, and what else they do not have in common, as a sentence."""
    rows = dict(Evaluation.objects.filter(pk__in=list(evaluations)).values_list("pk", "settings"))
    problems = Counter(settings.get("problems_sha256") for settings in rows.values())
    if not problems:
        return set(), ""
    (most, _), *others = problems.most_common()
    kept = {pk for pk, settings in rows.items() if settings.get("problems_sha256") == most}
    said = []
    if others:
        left = len(rows) - len(kept)
        said.append(f"{left} evaluation{'s' * (left != 1)} of other problems are left out.")
    differ = [
        noun
        for key, noun in SHARED.items()
        if key != "problems_sha256" and len({str(rows[pk].get(key)) for pk in kept}) > 1
    ]
    if differ:
        said.append(
            f"Not all were evaluated alike ({', '.join(differ)}), so that a move may be the evaluation’s and not the stage’s."
        )
    return kept, " ".join(said)
