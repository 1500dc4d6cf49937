"""Contrasts seed by seed; and the planned ones that a table's rows have not: what a stage changed, and by how much more."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from training.recipes.planned_question import Contrast
from webapp.comparison.cells import Cell, MeansComparison, Refusal, SeedsComparison, why_not_comparable
from webapp.comparison.comparisons import Compared, Comparisons, Key
from webapp.comparison.new_problems import with_new_problems
from webapp.comparison.roles import Roles
from webapp.results.marks import marked
from webapp.results.token_counts import Measured
from webapp.statistics import amounts, proportions, verdicts

BEFORE = ""  # stands for a condition before the stage; no condition has that name


@dataclass(frozen=True)
class StageContrast:
    """One contrast after a stage, seed by seed and over the seeds: a row's difference from the baseline, or a planned one."""

    kind: Contrast  # of a row always a difference
    stage: str
    start: str | None  # the stage that it starts from
    condition: str
    cells: tuple[tuple[Cell, ...], ...]  # a seed each: what is subtracted first; of an interaction two gains
    seeds: tuple[Compared | None, ...]
    over_seeds: SeedsComparison | None
    equals_difference: bool = False  # an interaction whose conditions start from one run


def planned_contrasts(
    comparisons: Comparisons,
    benchmark: str,
    roles: Roles,
    starts: Mapping[str, str | None],
    seen: Callable[[Cell], bool],
) -> tuple[StageContrast, ...]:
    """The gains or interactions that a table's question is about; none where it is about differences.

    One query a contrast. `starts` has what each stage starts from.
    """
    if not roles.planned or roles.about_differences:
        return ()
    found = []
    for stage, condition in roles.contrasts:
        start = starts[stage]
        assert start is not None
        found.append(_Contrast(comparisons, benchmark, roles, stage, start, condition, seen).made())
    return tuple(found)


@dataclass(frozen=True)
class _Contrast:
    comparisons: Comparisons
    benchmark: str
    roles: Roles
    stage: str
    start: str
    condition: str
    seen: Callable[[Cell], bool]

    def made(self) -> StageContrast:
        cells = tuple(self._cells(seed) for seed in self.comparisons.seeds)
        gain = self.roles.question.contrast == "gain"
        shared = not gain and all(four[0].computed_by == four[2].computed_by for four in cells)
        own = self._own(
            before=gain, largest=2.0 if not gain and self.comparisons.metric.kind != "mean" else None
        )
        values: dict[Key, Measured] | None = None
        if gain or shared:
            compared = own.of_stages([self.stage])
        else:
            compared, values = self._interactions(own)
        together = own.over_seeds([self.stage], compared)
        compared, together = with_new_problems(own, self.benchmark, compared, together, values)
        compared = own.held_back(compared, together)
        over = together.get((self.condition, self.stage))
        seeds = tuple(compared.get((self.condition, self.stage, seed)) for seed in own.seeds)
        question = self.roles.question
        return StageContrast(
            question.contrast, self.stage, self.start, self.condition, cells, seeds, over, shared
        )

    def _cells(self, seed: int) -> tuple[Cell, ...]:
        names = [self.condition]
        if self.roles.question.contrast == "interaction":
            names.insert(0, self.comparisons.conditions[0])
        return tuple(
            self.comparisons.cell((name, stage, seed)) for name in names for stage in (self.start, self.stage)
        )

    def _own(self, *, before: bool, largest: float | None) -> Comparisons:
        """Comparisons of this contrast alone; `before`: with the condition's own start in the baseline's place."""
        family = self.roles.primary

        def cell(key: Key) -> Cell:
            if key[0] == BEFORE:
                return self.comparisons.cell((self.condition, self.start, key[2]))
            return self.comparisons.cell(key)

        return replace(
            self.comparisons,
            conditions=(BEFORE if before else self.comparisons.conditions[0], self.condition),
            family=lambda stage, condition: family,
            cell=cell,
            seen=lambda key: any(map(self.seen, self._cells(key[2]))),
            largest=largest,
        )

    def _interactions(self, own: Comparisons) -> tuple[dict[Key, Compared], dict[Key, Measured]]:
        """The difference of both gains in each problem, −2 to 2 for shares, where all four evaluations are there.

        With what they were compared by: one difference a problem.
        """
        metric, family = own.metric, own.of_one_seed(self.roles.primary)
        fours = {seed: self._cells(seed) for seed in own.seeds}
        fours = {seed: four for seed, four in fours.items() if all(cell.complete for cell in four)}
        compared: dict[Key, Compared] = {}
        differences: dict[Key, Measured] = {}
        marks = {}
        if metric.kind == "share":
            marks = marked(
                [cell.result.evaluation for four in fours.values() for cell in four], metric.column
            )
        for seed, four in fours.items():
            key = (self.condition, self.stage, seed)
            first = four[0].result
            reasons = [why_not_comparable(first, cell.result, metric) for cell in four[1:]]
            places = [(cell.condition, cell.stage, cell.seed) for cell in (four[1], four[3])]
            reasons.append(own.not_alike(places[0], places[1]))
            if reason := next(filter(None, reasons), ""):
                compared[key] = Refusal(*key, reason)
                continue
            each = [marks[cell.result.evaluation].values if marks else cell.each for cell in four]
            asked = {marks[cell.result.evaluation].problems if marks else cell.problems for cell in four}
            if len(asked) > 1:
                compared[key] = Refusal(*key, "not all four evaluations asked the same problems")
                continue
            values = (each[3] - each[2]) - (each[1] - each[0])
            differences[key] = Measured(asked.pop(), values)
            if metric.kind == "mean":
                mean = amounts.amount_difference(values, family.level)
            else:
                mean = proportions.mean_difference(values, family.level, 2.0)
            verdict = verdicts.checkpoints_verdict(mean.p, family, seen=own.seen(key))
            compared[key] = MeansComparison(
                *key, mean.problems, mean.mean, mean.interval, mean.p, family, verdict
            )
        return compared, differences
