"""The columns of an evaluation and of a comparison: each is described here, for programs, for people and for pages."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from training.recipes.planned_question import Contrast
from webapp.comparison.cells import (
    Cell,
    Comparison,
    MeansComparison,
    Refusal,
    SameRun,
    SeedsComparison,
    UnpairedComparison,
)
from webapp.comparison.comparisons import Compared
from webapp.comparison.metrics import ComparisonMetric
from webapp.comparison.new_problems import cluster_variable
from webapp.comparison.sentences.wording import difference, difference_interval, value
from webapp.comparison.table import StageTable
from webapp.experiments.models import Experiment
from webapp.files.number_text import p_value, percent, percent_of_level
from webapp.files.table import Column
from webapp.results.outcome_counts import NO_PROBLEMS
from webapp.results.samples import planned_samples

Found = Compared | SeedsComparison | None  # what stands beside a baseline
TESTED = (Comparison, MeansComparison, UnpairedComparison, SeedsComparison)
GAINED_LOST = "gained / lost"  # title of a column that not every table has
NEW_PROBLEMS = "for new problems"  # of one that only pages have: in files the interval says it
DRAWN = "Δ drawn"  # of another
ADJUSTED_P = "adjusted p"  # of one that the stage table's page has below p
INTERVAL, VERDICT = "interval", "verdict"


def _mean(column: str) -> Callable[[Cell], float | None]:
    """The mean of one of Tally's columns over the completions; None: not published."""
    return lambda cell: cell.result.mean(column)


def _equations_right(cell: Cell) -> float | None:
    """Share of the written equations that hold; None where none was written."""
    written, right = cell.result.steps_written, cell.result.steps_right
    return right / written if written and right is not None else None


# The detail metrics of a finished evaluation: a row is a Cell. One more line here stands on the page, in files and report.
DETAILS = (
    Column("mul_tokens_per_response", "number", "Mul-tokens per completion", "{:.3f}".format, _mean("mul_tokens")),
    Column("repetition_rate", "number", "Repetition", percent, _mean("repeats"), unit="%"),
    Column("hit_limit_rate", "number", "Hit limit", percent, _mean("hit_limit"), unit="%"),
    Column("mean_tokens", "number", "Tokens per completion", "{:.1f}".format, _mean("tokens")),
    Column("steps_right_rate", "number", "All steps right", percent, _mean("all_steps_right"), unit="%"),
    Column("equations_right", "number", "Equations right", percent, _equations_right, unit="%",
           note="{0.result.steps_right:,}/{0.result.steps_written:,}".format),
)  # fmt: skip
COUNTED = (  # what programs get of them: counts in place of the share of equations
    *(column for column in DETAILS if column.name != "equations_right"),
    Column("steps_written", "integer", value="result.steps_written"),
    Column("steps_right", "integer", value="result.steps_right"),
)
OTHERWISE: dict[str, dict[str, Any]] = {  # in the report, where they are the rows, with means over seeds
    "mul_tokens_per_response": {"write": "{:.2f}".format},
    "repetition_rate": {"title": "Repetition rate"},
    "hit_limit_rate": {"title": "Hit token limit"},
    "steps_right_rate": {"title": "All written steps right"},
    "equations_right": {"title": "Written equations right"},
}
IN_REPORT = tuple(replace(column, **OTHERWISE.get(column.name, {})) for column in DETAILS)


@dataclass(frozen=True)
class ComparisonRow:
    """One evaluation, or one mean over seeds, with its comparison: a row for programs."""

    experiment: Experiment
    benchmark: str
    metric: ComparisonMetric
    stage: str
    condition: str
    seed: int | None  # None: of the mean over the seeds
    exported_at: datetime
    code_version: str
    cell: Cell | None = None  # None: not finished, or a mean
    empty: bool = False  # the evaluation asked no problem
    mean: float | None = None
    baseline: str | None = None
    compared: Found = None
    contrast: Contrast | None = None  # what `compared` is about; None: not compared
    start: str | None = None  # of a gain or an interaction the stage that it starts from
    subset: str | None = None  # of problems, as it was written; None: all

    @property
    def over_seeds(self) -> bool:
        """Whether it is a mean over the seeds."""
        return self.seed is None

    @property
    def rate(self) -> float | None:
        """The metric's number."""
        return self.cell.rate if self.cell else self.mean

    @property
    def accuracy(self) -> float | None:
        """Whatever the metric; of a mean only where accuracy is the metric."""
        return self.cell.accuracy if self.cell else self.mean if self.metric.name == "accuracy" else None

    def compared_as(self, *kinds: type) -> Any:
        """The comparison where it is of one of these kinds."""
        return self.compared if isinstance(self.compared, kinds) else None

    @property
    def cluster_variable(self) -> str | None:
        """What the problems of a cluster share, where clusters were drawn."""
        tested = self.tested
        variable = cluster_variable(self.benchmark)
        drawn = tested is not None and tested.new_problems is not None and tested.new_problems.clusters
        return variable.name if variable and drawn else None

    tested = property(lambda self: self.compared_as(*TESTED))
    pairs = property(lambda self: self.compared_as(Comparison))
    means = property(lambda self: self.compared_as(MeansComparison))
    counts = property(lambda self: self.compared_as(UnpairedComparison))
    seeds = property(lambda self: self.compared_as(SeedsComparison))
    refusal = property(lambda self: self.compared_as(Refusal))


def to_the_second(at: datetime | None) -> datetime:
    """When something is exported; None: now."""
    return (at or datetime.now(UTC)).replace(microsecond=0)


def of_the_table(table: StageTable) -> list[Column]:
    """What all rows of a table have in common."""
    return [
        Column("experiment", "text", value=lambda row: table.experiment.name),
        Column("benchmark", "text", value=lambda row: table.benchmark),
        Column("problem_subset", "text", value=lambda row: table.subset.written if table.subset else None),
    ]


def exported(at: datetime | None) -> Column:
    """When all rows are exported."""
    moment = to_the_second(at)
    return Column("exported_at", "time", value=lambda row: moment)


def temperature(cell: Cell | None) -> float | None:
    """What an evaluation's samples were drawn at."""
    found = cell.tally.settings.get("temperature") if cell and cell.tally else None
    return found if isinstance(found, float) else None


def _of_cell(read: Callable[[Cell], Any]) -> Callable[[ComparisonRow], Any]:
    return lambda record: None if record.cell is None else read(record.cell)


def _counted(read: Callable[[Cell], int | None]) -> Callable[[ComparisonRow], int | None]:
    """Of an evaluation that asked no problem it is 0."""
    return lambda record: 0 if record.empty else _of_cell(read)(record)


# A row is a ComparisonRow. Proportions are 0…1 in full precision; of an amount rate, delta and intervals are in its unit.
COLUMNS = (
    Column("experiment", "text", value="experiment.name"),
    Column("recipe", "text", value="experiment.recipe_name"),
    Column("code_version", "text"),
    Column("benchmark", "text"),
    Column("problems_sha256", "text", value=_of_cell(lambda cell: str(cell.result.settings.get("problems_sha256", "")))),
    Column("problem_subset", "text", value="subset"),  # that it is restricted to, as it was written; None: all problems
    Column("metric", "text", value="metric.name"),
    Column("stage", "text"),
    Column("condition", "text"),
    Column("baseline", "text"),
    Column("seed", "integer"),
    Column("over_seeds", "truth"),  # of the mean over the seeds, which has no seed
    Column("correct", "integer", value=_counted(lambda cell: cell.result.count("correct"))),
    Column("problems", "integer", value=_counted(lambda cell: cell.result.problems or None)),
    Column("accuracy", "number"),
    Column("count", "integer", value="cell.count"),  # of the metric: equal to correct where that is accuracy
    Column("rate", "number"),
    Column("wilson_low", "number", value="cell.interval.low"),
    Column("wilson_high", "number", value="cell.interval.high"),
    Column("delta", "number", value="tested.delta"),
    Column("delta_low", "number", value="tested.interval.low"),
    Column("delta_high", "number", value="tested.interval.high"),
    Column("pairing", "text", value="tested.pairing"),  # paired, problem by problem; or unpaired, from counts alone
    Column("mcnemar_p", "number", value="pairs.p"),
    Column("means_p", "number", value="means.p"),  # of pass@k, and of an amount
    Column("fisher_p", "number", value="counts.p"),
    Column("t_p", "number", value="seeds.p"),
    Column("adjusted_p", "number", value="tested.adjusted_p"),  # Bonferroni's, over the comparisons of its family
    Column("role", "text", value="tested.family.role"),  # primary, secondary or exploratory
    Column("contrast", "text"),  # difference, equivalence; gain and interaction have rows of their own, without a rate
    Column("start_stage", "text", value="start"),  # of a gain or an interaction
    Column("comparisons_in_family", "integer", value="tested.family.tests"),
    Column("interval_level", "number", value="tested.family.level"),  # of delta_low and delta_high, and of the next two
    Column("new_problems_low", "number", value="tested.new_problems.interval.low"),  # with problems drawn, too
    Column("new_problems_high", "number", value="tested.new_problems.interval.high"),
    Column("new_problems_p", "number", value="tested.new_problems.p"),
    Column("clusters", "integer", value="tested.new_problems.clusters"),  # that were drawn; None: problems one by one
    Column("cluster_variable", "text"),  # what the problems of one share
    Column("gained", "integer", value="pairs.counts.gained"),
    Column("lost", "integer", value="pairs.counts.lost"),
    Column("verdict", "text", value="tested.verdict.word"),
    Column("refused", "text", value="refusal.reason"),
    *(replace(column, title="", value=_of_cell(column.of)) for column in COUNTED),
    Column("samples", "integer", value=_of_cell(lambda cell: planned_samples(cell.result) or None)),
    Column("temperature", "number", value=lambda record: temperature(record.cell)),
    Column("imported", "text", value=lambda record: "counts only" if record.experiment.imported else None),
    Column("exported_at", "time"),
)  # fmt: skip


def chosen(names: Iterable[str]) -> list[Column]:
    """Some of COLUMNS, in this order."""
    by_name = {column.name: column for column in COLUMNS}
    return [by_name[name] for name in names]


def rate(
    read: Callable[[Any], Cell | float | None], metric: ComparisonMetric, digits: int, **more: Any
) -> Column:
    """A condition's number after a stage: '58.2 % (349/600)', or 'no problems'; of a mean over seeds the number alone."""

    def write(found: Cell | float) -> str:
        if not isinstance(found, Cell):
            return value(found, metric)
        if found.empty:
            return NO_PROBLEMS
        return f"{value(found.rate, metric, digits)} ({found.fraction})" if found.complete else ""

    template = "results/_cell.html"
    return Column(
        "", "number", write=write, value=read, missing="", css="condition", template=template, **more
    )


def interval_text(
    one: Any,
    metric: ComparisonMetric,
    digits: int,
    *,
    with_level: bool = True,
    with_new_problems: bool = True,
) -> str:
    """The interval of a comparison, its level unless the heading says it, and the one for new problems: '+1.2 to +15.4 (99 %)'."""
    ends = difference_interval(one.interval or one.within, metric, digits)
    said = [percent_of_level(one.family.level)] if with_level else []
    if with_new_problems and (new := one.new_problems):
        said.append(f"for new problems {difference_interval(new.interval, metric, digits)}")
    behind = f" ({'; '.join(said)})" if said else ""
    return f"{ends}{'' if one.interval else ' in each seed'}{behind}"


def comparison(
    read: Callable[[Any], Found],
    metric: ComparisonMetric,
    digits: int,
    *,
    group: str = "",
    unpaired: bool = False,
) -> Sequence[Column]:
    """The columns of a comparison, which `read` takes from a row; two only a page has, and GAINED_LOST not every table."""

    def of(get: Callable[[Any], Any], *kinds: type) -> Callable[[Any], Any]:
        return lambda row: get(found) if isinstance(found := read(row), kinds or TESTED) else None

    def p(one: Any) -> str:
        return f"{p_value(one.p)}{' (t)' if one.kind == 'seeds' else ''}"

    def verdict(one: Any) -> str:
        if isinstance(one, Refusal | SameRun):
            return f"refused: {one.reason}" if isinstance(one, Refusal) else "same run"
        return f"{one.verdict.word} ({one.family.role}{', chosen after seeing' if one.seen else ''})"

    figures, words = (partial(Column, "", kind, missing="", group=group) for kind in ("number", "text"))
    delta, fisher = f"Δ {metric.unit}", "Fisher p" if unpaired else ""
    write = partial(difference, metric=metric, digits=digits)
    return (
        figures(delta, write, of(lambda one: one.delta), heading=delta, css="condition delta", element="strong",
                term="points" if metric.unit == "points" else ""),
        figures(INTERVAL, partial(interval_text, metric=metric, digits=digits), of(lambda one: one), heading="Interval",
                css="interval", card="interval", template="results/_difference_interval.html"),
        figures(NEW_PROBLEMS, str, of(lambda one: one), heading="New problems", css="new-problems",
                card="new problems", template="results/_new_problems.html"),
        figures(DRAWN, str, of(lambda one: one), css="drawn", heading_template="results/_forest_axis.html",
                template="results/_difference_drawing.html"),
        figures(f"{fisher} (unpaired)" if unpaired else "p", p, of(lambda one: None if one.p is None else one),
                heading=fisher, term="p", card="p", template="results/_p_value.html"),
        figures(ADJUSTED_P, p_value, of(lambda one: one.adjusted_p), term="adjusted-p",
                card=ADJUSTED_P),
        figures(GAINED_LOST, "{0.counts.gained} / {0.counts.lost}".format, of(lambda one: one, Comparison), card=GAINED_LOST,
                template="results/_gained_lost.html"),
        words(VERDICT, verdict, read, heading="Verdict", term="verdict", css="verdict-cell",
              template="results/_verdict_or_why_not.html"),
    )  # fmt: skip
