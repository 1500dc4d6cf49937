"""The stage table: every condition after every stage, compared in pairs, problem by problem."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from training.did_you_mean import nearest
from training.recipes.planned_question import Design, PairedTest
from training.stages import kind
from webapp.comparison.alike.kept_examples import ExamplesOfRuns
from webapp.comparison.cells import Cell, SeedsComparison
from webapp.comparison.comparisons import Compared, Comparisons, Fate, Key, fate_of
from webapp.comparison.contrasts import StageContrast, planned_contrasts
from webapp.comparison.metrics import ComparisonMetric, metrics
from webapp.comparison.new_problems import cluster_variable, with_new_problems
from webapp.comparison.roles import Roles, roles, share_a_run
from webapp.comparison.seen import computed_before
from webapp.comparison.stage_rows import SeedRow, StagePosition, StageRow, means
from webapp.experiments.models import Experiment
from webapp.experiments.planned_question import asked_at, paired_test, planned_question
from webapp.results.outcome_counts import Tally, latest_tallies
from webapp.results.problem_subset import ProblemSubset, problem_subset, restricted
from webapp.results.samples import Sampled, sampled
from webapp.results.token_counts import Measured, measured
from webapp.runs import kept_examples
from webapp.runs.code_versions import Versions, of_experiment
from webapp.runs.models import StageRun
from webapp.statistics.planned_seeds import SeedPlan
from webapp.statistics.proportions import MCNEMAR_NAMES


@dataclass(frozen=True)
class StageTable:
    """All stages of an experiment on one benchmark."""

    experiment: Experiment
    benchmark: str
    benchmarks: tuple[str, ...]  # that the experiment runs
    metric: ComparisonMetric
    metrics: tuple[ComparisonMetric, ...]  # that the benchmark has
    samples: int  # most that are drawn for a problem; 0: greedy completions alone
    conditions: tuple[str, ...]  # the baseline first
    positions: Mapping[str, int]  # of the conditions at launch, which decide their colours
    seeds: tuple[int, ...]
    roles: Roles  # which family each comparison is in
    test: PairedTest  # of right and wrong in one seed
    rows: tuple[StageRow, ...]
    contrasts: tuple[StageContrast, ...]  # of the planned question, where it is about gains or interactions
    examples: ExamplesOfRuns  # that each run kept
    plan: SeedPlan  # which seeds decide
    fate: Callable[[Key], Fate]  # of a run that has no result
    subset: ProblemSubset | None = None  # that it is restricted to, which nobody planned; None: all problems

    @cached_property
    def versions(self) -> Versions:
        """The versions of the code that computed it. One query."""
        return of_experiment(self.experiment)

    @property
    def asked(self) -> str:
        """The benchmark, and which of its problems count: 'gsm8k, the first 500 problems'."""
        return self.benchmark if self.subset is None else f"{self.benchmark}, {self.subset.title}"

    @property
    def clusters(self) -> str:
        """What the benchmark's problems share, in the plural; empty: nothing that is known."""
        variable = cluster_variable(self.benchmark)
        return variable.name if variable else ""

    @property
    def alpha(self) -> float:
        """The level that was fixed at launch."""
        return self.roles.alpha

    @property
    def baseline(self) -> str:
        """The condition that the others are compared with."""
        return self.conditions[0]

    @property
    def imported(self) -> bool:
        """True for published counts, which no run here made."""
        return self.experiment.imported

    @property
    def test_name(self) -> str:
        """How the test of one seed's right and wrong is called."""
        return MCNEMAR_NAMES[self.test]

    @property
    def counts_pairs(self) -> bool:
        """Whether problems are gained and lost: said yes or no of, one by one."""
        return not self.imported and self.metric.kind == "share"

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

    def last_changes(self) -> list[tuple[Cell, Cell]]:
        """Each cell of a last stage that changes its parent's checkpoint, behind the cell of that parent."""
        cells = {(cell.condition, cell.stage, cell.seed): cell for cell in self.cells()}
        return [
            (before, after)
            for row in self.rows
            if row.changes_parent and row.after
            for seed in row.seeds
            for after in seed.cells
            if (before := cells.get((after.condition, row.after, after.seed)))
        ]

    @property
    def others(self) -> tuple[str, ...]:
        """The conditions that are compared with it."""
        return self.conditions[1:]

    @property
    def several_seeds(self) -> bool:
        """True when conditions, not only checkpoints, are compared."""
        return len(self.seeds) > 1

    @property
    def deciding(self) -> list[StageContrast]:
        """The contrasts that the planned question is about; none where there is nothing to set a condition against."""
        every = (one for row in self.rows for one in row.differences)
        primary = [one for one in every if self.roles.is_primary(one.stage, one.condition)]
        return [*self.contrasts, *primary]

    def cells(self) -> Iterator[Cell]:
        """Every cell, in the order of the rows."""
        return (cell for row in self.rows for seed in row.seeds for cell in seed.cells)

    @property
    def complete(self) -> bool:
        """True when every cell has its number."""
        return all(cell.complete for cell in self.cells())


def stage_table(
    experiment: Experiment,
    *,
    benchmark: str | None = None,
    baseline: str | None = None,
    metric: str | None = None,
    problems: str | None = None,
) -> StageTable:
    """Build the table of a benchmark against a baseline (None: the first condition); None: as the planned question has it.

    `problems` restricts it to a subset (results/problem_subset.py), which makes all of it exploratory. Ten queries at
    most, and four for a subset. Raises ValueError for an unknown benchmark, baseline, metric or subset.
    """
    positions = {condition.name: condition.position for condition in experiment.conditions.all()}
    conditions = list(positions)
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
            "identity",
        )
    )
    planned = {run[3]: {one["benchmark"]: one.get("samples", 0) for one in run[5] or []} for run in runs}
    benchmarks = tuple(dict.fromkeys([name for names in planned.values() for name in names]))
    question = planned_question(experiment)
    benchmark, metric = benchmark or question.benchmark, metric or question.metric
    baseline = baseline or conditions[0]
    refuse_unknown("benchmark", benchmark, {*benchmarks, question.benchmark})
    refuse_unknown("baseline", baseline, conditions)
    samples = max((of.get(benchmark, 0) for of in planned.values()), default=0)
    known = metrics(samples)
    refuse_unknown("metric", metric, known)
    tallies = latest_tallies(planned, benchmark)
    if problems and experiment.imported:
        raise ValueError(
            "problems: published counts are of the problems that they are of; restrict a run here"
        )
    subset = problem_subset(problems, benchmark, tallies.values()) if problems else None
    tallies = restricted(tallies, subset) if subset else tallies
    ordered = (baseline, *(name for name in conditions if name != baseline))
    evaluated = {stage for _, stage, _, run, *_ in runs if benchmark in planned[run]}
    origins = {
        (condition, stage, seed): source or reused or run
        for condition, stage, seed, run, _, _, reused, source, _ in runs
    }
    name_of = {stage.id: stage.name for stage in stages}
    design = Design(
        conditions,
        {stage.name: name_of[stage.after_id] if stage.after_id else None for stage in stages},
        frozenset(stage.name for stage in stages if kind(stage.kind).leaves_checkpoint),
        {stage.name: samples for stage in stages if stage.name in evaluated},
    )
    asked = roles(
        question,
        design,
        alpha=experiment.alpha,
        planned=not experiment.imported
        and subset is None
        and (benchmark, metric, baseline) == (question.benchmark, question.metric, conditions[0]),
        stages=[stage for stage in design.parents if stage in evaluated],
        others=ordered[1:],
        same=share_a_run(origins, baseline),
    )
    asked_when = asked_at(experiment) if asked.planned else None
    rests_on = {
        name for stage, _ in asked.contrasts for name in (stage, design.parents[stage])
    }  # stages, with those that gains start from
    builder = _Builder(
        benchmark=benchmark,
        metric=known[metric],
        conditions=ordered,
        seeds=tuple(experiment.seeds),
        roles=asked,
        test=paired_test(experiment),
        asked_at=asked_when,
        computed_before=computed_before(
            {run[3]: run[8] for run in runs if run[1] in rests_on}, benchmark, asked_when
        )
        if asked_when
        else frozenset(),
        plan=SeedPlan(question.decide(len(experiment.seeds)), question.interim),
        starts=design.parents,
        runs={
            (condition, stage, seed): (run, state, reused, source)
            for condition, stage, seed, run, state, _, reused, source, _ in runs
        },
        tallies=tallies,
        sampled=sampled(tallies.values()) if known[metric].k is not None else {},
        measured=_measured(tallies, known[metric]),
        examples=ExamplesOfRuns(
            {} if experiment.imported else kept_examples.of_experiment(experiment),
            {(condition, stage, seed): run for condition, stage, seed, run, *_ in runs},
            design.parents,
        ),
    )
    followed = {stage.after_id for stage in stages}
    places = [
        StagePosition(
            stage.name,
            stage.kind,
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
        metric=known[metric],
        metrics=tuple(known.values()),
        samples=samples,
        conditions=ordered,
        positions=positions,
        seeds=builder.seeds,
        roles=asked,
        test=builder.test,
        rows=builder.rows(places),
        contrasts=builder.planned(),
        examples=builder.examples,
        plan=builder.plan,
        fate=builder.fate,
        subset=subset,
    )


@dataclass(frozen=True)
class _Builder:
    """Cells first, then their comparisons, then the rows."""

    benchmark: str
    metric: ComparisonMetric
    conditions: tuple[str, ...]
    seeds: tuple[int, ...]
    roles: Roles
    test: PairedTest
    asked_at: datetime | None
    computed_before: frozenset[int]  # runs that compute again what could be seen when it was asked
    plan: SeedPlan
    starts: Mapping[str, str | None]  # what each stage starts from
    runs: Mapping[Key, tuple[int, str, str, int | None]]  # id, state, what it is reused from
    tallies: Mapping[int, Tally]
    sampled: Mapping[int, Sampled]  # by evaluation
    measured: Mapping[int, Measured]  # by evaluation
    examples: ExamplesOfRuns

    def rows(self, places: list[StagePosition]) -> tuple[StageRow, ...]:
        names = [place.stage for place in places]
        comparisons = self._comparisons()
        compared = comparisons.of_stages(names)
        over_seeds = comparisons.over_seeds(names, compared)
        compared, over_seeds = with_new_problems(comparisons, self.benchmark, compared, over_seeds)
        compared = comparisons.held_back(compared, over_seeds)
        return tuple(self._row(place, compared, over_seeds) for place in places)

    def planned(self) -> tuple[StageContrast, ...]:
        """What the question asks beside differences."""
        return planned_contrasts(self._comparisons(), self.benchmark, self.roles, self.starts, self._is_old)

    def _comparisons(self) -> Comparisons:
        return Comparisons(
            self.metric,
            self.conditions,
            self.seeds,
            self.test,
            self.roles.of,
            self._cell,
            self._was_seen,
            self.plan,
            self.fate,
            self.examples.why_not_alike,
        )

    def fate(self, key: Key) -> Fate:
        """Of a run that is over without a result."""
        condition, stage, seed = key
        states, at = [], stage or None
        while at is not None:
            states.append(self.runs.get((condition, at, seed), (None, "", "", None))[1])
            at = self.starts[at]
        return fate_of(states)

    def _was_seen(self, key: Key) -> bool:
        condition, stage, seed = key
        pair = self._cell((self.conditions[0], stage, seed)), self._cell(key)
        return self.roles.is_primary(stage, condition) and any(map(self._is_old, pair))

    def _is_old(self, cell: Cell) -> bool:
        """Whether its outcomes were there before the question was asked, here or in another run of its identity."""
        if self.asked_at is None or cell.tally is None:
            return False
        return cell.tally.at < self.asked_at or cell.run in self.computed_before

    def _row(
        self,
        place: StagePosition,
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
        together = tuple(over_seeds.get((name, stage)) for name in others) if several else ()
        return StageRow(
            *place,
            seeds=seeds,
            means=means(seeds, together, self.seeds[: self.plan.seeds]) if several else (),
            over_seeds=together,
        )

    def _cell(self, key: Key) -> Cell:
        run, state, reused, source = self.runs.get(key, (None, "", "", None))
        tally = self.tallies.get(run) if run is not None else None
        drawn = self.sampled.get(tally.evaluation) if tally else None
        amounts = self.measured.get(tally.evaluation) if tally else None
        return Cell(*key, self.metric, run, state, tally, reused, source, drawn, amounts)


def _measured(tallies: Mapping[int, Tally], metric: ComparisonMetric) -> Mapping[int, Measured]:
    """The amounts of the finished evaluations, for a metric that is one."""
    finished = [one for one in tallies.values() if one.complete and one.published is None]
    if metric.kind != "mean" or not finished:
        return {}
    return measured([one.evaluation for one in finished], metric.column, finished[0].subset)


def refuse_unknown(what: str, name: str, known: object) -> None:
    """Raise ValueError with the nearest name unless it is one of those known."""
    assert isinstance(known, set | list | dict)
    if name not in known:
        raise ValueError(f"there is no {what} {name!r} in this experiment{nearest(name, known)}")
