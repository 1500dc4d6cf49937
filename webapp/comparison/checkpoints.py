"""Checkpoints of any experiments on one benchmark, each compared with the first, and refused where that is not allowed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef

from training.did_you_mean import nearest
from training.recipes.planned_question import PairedTest
from webapp.comparison.alike import settings_differences
from webapp.comparison.alike.kept_examples import examples_of, key_of
from webapp.comparison.cells import Cell, Refusal, SameRun, UnpairedComparison
from webapp.comparison.comparisons import Compared, Comparisons, Key, interim
from webapp.comparison.metrics import METRICS, ComparisonMetric
from webapp.comparison.new_problems import with_new_problems
from webapp.comparison.waiting import waiting
from webapp.experiments.models import Experiment
from webapp.experiments.planned_question import paired_test
from webapp.files.number_text import percent_of_level
from webapp.results.models import Evaluation
from webapp.results.outcome_counts import latest_tallies
from webapp.results.problem_subset import ProblemSubset, problem_subset, restricted
from webapp.runs import kept_examples
from webapp.runs.kept_examples import Recorded
from webapp.runs.models import StageRun
from webapp.statistics.families import Family
from webapp.statistics.proportions import MCNEMAR_NAMES

MOST = 6  # checkpoints in one comparison
AT_FIRST = "accuracy"
TEST: PairedTest = "midp"  # where experiments of different tests meet


@dataclass(frozen=True)
class Pick:
    """One chosen checkpoint, and what else of its experiment could be chosen."""

    experiment: Experiment
    run: StageRun
    options: tuple[StageRun, ...]
    cell: Cell
    other_problems: frozenset[int] = (
        frozenset()
    )  # of the options, runs that were asked other problems than the first pick

    @property
    def name(self) -> str:
        """What tells it from every other checkpoint."""
        run = self.run
        return f"{self.experiment.name}: {run.condition.name} after {run.stage.name}, seed {run.seed}"


@dataclass(frozen=True)
class Across:
    """Chosen checkpoints, the first of which the others are compared with."""

    benchmark: str
    benchmarks: tuple[str, ...]
    metric: ComparisonMetric
    alpha: float
    picks: tuple[Pick, ...]
    comparisons: tuple[Compared | None, ...]  # one a pick; None for the first and where one is not finished
    differences: tuple[settings_differences.SettingDifference, ...]
    digits: int = 1  # as a stage table has, for the cells that are written alike
    imported: bool = False
    counts_pairs: bool = True
    subset: ProblemSubset | None = None  # of the problems, that it is restricted to; None: all of them
    test: PairedTest = (
        TEST  # of the same problems: the one that all their experiments were launched with, where they agree
    )

    @property
    def asked(self) -> str:
        """The benchmark, and which of its problems count."""
        return self.benchmark if self.subset is None else f"{self.benchmark}, {self.subset.title}"

    @property
    def family(self) -> Family | None:
        """What corrects the comparisons for their number; None where there is none."""
        found = [
            one for one in self.comparisons if one is not None and not isinstance(one, Refusal | SameRun)
        ]
        return found[0].family if found else None

    @property
    def _of_subset(self) -> str:
        if self.subset is None:
            return ""
        return f", on {self.subset.title} (published counts are of the problems that they were published of)"

    @property
    def settings_recorded(self) -> bool:
        """Whether any of them has its settings on record; published ones have none."""
        return any(pick.run.spec for pick in self.picks)

    @property
    def how(self) -> str:
        """How they are compared, in sentences: paired, unpaired, or each as it can be."""
        tested = [
            one for one in self.comparisons if one is not None and not isinstance(one, Refusal | SameRun)
        ]
        unpaired = [isinstance(one, UnpairedComparison) for one in tested]
        said = []
        if not all(unpaired):
            said.append(
                f"The same problems: compared problem by problem, Tango’s interval, {MCNEMAR_NAMES[self.test]}."
            )
        if any(unpaired):
            said.append("Published counts: unpaired, Newcombe’s interval, Fisher’s exact.")
        return " ".join(said)

    @property
    def corrections(self) -> str:
        """What corrects them, in a sentence; empty while nothing is compared."""
        if self.family is None:
            return ""
        shared = (
            f"Exploratory: chosen here, not planned{self._of_subset}; tested at α = {self.family.alpha:g}"
        )
        if self.family.tests > 1:
            shared += (
                f", which the {self.family.tests} comparisons share (Bonferroni: {self.family.alone:.3g} each, intervals "
                f"at {percent_of_level(self.family.level)})"
            )
        return f"{shared}.{self._waiting}"

    @property
    def _waiting(self) -> str:
        tested = [one for one in self.comparisons if one and not isinstance(one, Refusal | SameRun)]
        if all(one.verdict.word != "interim" for one in tested):
            return ""
        return " Interim: planned seeds of an experiment are still to come, and before they are in a comparison of single seeds has no p."


def across(chosen: Sequence[tuple[str, str]], benchmark: str = "", problems: str = "") -> Across:
    """Compare the chosen (experiment's name, stage run's id) with the first; an id that does not fit is chosen anew.

    `benchmark` empty: the first experiment's primary one, or one on which the others were asked the same problems; `problems` restricts what ran here to a subset
    (results/problem_subset.py), published counts stay what they are. Raises ValueError for what there is not.
    """
    if len(chosen) > MOST:
        raise ValueError(f"{len(chosen)} checkpoints are too many; choose up to {MOST}")
    names = {name for name, _ in chosen}
    experiments = {one.name: one for one in Experiment.objects.filter(name__in=names)}
    for name in names - experiments.keys():
        known = Experiment.objects.values_list("name", flat=True)[:200]
        raise ValueError(f"there is no experiment {name!r}{nearest(name, known)}")
    every = {run.pk: run for run in _runs(experiments)}
    asked = _asked(every)
    found = tuple(sorted({name for those in asked.values() for name in those}))
    if chosen and not benchmark:
        primary = experiments[chosen[0][0]].primary_metric
        named = [experiments[name] for name, _ in chosen]
        benchmark = next(
            (one for one in (primary, *found) if _meet(named, every.values(), asked, one)), primary
        )
    if chosen and benchmark not in (*found, *(one.primary_metric for one in experiments.values())):
        raise ValueError(f"no experiment here has been evaluated on {benchmark!r}{nearest(benchmark, found)}")
    runs: list[StageRun] = []
    for name, wanted in chosen:
        options = [run for run in every.values() if run.experiment.name == name and run.evaluated]
        wished = [run for run in options if str(run.pk) == wanted]
        others = [run for run in options if run not in runs]
        if not options:
            raise ValueError(f"no checkpoint of {name} has been evaluated yet; choose another experiment")
        alike = [run for run in others if runs and _alike(runs[0], run, asked, benchmark)]
        having = [run for run in others if benchmark in asked[run.pk]]
        runs.append((wished or _nearest_first(runs, alike) or having or others or options)[0])
    tallies = latest_tallies([run.pk for run in runs], benchmark)
    subset = problem_subset(problems, benchmark, tallies.values()) if problems and runs else None
    tallies = restricted(tallies, subset) if subset else tallies
    metric = METRICS[AT_FIRST]
    picks = tuple(
        Pick(
            run.experiment,
            run,
            tuple(one for one in every.values() if one.experiment_id == run.experiment_id and one.evaluated),
            Cell(
                str(i),
                "",
                0,
                metric,
                run.pk,
                run.state,
                tallies.get(run.pk),
                run.reused_note,
                run.reused_from_id,
            ),
            frozenset(
                one.pk
                for one in every.values()
                if one.experiment_id == run.experiment_id and not _alike(runs[0], one, asked, benchmark)
            ),
        )
        for i, run in enumerate(runs)
    )
    alpha = picks[0].experiment.alpha if picks else 0.05
    recorded = kept_examples.of_runs(every.values())
    tests = {paired_test(pick.experiment) for pick in picks if not pick.experiment.imported}
    test = tests.pop() if len(tests) == 1 else TEST
    compared = _compared(picks, benchmark, metric, alpha, test, _not_alike(picks, every.values(), recorded))
    waits = waiting([(runs[0], run) for run in runs[1:]], every.values(), benchmark, metric.name)
    return Across(
        benchmark,
        found,
        metric,
        alpha,
        picks,
        (
            *compared[:1],
            *(
                interim(one) if one and to_come else one
                for one, to_come in zip(compared[1:], waits, strict=True)
            ),
        ),
        settings_differences.between([settings_differences.of(run, every, recorded) for run in runs]),
        subset=subset,
        test=test,
    )


def _runs(experiments: Mapping[str, Experiment]) -> list[Any]:
    """Every stage run of these experiments, the last stages first; `evaluated` where it has a number."""
    has_one = Exists(Evaluation.objects.filter(attempt__stage_run=OuterRef("pk")))
    order = ("experiment", "-stage__position", "condition__position", "seed")
    found = StageRun.objects.filter(experiment__in=experiments.values()).annotate(evaluated=has_one)
    return list(found.select_related("experiment", "stage", "condition").order_by(*order))


def _asked(runs: Mapping[int, StageRun]) -> dict[int, dict[str, set[object]]]:
    """Run → benchmark → the problems that it was asked: their number and their hash. One query."""
    found: dict[int, dict[str, set[object]]] = {pk: {} for pk in runs}
    evaluated = Evaluation.objects.filter(attempt__stage_run__in=runs)
    fields = ("attempt__stage_run", "benchmark", "problems", "settings__problems_sha256")
    for run, benchmark, *problems in evaluated.values_list(*fields):
        found[run].setdefault(benchmark, set()).add(tuple(problems))
    return found


def _alike(
    first: StageRun, second: StageRun, asked: Mapping[int, Mapping[str, set[object]]], benchmark: str
) -> bool:
    """Whether both were asked the same problems; published counts need not be of the same."""
    one, other = (asked[run.pk].get(benchmark, set()) for run in (first, second))
    published = first.experiment.imported or second.experiment.imported
    return bool(one and other) if published else bool(one & other)


def _nearest_first(chosen: Sequence[StageRun], runs: Sequence[StageRun]) -> list[StageRun]:
    """Those of the first one's stage before others, of these those of its seed, of these those of its condition.

    What is the same run as the first comes last.
    """

    def distance(run: StageRun) -> tuple[bool, bool, bool, bool]:
        first = chosen[0]
        return (
            run.computed_by == first.computed_by,
            run.stage.name != first.stage.name,
            run.seed != first.seed,
            run.condition.name != first.condition.name,
        )

    return sorted(runs, key=distance)


def _meet(
    experiments: Sequence[Experiment],
    runs: Iterable[StageRun],
    asked: Mapping[int, Mapping[str, set[object]]],
    benchmark: str,
) -> bool:
    """Whether a checkpoint of each experiment was asked what one of the first was."""
    of: dict[int, set[object]] = {one.pk: set() for one in experiments}
    for run in runs:
        of[run.experiment_id] |= asked[run.pk].get(benchmark, set())
    first = experiments[0]
    return all(
        of[first.pk] and of[one.pk] if first.imported or one.imported else of[first.pk] & of[one.pk]
        for one in experiments
    )


def _not_alike(
    picks: Sequence[Pick], runs: Iterable[StageRun], recorded: Recorded
) -> Callable[[Key, Key], str]:
    """Why two picks of one experiment and seed, which learnt from other examples, are not compared, as its table says it."""
    of = {
        pk: examples_of([run for run in runs if run.experiment_id == pk], recorded)
        for pk in {pick.run.experiment_id for pick in picks}
    }

    def why_not(first: Key, second: Key) -> str:
        one, other = (picks[int(key[0])].run for key in (first, second))
        if (one.experiment_id, one.seed) != (other.experiment_id, other.seed):
            return ""
        return of[one.experiment_id].why_not_alike(key_of(one), key_of(other))

    return why_not


def _compared(
    picks: Sequence[Pick],
    benchmark: str,
    metric: ComparisonMetric,
    alpha: float,
    test: PairedTest,
    not_alike: Callable[[Key, Key], str],
) -> tuple[Compared | None, ...]:
    """Each pick as if it were a condition of one experiment, whose baseline is the first pick.

    What cannot be compared takes no share of α: what there is has to be known before its family is.
    """
    cells = {pick.cell.condition: pick.cell for pick in picks}
    if len(cells) < 2:
        return (None,) * len(cells)
    number = len(cells) - 1
    while True:
        family = Family("exploratory", max(number, 1), alpha)
        table = Comparisons(
            metric,
            list(cells),
            [0],
            test,
            lambda stage, name, family=family: family,  # type: ignore[misc]
            lambda key: cells[key[0]],
            not_alike=not_alike,
        )
        stages = table.of_stages([""])
        tested = sum(not isinstance(one, Refusal | SameRun) for one in stages.values())
        if tested in (number, 0):
            break
        number = tested
    found, _ = with_new_problems(table, benchmark, stages, {})
    return tuple(found.get((name, "", 0)) for name in cells)
