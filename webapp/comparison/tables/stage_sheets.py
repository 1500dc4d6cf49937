"""The stage table and the detail metrics as sheets: rows for programs, and what people read in files and on the page."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any

from training.recipes.planned_question import Contrast
from webapp.comparison.cells import Cell, Comparison, SameRun, SeedsComparison
from webapp.comparison.columns import (
    ADJUSTED_P,
    COLUMNS,
    COUNTED,
    DETAILS,
    DRAWN,
    GAINED_LOST,
    NEW_PROBLEMS,
    TESTED,
    VERDICT,
    ComparisonRow,
    Found,
    chosen,
    comparison,
    rate,
    to_the_second,
)
from webapp.comparison.sentences.no_new_problems import none_of_all
from webapp.comparison.sentences.wording import difference
from webapp.comparison.stage_rows import SeedRow, StageRow
from webapp.comparison.table import StageTable
from webapp.files.number_text import percent
from webapp.files.table import Column, Sheet, View

OF_DETAILS = (
    "experiment", "code_version", "benchmark", "problem_subset", "problems_sha256", "stage", "condition", "seed", "correct", "problems",
    "accuracy", *(column.name for column in COUNTED), "imported", "exported_at",
)  # fmt: skip
MOST_SEEDS = 6  # of a mean, whose differences stand below it
STAGE = Column("stage", "text", "Stage", template="results/_stage_name.html")
SEED = Column(
    "seed", "text", "Seed", value=lambda line: str(line.seed.seed) if line.seed else "mean", card="seed"
)


@dataclass(frozen=True)
class SheetLine:
    """A line of the table to read: a stage with one seed, or its mean over the seeds."""

    row: StageRow
    seed: SeedRow | None  # None: the mean
    several: bool
    first: bool  # of its stage

    @property
    def stage(self) -> str:
        """As it is called in a file, where no line above says which stage it is."""
        if self.seed is None:
            return f"{self.row.stage}, mean"
        name = f"{self.row.stage}, seed {self.seed.seed}" if self.several else self.row.stage
        return f"{name}: {self.row.label}" if self.row.label else name

    @property
    def missing(self) -> str:
        """Why it lacks a comparison."""
        return self.row.missing if self.seed is None else "not finished"

    @property
    def css(self) -> str:
        """Classes of the line on a page."""
        if self.seed is None:
            return "mean alone" if self.first else "mean"
        return "seed" if self.several else ""


@dataclass(frozen=True)
class ConditionSheetLine:
    """A line of the table to read where several conditions are compared: one of the conditions in a SheetLine."""

    line: SheetLine
    place: int  # of the condition; 0 is the baseline
    condition: str
    position: int  # which decides its colour
    last: bool  # of the SheetLine
    alone: bool  # all conditions share the baseline's run, so that it stands for all

    row = property(lambda self: self.line.row)
    seed = property(lambda self: self.line.seed)
    stage = property(lambda self: self.line.stage)

    @property
    def first(self) -> bool:
        """Of its stage."""
        return self.line.first and not self.place

    @property
    def missing(self) -> str:
        """Why it lacks a comparison."""
        if self.place:
            return self.line.missing
        return "the same run" if self.alone else "the baseline"

    @property
    def called(self) -> str:
        """The condition, or that the line is about all of them."""
        return "all conditions" if self.alone else self.condition

    @property
    def shown(self) -> Cell | float | None:
        """The condition's number."""
        return _cell(self.place, self.line)

    @property
    def compared(self) -> Found:
        """Its comparison with the baseline, which has none."""
        return _compared(self.place - 1, self.line) if self.place else None

    @property
    def css(self) -> str:
        """Classes of the line on a page."""
        kind = self.line.css.replace("seed", "")
        if self.alone:
            kind = f"{kind} shared".strip()
        if not self.last:
            return f"{kind} goes-on".strip()
        ends = self.line.seed is None or not self.line.several
        return f"{kind} ends-stage".strip() if ends else kind


def _cell(place: int, line: SheetLine) -> Cell | float | None:
    """Of the condition at this place."""
    return line.row.means[place] if line.seed is None else line.seed.cells[place]


def _compared(place: int, line: SheetLine) -> Found:
    """The comparison of one of the others; over seeds that it shares with the baseline they are the same runs, too."""
    if line.seed is not None:
        return line.seed.comparisons[place]
    each = [seed.comparisons[place] for seed in line.row.seeds]
    shared = each and all(isinstance(one, SameRun) for one in each)
    return each[0] if shared else line.row.over_seeds[place]


def lines(table: StageTable, *, together: bool = False) -> list[SheetLine]:
    """A line a stage and seed, and the mean of several; `together`: the means alone."""
    several, mean = table.several_seeds, [None] * table.several_seeds
    return [
        SheetLine(row, seed, several, not place)
        for row in table.rows
        for place, seed in enumerate(mean if together and several else [*row.seeds, *mean])
    ]


def stage_sheet(table: StageTable, exported_at: datetime | None = None, *, together: bool = False) -> Sheet:
    """The stage table; `together`: of several seeds the means alone."""
    together = together and table.several_seeds
    every = lines(table, together=together)
    to_read = [
        line
        for line in every
        if any(one.complete or one.empty for seed in line.row.seeds for one in seed.cells)
    ]
    views = _views_by_condition if len(table.others) > 1 else _views_by_stage
    return Sheet(
        "stages",
        "Stage table",
        COLUMNS,
        [
            one
            for one in (*records(table, exported_at), *contrast_records(table, exported_at))
            if one.over_seeds or not together
        ],
        *views(table, every, to_read, "mean, %" if together else "%"),
    )


def _views_by_stage(
    table: StageTable, every: Sequence[SheetLine], to_read: Sequence[SheetLine], percent: str
) -> tuple[View, View]:
    """In files and on a page: a line a stage and seed, in which the conditions and what compares them are columns."""
    rates = [
        rate(partial(_cell, i), table.metric, table.digits, title=name, swatch=table.positions[name], subheading=_below(table, percent), card=name)
        for i, name in enumerate(table.conditions)
    ]  # fmt: skip
    group = f"{table.others[0]} − {table.baseline}" if table.others else ""
    in_files, on_page = _comparison(table, partial(_compared, 0), group, every) if table.others else ([], [])
    return (
        View([STAGE, *rates, *in_files], to_read),
        View(
            [STAGE, *_seed(every), *rates, *on_page],
            every,
            lambda line: _css(table, line, table.others),
        ),
    )


def _views_by_condition(
    table: StageTable, every: Sequence[SheetLine], to_read: Sequence[SheetLine], percent: str
) -> tuple[View, View]:
    """The same where several are compared: a line a condition, for beside each other they would be wider than any page."""

    def each(of: Sequence[SheetLine]) -> list[ConditionSheetLine]:
        found = []
        for line in of:
            every = conditions_of(table, line)
            found += every[:1] if every[0].alone else every
        return found

    condition = Column(
        "condition", "text", "Condition", value="called", template="results/_condition_name.html"
    )
    shown = rate(
        attrgetter("shown"),
        table.metric,
        table.digits,
        title=table.metric.title,
        subheading=_below(table, percent),
        card=table.metric.title,
    )
    rows = each(every)
    in_files, on_page = _comparison(table, attrgetter("compared"), f"condition − {table.baseline}", rows)
    return (
        View([STAGE, condition, shown, *in_files], each(to_read)),
        View(
            [STAGE, *_seed(every), condition, shown, *on_page],
            rows,
            lambda line: _css(table, line, table.others),
        ),
    )


def conditions_of(table: StageTable, line: SheetLine) -> list[ConditionSheetLine]:
    """A line a condition, the baseline first."""
    shared = all(isinstance(_compared(at, line), SameRun) for at in range(len(table.others)))
    last = table.conditions[0 if shared else -1]
    return [
        ConditionSheetLine(line, place, name, table.positions[name], name == last, shared)
        for place, name in enumerate(table.conditions)
    ]


def _css(table: StageTable, line: SheetLine | ConditionSheetLine, conditions: Iterable[str]) -> str:
    """Classes of a line on a page; what the planned question decides by stands out."""
    decides = line.seed is None or not table.several_seeds
    planned = decides and any(table.roles.is_primary(line.row.stage, name) for name in conditions)
    return f"{line.css} planned".strip() if planned else line.css


def _comparison(
    table: StageTable, read: Callable[[Any], Found], group: str, rows: Sequence[Any]
) -> tuple[list[Column], list[Column]]:
    """The columns of a comparison in files, and on a page, which has none that says nothing in all its `rows`."""
    group += ", unpaired" if table.imported else ""
    columns = comparison(read, table.metric, table.digits, group=group, unpaired=table.imported)
    left_out = {DRAWN, NEW_PROBLEMS, *([GAINED_LOST] if table.imported else [])}
    in_files = [one for one in columns if one.title not in left_out]
    found = [read(row) for row in rows]
    lacking = {ADJUSTED_P}
    if not (table.counts_pairs and any(isinstance(one, Comparison) for one in found)):
        lacking.add(GAINED_LOST)
    if not any(isinstance(one, TESTED) and one.new_problems for one in found):
        lacking.add(NEW_PROBLEMS)
    elif table.several_seeds:
        lacking.add(DRAWN)  # they would touch; the figure above draws the means
    on_page = [one for one in columns if one.title not in lacking]
    delta, verdict = replace(on_page[0], note=partial(_of_each_seed, table, read)), on_page[-1]
    return in_files, [delta, verdict, *on_page[1:-1]]  # the verdict beside the difference that it is about


def _of_each_seed(table: StageTable, read: Callable[[Any], Found], row: Any) -> str:
    """The differences that a mean is of, where no line above says them; empty where they are many."""
    found = read(row)
    line = row.line if isinstance(row, ConditionSheetLine) else row
    alone = line.seed is None and line.first
    if not alone or not isinstance(found, SeedsComparison) or len(found.differences) > MOST_SEEDS:
        return ""
    return ", ".join(difference(one, table.metric, table.digits) for one in found.differences)


def none_for_new_problems(table: StageTable, shown: View) -> str:
    """Why a stage table on a page has no column for new problems, a sentence; empty where it has, and for published counts."""
    if table.imported or any(column.title == NEW_PROBLEMS for column in shown.columns):
        return ""
    verdicts = [column for column in shown.columns if column.title == VERDICT]
    return none_of_all((column.of(row) for column in verdicts for row in shown.rows), table)


def _below(table: StageTable, percent: str) -> str:
    """What stands below the heading of a condition's numbers."""
    together = percent != "%"
    unit = "mean" if table.metric.kind == "mean" else percent
    return unit if together else f"{unit} (95 % interval)"


def _seed(of: Sequence[SheetLine]) -> list[Column]:
    """A column that says the seed, where lines of single seeds and of means stand below each other."""
    return [SEED] if any(line.several and line.seed for line in of) else []


def detail_sheet(table: StageTable, exported_at: datetime | None = None) -> Sheet:
    """The detail metrics of every finished evaluation."""
    whose = [Column("stage", "text", "Stage"), Column("condition", "text", "Condition")]
    whose += [Column("seed", "integer", "Seed", left=True)] if table.several_seeds else []
    accuracy = Column("accuracy", "number", "Accuracy", partial(percent, digits=table.digits), unit="%")
    cells = [cell for cell in table.cells() if cell.complete]
    return Sheet(
        "details",
        "Detail metrics",
        chosen(OF_DETAILS),
        [one for one in records(table, exported_at) if not one.over_seeds],
        View([*whose, *DETAILS], cells),
        View([*whose, accuracy, *DETAILS], cells),
    )


def records(table: StageTable, exported_at: datetime | None = None) -> Iterator[ComparisonRow]:
    """One for each stage, seed and condition with an evaluation that is finished or asked no problem, and one for each mean."""
    at, versions = to_the_second(exported_at), table.versions
    for line in lines(table):
        for place, condition in enumerate(table.conditions):
            found = _cell(place, line)
            cell, mean = (found, None) if isinstance(found, Cell) else (None, found)
            if mean is not None or (cell is not None and (cell.complete or cell.empty)):
                yield ComparisonRow(
                    table.experiment,
                    table.benchmark,
                    table.metric,
                    line.row.stage,
                    condition,
                    line.seed.seed if line.seed else None,
                    at,
                    versions.of_run(cell.run) if cell else versions.short,
                    cell if cell and cell.complete else None,
                    cell is not None and not cell.complete,
                    mean,
                    table.baseline if place else None,
                    compared := _compared(place - 1, line) if place else None,
                    None if compared is None else _contrast(table, line.row.stage, condition),
                    subset=table.subset.written if table.subset else None,
                )


def contrast_records(table: StageTable, exported_at: datetime | None = None) -> Iterator[ComparisonRow]:
    """One for each seed of a planned gain or interaction that is compared or refused, and one for the seeds together."""
    at, versions = to_the_second(exported_at), table.versions
    for one in table.contrasts:
        baseline = table.baseline if one.kind == "interaction" else None
        seeds = zip(table.seeds, one.cells, one.seeds, strict=True)
        found: list[tuple[int | None, str, Found]] = [
            (seed, versions.of_run(run) if (run := cells[-1].run) else versions.short, compared)
            for seed, cells, compared in seeds
        ]
        for seed, version, compared in (*found, (None, versions.short, one.over_seeds)):
            if compared is not None:
                yield ComparisonRow(
                    table.experiment,
                    table.benchmark,
                    table.metric,
                    one.stage,
                    one.condition,
                    seed,
                    at,
                    version,
                    baseline=baseline,
                    compared=compared,
                    contrast=one.kind,
                    start=one.start,
                )


def _contrast(table: StageTable, stage: str, condition: str) -> Contrast:
    """What the comparison of a condition with the baseline after a stage is about."""
    return "equivalence" if table.roles.of(stage, condition).margin is not None else "difference"
