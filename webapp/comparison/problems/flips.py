"""Flips: the problems on which two checkpoints disagree, and how each problem went through the stages."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from training.recipes.planned_question import PairedTest
from webapp.comparison.alike.kept_examples import Key, examples_of, key_of
from webapp.comparison.cells import why_not_comparable
from webapp.comparison.metrics import METRICS, ComparisonMetric
from webapp.comparison.problems.paths_through_stages import pattern
from webapp.comparison.table import refuse_unknown
from webapp.comparison.waiting import waiting
from webapp.experiments.models import Condition, Experiment, Stage
from webapp.experiments.planned_question import paired_test
from webapp.results.marks import answers
from webapp.results.models import GREEDY, Outcome
from webapp.results.outcome_counts import PairCounts, Tally, latest_tallies
from webapp.runs import kept_examples
from webapp.runs.models import StageRun
from webapp.statistics import proportions
from webapp.statistics.intervals import Interval

KINDS = ("gained", "lost", "both", "neither")
_KIND_OF = {(False, True): "gained", (True, False): "lost", (True, True): "both", (False, False): "neither"}


class Side(NamedTuple):
    """One of the two checkpoints: a condition after a stage."""

    condition: Condition
    stage: Stage
    tally: Tally | None  # None: no evaluation on the benchmark yet


class Way(NamedTuple):
    """A condition and the evaluations on its way, in the order of the stages."""

    condition: Condition
    stages: tuple[str, ...]
    evaluations: tuple[int | None, ...]  # None: not finished


class ProblemMarks(NamedTuple):
    """One problem: what it is, its marks on each way, and the pattern that they make."""

    id: str
    kind: str  # one of KINDS
    marks: tuple[tuple[bool | None, ...], ...]  # a way each
    patterns: tuple[str, ...]
    since: tuple[str, ...]  # the stage after which it was first so; '' where it never was


@dataclass(frozen=True)
class Flips:
    """Two checkpoints of one experiment and seed, problem by problem."""

    experiment: Experiment
    benchmark: str
    metric: ComparisonMetric
    seed: int
    first: Side
    second: Side
    refusal: str  # why there is nothing to list; '' when there is
    waits: bool  # for planned seeds that are still to come: no p until then
    ways: tuple[Way, ...]
    problems: tuple[ProblemMarks, ...]

    @cached_property
    def counts(self) -> PairCounts:
        """How many problems are of each kind."""
        found = Counter(problem.kind for problem in self.problems)
        return PairCounts(found["both"], found["gained"], found["lost"], found["neither"])

    @property
    def delta(self) -> float:
        """Second minus first, as a proportion."""
        return (self.counts.gained - self.counts.lost) / self.counts.problems

    @property
    def level(self) -> float:
        """What its interval covers: 1 − α of the experiment, for this pair by itself."""
        return 1 - self.experiment.alpha

    @property
    def interval(self) -> Interval:
        """Tango's interval of it, at this level."""
        counts = self.counts
        return proportions.tango(counts.gained, counts.lost, counts.problems, level=self.level)

    @property
    def p(self) -> float | None:
        """McNemar's, as the recipe chose it; not adjusted. None where the pair waits."""
        if self.waits:
            return None
        return proportions.MCNEMAR[self.test](self.counts.gained, self.counts.lost)

    @property
    def test(self) -> PairedTest:
        """Which of its forms."""
        return paired_test(self.experiment)

    @property
    def test_name(self) -> str:
        """How it is called."""
        return proportions.MCNEMAR_NAMES[self.test]

    def pattern_counts(self, kind: str = "", since: str = "") -> list[Counter[str]]:
        """How many problems (of one kind, first so after one stage, if given) have each pattern, a way each."""
        return [
            Counter(problem.patterns[way] for problem in self.chosen(kind, since=since, way=way))
            for way in range(len(self.ways))
        ]

    def since_counts(self, kind: str = "", pattern: str = "") -> list[Counter[str]]:
        """How many problems (of one kind and pattern, if given) were first so after each stage, a way each."""
        return [
            Counter(problem.since[way] for problem in self.chosen(kind, pattern, way=way))
            for way in range(len(self.ways))
        ]

    def chosen(
        self, kind: str = "", pattern: str = "", way: int | None = None, since: str = ""
    ) -> list[ProblemMarks]:
        """The problems of a kind that on a way (None: on any of them) have this pattern and were first so after this stage.

        '' chooses all.
        """
        ways = range(len(self.ways)) if way is None else (way,)

        def fits(problem: ProblemMarks) -> bool:
            return kind in ("", problem.kind) and any(
                pattern in ("", problem.patterns[one]) and since in ("", problem.since[one]) for one in ways
            )

        return [problem for problem in self.problems if fits(problem)]

    def texts(self, problems: Iterable[ProblemMarks]) -> dict[str, tuple[Outcome, Outcome]]:
        """Both greedy outcomes of these problems, by problem. One query."""
        assert self.first.tally is not None and self.second.tally is not None
        evaluations = self.first.tally.evaluation, self.second.tally.evaluation
        ids = [problem.id for problem in problems]
        read = Outcome.objects.filter(evaluation__in=evaluations, sample=GREEDY, problem__in=ids)
        found = {(one.evaluation_id, one.problem): one for one in read}
        return {one: (found[evaluations[0], one], found[evaluations[1], one]) for one in ids}


def flips(
    experiment: Experiment,
    *,
    benchmark: str = "",
    metric: str = "accuracy",
    seed: str = "",
    first: tuple[str, str] = ("", ""),
    second: tuple[str, str] = ("", ""),
) -> Flips:
    """Compare `second` with `first`, each a condition and a stage, problem by problem. Seven queries, and a stage table where a planned
    look may have decided what one seed of several is of.

    What is empty is chosen: the baseline against the next condition, after the last stage that both have finished; of
    one condition that stage against the one before.
    Raises ValueError for a name that the experiment does not have.
    """
    conditions = {one.name: one for one in experiment.conditions.all()}
    stages = {one.name: one for one in experiment.stages.all()}
    benchmark = benchmark or experiment.primary_metric
    every = experiment.runs.select_related("condition", "stage")
    every_run = {key_of(run): run for run in every.defer("spec")}
    runs = {key: run.pk for key, run in every_run.items()}
    refuse_unknown("seed", seed or str(experiment.seeds[0]), [str(one) for one in experiment.seeds])
    number = int(seed or experiment.seeds[0])
    refuse_unknown("metric", metric, METRICS)
    tallies = latest_tallies([run for key, run in runs.items() if key[2] == number], benchmark)

    def tally(condition: str, stage: str) -> Tally | None:
        return tallies.get(runs.get((condition, stage, number), 0))

    names = list(conditions)
    a = first[0] or names[0]
    b = second[0] or next((name for name in names if name != a), a)
    for name in (a, b):
        refuse_unknown("condition", name, conditions)
    finished = [name for name in stages if _complete(tally(a, name)) and _complete(tally(b, name))]
    after_b = second[1] or first[1] or (finished or list(stages))[-1]
    refuse_unknown("stage", after_b, stages)
    before = next((name for name, one in stages.items() if one.pk == stages[after_b].after_id), after_b)
    after_a = first[1] or (before if a == b else after_b)
    refuse_unknown("stage", after_a, stages)
    sides = (
        Side(conditions[a], stages[after_a], tally(a, after_a)),
        Side(conditions[b], stages[after_b], tally(b, after_b)),
    )
    refusal = _refusal(*sides, METRICS[metric]) or _same_or_not_alike(
        experiment, every_run, (a, after_a, number), (b, after_b, number)
    )
    evaluated = {stage for _, stage, _ in (key for key, run in runs.items() if run in tallies)}
    line = [name for name in _line(stages, sides) if name in evaluated]
    ways = tuple(
        Way(
            conditions[name],
            tuple(line),
            tuple(
                found.evaluation if (found := tally(name, stage)) and _comparable(found, sides) else None
                for stage in line
            ),
        )
        for name in dict.fromkeys((a, b))
    )
    problems = () if refusal else _problems(sides, ways, METRICS[metric])
    waits = False
    if not refusal:
        pair = every_run[a, after_a, number], every_run[b, after_b, number]
        (waits,) = waiting([pair], every_run.values(), benchmark, metric)
    return Flips(experiment, benchmark, METRICS[metric], number, *sides, refusal, waits, ways, problems)


def _complete(tally: Tally | None) -> bool:
    return tally is not None and tally.complete


def _comparable(tally: Tally, sides: Sequence[Side]) -> bool:
    """Whether a finished evaluation asked the problems of the two that are compared."""
    return tally.complete and all(
        side.tally is not None
        and tally.settings.get("problems_sha256") == side.tally.settings.get("problems_sha256")
        for side in sides
    )


def _refusal(first: Side, second: Side, metric: ComparisonMetric) -> str:
    if first[:2] == second[:2]:
        return "Both are the same checkpoint. Choose another condition or another stage for one of them."
    for side in (first, second):
        if side.tally is not None and side.tally.empty:
            return f"{side.condition.name} after {side.stage.name} was asked no problems: there are none to compare."
        if side.tally is None or not side.tally.complete:
            return f"{side.condition.name} has no finished evaluation after {side.stage.name} yet."
        if side.tally.published is not None:
            return "Only counts were published, not which problems were answered right."
    assert first.tally is not None and second.tally is not None
    reason = why_not_comparable(first.tally, second.tally, metric)
    return f"The two cannot be compared: {reason}." if reason else ""


def _same_or_not_alike(experiment: Experiment, runs: Mapping[Key, StageRun], first: Key, second: Key) -> str:
    """Why two finished checkpoints are not told apart, or must not be compared, as the stage table says it."""
    if first[0] == second[0]:
        return ""
    origins = [run.reused_from_id or run.reused_note or run.pk for run in (runs[first], runs[second])]
    if origins[0] == origins[1]:
        return "Both are the same run: they have its settings and its seed. Choose another condition or another stage for one of them."
    examples = examples_of(runs.values(), kept_examples.of_experiment(experiment))
    reason = examples.why_not_alike(first, second)
    return f"The two cannot be compared: {reason}." if reason else ""


def _line(stages: Mapping[str, Stage], sides: Sequence[Side]) -> list[str]:
    """The stages that lead to the later of the two checkpoints, from the first one on."""
    by_id = {stage.pk: stage for stage in stages.values()}
    lines = []
    for side in sides:
        line, stage = [side.stage.name], side.stage
        while stage.after_id is not None:
            stage = by_id[stage.after_id]
            line.insert(0, stage.name)
        lines.append(line)
    return lines[0] if len(lines[0]) > len(lines[1]) else lines[1]


def _problems(
    sides: Sequence[Side], ways: Sequence[Way], metric: ComparisonMetric
) -> tuple[ProblemMarks, ...]:
    assert all(side.tally is not None for side in sides)
    pair = [side.tally.evaluation for side in sides if side.tally is not None]
    wanted = {*pair, *(one for way in ways for one in way.evaluations if one is not None)}
    said = answers(wanted, metric.column)
    both = sorted(said[pair[0]].keys() & said[pair[1]].keys())
    found = []
    for problem in both:
        marks = tuple(
            tuple(None if one is None else said[one].get(problem) for one in way.evaluations) for way in ways
        )
        kind = _KIND_OF[said[pair[0]][problem], said[pair[1]][problem]]
        since = tuple(_first_after(way.stages, one) for way, one in zip(ways, marks, strict=True))
        found.append(ProblemMarks(problem, kind, marks, tuple(pattern(one) for one in marks), since))
    return tuple(found)


def _first_after(stages: Sequence[str], marks: Sequence[bool | None]) -> str:
    return next((stage for stage, mark in zip(stages, marks, strict=True) if mark), "")
