"""The stage table: every condition after every stage, compared in pairs, problem by problem."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from training.names import nearest
from webapp.experiments.models import Experiment
from webapp.results import statistics
from webapp.results.cells import (
    METRICS,
    Cell,
    Comparison,
    Metric,
    Refusal,
    SeedsComparison,
    UnpairedComparison,
    why_not_comparable,
)
from webapp.results.querysets import PairCounts, Tally, latest_tallies, pair_counts
from webapp.runs.models import StageRun

Compared = Comparison | UnpairedComparison | Refusal


@dataclass(frozen=True)
class SeedRow:
    """One stage with one seed; cells in the order of the table's conditions, comparisons of its others."""

    seed: int
    cells: tuple[Cell, ...]
    comparisons: tuple[Compared | None, ...]


@dataclass(frozen=True)
class StageRow:
    """One stage: a row a seed, and what the seeds say together."""

    stage: str
    label: str  # what a publication calls it
    after: str | None  # the stage that it starts from
    last: bool  # no stage follows it
    seeds: tuple[SeedRow, ...]
    means: tuple[float | None, ...]  # a condition each, over the finished seeds; empty with one seed
    over_seeds: tuple[SeedsComparison | None, ...]  # of the other conditions; empty with one seed


@dataclass(frozen=True)
class StageTable:
    """All stages of an experiment on one benchmark."""

    experiment: Experiment
    benchmark: str
    benchmarks: tuple[str, ...]  # that the experiment runs
    metric: Metric
    conditions: tuple[str, ...]  # the baseline first
    seeds: tuple[int, ...]
    alpha: float
    tests: int  # planned, for one seed: what Holm adjusts over
    rows: tuple[StageRow, ...]

    @property
    def baseline(self) -> str:
        """The condition that the others are compared with."""
        return self.conditions[0]

    @property
    def imported(self) -> bool:
        """True for published counts, which no run here made."""
        return self.experiment.imported

    @property
    def digits(self) -> int:
        """Decimals of a percentage: published ones keep theirs."""
        return 2 if self.imported else 1

    @property
    def sizes(self) -> dict[str, tuple[int, ...]]:
        """How many problems each stage was evaluated on; empty when all were on as many."""
        found = {
            row.stage: tuple(
                dict.fromkeys(
                    cell.result.problems for seed in row.seeds for cell in seed.cells if cell.complete
                )
            )
            for row in self.rows
        }
        return {} if len({n for sizes in found.values() for n in sizes}) < 2 else found

    @property
    def others(self) -> tuple[str, ...]:
        """The conditions that are compared with it."""
        return self.conditions[1:]

    @property
    def several_seeds(self) -> bool:
        """True when conditions, not only checkpoints, are compared."""
        return len(self.seeds) > 1

    def cells(self) -> Iterator[Cell]:
        """Every cell, in the order of the rows."""
        return (cell for row in self.rows for seed in row.seeds for cell in seed.cells)

    @property
    def complete(self) -> bool:
        """True when every cell has its number."""
        return all(cell.complete for cell in self.cells())


Key = tuple[str, str, int]  # condition, stage, seed


class Counts(NamedTuple):
    """What is known of two evaluations that only counts were published of."""

    first: int
    first_problems: int
    second: int
    second_problems: int


class Place(NamedTuple):
    """Where a stage stands in the tree: its names, what it starts from, whether nothing follows."""

    stage: str
    label: str
    after: str | None
    last: bool


def stage_table(
    experiment: Experiment,
    *,
    benchmark: str | None = None,
    baseline: str | None = None,
    metric: str = "accuracy",
) -> StageTable:
    """Build the table of a benchmark (None: the primary one) against a baseline (None: the first condition).

    Five queries, whatever the size. Raises ValueError for an unknown benchmark, baseline or metric.
    """
    conditions = [condition.name for condition in experiment.conditions.all()]
    stages = list(experiment.stages.all())
    runs = list(
        StageRun.objects.filter(experiment=experiment)
        .order_by("id")
        .values_list(
            "condition__name",
            "stage__name",
            "seed",
            "id",
            "state",
            "spec__benchmarks",
            "reused_note",
            "reused_from",
        )
    )
    planned = {run[3]: [item["benchmark"] for item in run[5] or []] for run in runs}
    benchmarks = tuple(dict.fromkeys([name for names in planned.values() for name in names]))
    benchmark = benchmark or experiment.primary_metric
    baseline = baseline or conditions[0]
    _refuse_unknown("benchmark", benchmark, {*benchmarks, experiment.primary_metric})
    _refuse_unknown("baseline", baseline, conditions)
    _refuse_unknown("metric", metric, METRICS)
    ordered = (baseline, *(name for name in conditions if name != baseline))
    evaluated = {stage for _, stage, _, run, *_ in runs if benchmark in planned[run]}
    builder = _Builder(
        metric=METRICS[metric],
        conditions=ordered,
        seeds=tuple(experiment.seeds),
        alpha=experiment.alpha,
        tests=len(evaluated) * (len(ordered) - 1),
        runs={
            (condition, stage, seed): (run, state, reused, source)
            for condition, stage, seed, run, state, _, reused, source in runs
        },
        tallies=latest_tallies(planned, benchmark),
    )
    followed = {stage.after_id for stage in stages}
    name_of = {stage.id: stage.name for stage in stages}
    places = [
        Place(
            stage.name,
            stage.label,
            name_of[stage.after_id] if stage.after_id else None,
            stage.id not in followed,
        )
        for stage in stages
        if stage.name in evaluated
    ]
    return StageTable(
        experiment=experiment,
        benchmark=benchmark,
        benchmarks=benchmarks or (benchmark,),
        metric=METRICS[metric],
        conditions=ordered,
        seeds=builder.seeds,
        alpha=builder.alpha,
        tests=builder.tests,
        rows=builder.rows(places),
    )


@dataclass(frozen=True)
class _Builder:
    """Cells first, then all pairs in one query, then the adjustment over stages."""

    metric: Metric
    conditions: tuple[str, ...]
    seeds: tuple[int, ...]
    alpha: float
    tests: int
    runs: Mapping[Key, tuple[int, str, str, int | None]]  # id, state, what it is reused from
    tallies: Mapping[int, Tally]

    def rows(self, places: list[Place]) -> tuple[StageRow, ...]:
        names = [place.stage for place in places]
        compared = self._compared(names)
        over_seeds = self._over_seeds(names, compared)
        return tuple(self._row(place, compared, over_seeds) for place in places)

    def _row(
        self,
        place: Place,
        compared: Mapping[Key, Compared],
        over_seeds: Mapping[tuple[str, str], SeedsComparison],
    ) -> StageRow:
        stage, others, several = place.stage, self.conditions[1:], len(self.seeds) > 1
        seeds = tuple(
            SeedRow(
                seed,
                tuple(self._cell((name, stage, seed)) for name in self.conditions),
                tuple(compared.get((name, stage, seed)) for name in others),
            )
            for seed in self.seeds
        )
        return StageRow(
            *place,
            seeds=seeds,
            means=tuple(self._mean(name, stage) for name in self.conditions) if several else (),
            over_seeds=tuple(over_seeds.get((name, stage)) for name in others) if several else (),
        )

    def _cell(self, key: Key) -> Cell:
        run, state, *reused = self.runs.get(key, (None, "", "", None))
        tally = self.tallies.get(run) if run is not None else None
        return Cell(*key, self.metric, run, state, tally, *reused)

    def _mean(self, condition: str, stage: str) -> float | None:
        cells = [self._cell((condition, stage, seed)) for seed in self.seeds]
        rates = [cell.rate for cell in cells if cell.complete]
        return fmean(rates) if rates else None

    def _compared(self, stages: list[str]) -> dict[Key, Compared]:
        """Every comparison or refusal of two finished cells."""
        refused: dict[Key, Refusal] = {}
        pairs: dict[Key, tuple[int, int]] = {}
        unpaired: dict[Key, Counts] = {}
        for stage in stages:
            for seed in self.seeds:
                first = self._cell((self.conditions[0], stage, seed))
                for name in self.conditions[1:]:
                    second = self._cell((name, stage, seed))
                    if not (first.complete and second.complete):
                        continue
                    if reason := why_not_comparable(first.result, second.result):
                        refused[name, stage, seed] = Refusal(name, stage, seed, reason)
                    elif first.result.published is not None or second.result.published is not None:
                        if first.count is None or second.count is None:
                            reason = "only rates were published, no counts to test"
                            refused[name, stage, seed] = Refusal(name, stage, seed, reason)
                        else:
                            unpaired[name, stage, seed] = Counts(
                                first.count, first.result.problems, second.count, second.result.problems
                            )
                    else:
                        pairs[name, stage, seed] = (first.result.evaluation, second.result.evaluation)
        counted = pair_counts(pairs.values(), self.metric.column)
        for key, pair in pairs.items():
            counts = counted.get(pair, PairCounts(0, 0, 0, 0))
            problems = self.tallies[self.runs[key][0]].problems
            if counts.problems < problems:
                reason = f"only {counts.problems} of {problems} problems are in both evaluations"
                refused[key] = Refusal(*key, reason)
        tested = {key: counted[pair] for key, pair in pairs.items() if key not in refused}
        return {**refused, **self._tested({**tested, **unpaired})}

    def _tested(
        self, counted: Mapping[Key, PairCounts | Counts]
    ) -> dict[Key, Comparison | UnpairedComparison]:
        comparisons: dict[Key, Comparison | UnpairedComparison] = {}
        for seed in self.seeds:
            keys = [key for key in counted if key[2] == seed]
            p_values = [
                statistics.mcnemar(counts.gained, counts.lost)
                if isinstance(counts := counted[key], PairCounts)
                else statistics.fisher(*counts)
                for key in keys
            ]
            for key, p, adjusted in zip(keys, p_values, statistics.holm(p_values, self.tests), strict=True):
                assert adjusted is not None
                counts = counted[key]
                if isinstance(counts, PairCounts):
                    interval = statistics.tango(counts.gained, counts.lost, counts.problems)
                    verdict = statistics.checkpoints_verdict(adjusted, interval, self.alpha)
                    comparisons[key] = Comparison(*key, counts, interval, p, adjusted, verdict)
                else:
                    interval = statistics.newcombe_unpaired(*counts)
                    verdict = statistics.checkpoints_verdict(adjusted, interval, self.alpha)
                    comparisons[key] = UnpairedComparison(*key, *counts, interval, p, adjusted, verdict)
        return comparisons

    def _over_seeds(
        self, stages: list[str], compared: Mapping[Key, Compared]
    ) -> dict[tuple[str, str], SeedsComparison]:
        """What the seeds say together, where two or more are finished; their problems are never pooled."""
        differences: dict[tuple[str, str], tuple[float, ...]] = {}
        for stage in stages:
            for name in self.conditions[1:]:
                found = [compared.get((name, stage, seed)) for seed in self.seeds]
                deltas = tuple(one.delta for one in found if isinstance(one, Comparison))
                if len(deltas) > 1:
                    differences[name, stage] = deltas
        results = {key: statistics.over_seeds(deltas) for key, deltas in differences.items()}
        adjusted = statistics.holm([result.p for result in results.values()], self.tests)
        return {
            key: SeedsComparison(
                *key,
                differences[key],
                result,
                adjusted_p,
                statistics.conditions_verdict(result, adjusted_p, len(differences[key]), self.alpha),
            )
            for (key, result), adjusted_p in zip(results.items(), adjusted, strict=True)
        }


def _refuse_unknown(what: str, name: str, known: object) -> None:
    assert isinstance(known, set | list | dict)
    if name not in known:
        raise ValueError(f"there is no {what} {name!r} in this experiment{nearest(name, known)}")
