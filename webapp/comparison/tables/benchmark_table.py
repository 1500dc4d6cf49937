"""Every benchmark of an experiment after the last stages that ask it: to see on which of them a condition helps."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from training.recipes.planned_question import Design
from webapp.comparison.cells import Cell
from webapp.comparison.checkpoints import AT_FIRST
from webapp.comparison.columns import (
    ADJUSTED_P,
    COLUMNS,
    DRAWN,
    GAINED_LOST,
    NEW_PROBLEMS,
    Found,
    comparison,
    rate,
    to_the_second,
)
from webapp.comparison.sentences.warnings import warnings
from webapp.comparison.table import StageTable, stage_table
from webapp.comparison.tables.stage_sheets import ConditionSheetLine, conditions_of, lines, records
from webapp.comparison.tables.stage_tables import IMPORTED, provenance
from webapp.experiments.models import Experiment
from webapp.files.table import Column, Sheet, Table, View

LEFT_OUT = {DRAWN, NEW_PROBLEMS, ADJUSTED_P, GAINED_LOST}


@dataclass(frozen=True)
class BenchmarkLine:
    """A condition beside the baseline after a stage, on one benchmark; over the seeds where there are several."""

    table: StageTable
    baseline: ConditionSheetLine
    other: ConditionSheetLine

    benchmark = property(lambda self: self.table.benchmark)
    stage = property(lambda self: self.other.row.stage)
    condition = property(lambda self: self.other.condition)
    position = property(lambda self: self.other.position)
    missing = property(lambda self: self.other.missing)
    planned = property(lambda self: self.table.roles.is_primary(self.stage, self.condition))


def tables(experiment: Experiment, baseline: str | None = None) -> list[StageTable]:
    """A table of accuracy for each benchmark, that of the planned question first. Raises ValueError for an unknown baseline."""
    first = stage_table(experiment, baseline=baseline, metric=AT_FIRST)
    others = [one for one in first.benchmarks if one != first.benchmark]
    return [
        first,
        *(stage_table(experiment, benchmark=one, baseline=baseline, metric=AT_FIRST) for one in others),
    ]


def sheet(found: Sequence[StageTable], exported_at: datetime | None = None) -> Sheet:
    """For programs rows of the stage tables, for people a line a benchmark, stage and condition.

    The stages are the last ones that ask a benchmark, and those that the planned question is decided after.
    """
    at, first = to_the_second(exported_at), found[0]
    stages = {one.benchmark: _stages(one) for one in found}
    every = [line for one in found for line in _lines(one, stages[one.benchmark])]
    unit = "mean, %" if first.several_seeds else "% (95 % interval)"

    def named(whose: str, condition: str) -> Column:
        swatch = first.positions[condition]
        return rate(
            _shown(whose),
            first.metric,
            first.digits,
            title=condition,
            subheading=unit,
            swatch=swatch,
            card=condition,
        )

    others = [
        Column("condition", "text", "Condition", template="results/_condition_name.html"),
        rate(
            _shown("other"),
            first.metric,
            first.digits,
            title=first.metric.title,
            subheading=unit,
            card=first.metric.title,
        ),
    ]
    every_column = comparison(_compared, first.metric, first.digits, unpaired=first.imported)
    compared = [one for one in every_column if one.title not in LEFT_OUT]
    columns = [
        Column("benchmark", "text", "Benchmark", template="results/_benchmark_name.html"),
        Column("stage", "text", "Stage", card="after"),
        named("baseline", first.baseline),
        *([named("other", first.others[0])] if len(first.others) == 1 else others),
        compared[0],
        compared[-1],  # the verdict beside the difference that it is about
        *compared[1:-1],
    ]
    rows = [row for one in found for row in records(one, at) if row.stage in stages[one.benchmark]]
    return Sheet("benchmarks", "Every benchmark", COLUMNS, rows, View(columns, every))


def table(experiment: Experiment, baseline: str | None = None, exported_at: datetime | None = None) -> Table:
    """The same with where it comes from. Raises ValueError where nothing stands beside the baseline."""
    found, at = tables(experiment, baseline), to_the_second(exported_at)
    if not found[0].others:
        raise ValueError(f"{experiment.name} has one condition, so there is nothing to set beside it")
    return Table(
        f"{experiment.name}-benchmarks",
        "Every benchmark",
        f"after the last stages, {experiment.name}{IMPORTED if found[0].imported else ''}",
        sheet(found, at),
        _together({one.benchmark: provenance(one, at) for one in found}),
        warnings=[f"{one.benchmark}: {text}" for one in found for text in warnings(one)],
    )


def _stages(found: StageTable) -> set[str]:
    """The stages that ask its benchmark and have none below them that asks it too; and those of the planned question."""
    stages = found.experiment.stages.select_related("after")
    parents = {one.name: one.after.name if one.after else None for one in stages}
    asked = [row.stage for row in found.rows]
    last = Design(found.conditions, parents, frozenset(), dict.fromkeys(asked, 0)).last_stages()
    planned = {stage for stage in asked for name in found.others if found.roles.is_primary(stage, name)}
    return {*last, *planned}


def _lines(found: StageTable, stages: Collection[str]) -> list[BenchmarkLine]:
    """Of each of the stages that has a number, a line a condition."""
    made = []
    for line in lines(found, together=True):
        cells = [cell for seed in line.row.seeds for cell in seed.cells]
        if line.row.stage in stages and any(cell.complete or cell.empty for cell in cells):
            baseline, *others = conditions_of(found, line)
            made += [BenchmarkLine(found, baseline, other) for other in others]
    return made


def _shown(whose: str) -> Callable[[BenchmarkLine], Cell | float | None]:
    return lambda line: getattr(line, whose).shown  # type: ignore[no-any-return]


def _compared(line: BenchmarkLine) -> Found:
    return line.other.compared


def _together(of: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Label → text, with the benchmark before what is not the same for all of them."""
    made: dict[str, Any] = {}
    for label in dict.fromkeys(label for one in of.values() for label in one):
        said = {name: one[label] for name, one in of.items() if label in one}
        texts = list(dict.fromkeys(said.values()))
        alike = len(texts) == 1 and len(said) == len(of)
        made[label] = texts[0] if alike else "; ".join(f"{name}: {text}" for name, text in said.items())
    return made
