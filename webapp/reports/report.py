"""The report of an experiment, filled from its rows: setup, results, metrics, diagnosis, what is supported."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import fmean

from django.conf import settings
from django.template.loader import render_to_string

from webapp.comparison import groups
from webapp.comparison.alike import dose
from webapp.comparison.cells import Cell, graded_alike
from webapp.comparison.columns import IN_REPORT
from webapp.comparison.corrections import corrections
from webapp.comparison.decisions import decisions
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.sentences.warnings import warnings
from webapp.comparison.stage_changes import Gain, StageChange, last_gains, over_the_seeds
from webapp.comparison.stage_rows import StageRow
from webapp.comparison.table import StageTable, stage_table
from webapp.comparison.tables.stage_sheets import stage_sheet
from webapp.comparison.tables.stage_tables import IMPORTED, provenance
from webapp.diagnosis.readings import of_experiment
from webapp.experiments.models import Experiment
from webapp.experiments.planned_question import planned_question
from webapp.files.grid import escaped
from webapp.files.number_text import (
    p_value,
    percent,
    percent_of_level,
    plain,
    points,
    points_interval,
)
from webapp.files.table import Column, View, words
from webapp.reports import contamination, dynamics_table, report_diagnosis
from webapp.reports.conclusion import conclusion
from webapp.reports.drawings import by_stage, by_step
from webapp.reports.prediction import prediction
from webapp.reports.report_formats import REPORT_FORMATS
from webapp.reports.sections import ListItem, Section
from webapp.reports.setup import every_setting, setup, stages
from webapp.reports.verdict_first import verdict_first
from webapp.results.published import Publication
from webapp.runs.models import StageRun, State

CSS = Path(settings.STATICFILES_DIRS[0]) / "css"
DRAWN = CSS / "drawings.css"
STYLES = (DRAWN, CSS / "texts.css")  # the file needs nothing else beside it


@dataclass(frozen=True)
class Report:
    """All sections, before they become a page or a file."""

    title: str
    facts: Mapping[str, str]
    sections: list[Section]
    provenance: Mapping[str, str]


def report(experiment: Experiment, format: str = "md", problems: str | None = None) -> str:
    """Write the report as one of REPORT_FORMATS; HTML is one file that needs nothing else. Raises ValueError.

    `problems` restricts its results to a subset (results/problem_subset.py); what it diagnoses stays that of all.
    """
    if format not in REPORT_FORMATS:
        raise ValueError(f"there is no report format {format!r}; choose {' or '.join(REPORT_FORMATS)}")
    written = build(experiment, problems)
    return markdown(written) if format == "md" else html(written)


def styles() -> str:
    """The style sheets of the file."""
    return "\n".join(path.read_text() for path in STYLES)


def html(written: Report) -> str:
    """As one file that needs nothing else."""
    return render_to_string(
        "results/report_file.html",
        {"report": written, "styles": styles()},
    )


def build(experiment: Experiment, problems: str | None = None) -> Report:
    """Collect the report's sections from the database, their results restricted to `problems` where asked. Raises ValueError."""
    table = stage_table(experiment, problems=problems)
    unfinished = [cell for cell in table.cells() if not cell.complete and not cell.empty]
    gained = last_gains(table)
    changes = over_the_seeds(gained, table)
    found = of_experiment(experiment, None if table.subset else table)
    sections = [
        results(table),
        prediction(table),
        setup(experiment),
        stages(experiment),
        contamination.section(experiment),
        gains(table, gained, changes),
        metrics(table),
        by_group(table),
        other_benchmarks(table),
        doses(table),
        published_tables(experiment),
        report_diagnosis.dynamics(dynamics_table.of_experiment(experiment), by_step(experiment)),
        report_diagnosis.findings(found),
        report_diagnosis.diagnosis(experiment, found),
        conclusion(table, changes, unfinished),
        *report_diagnosis.next_steps(table, found),
        notes(experiment),
        every_setting(experiment),
    ]
    finished = len(list(table.cells())) - len(unfinished)
    status = f"{finished} of {finished + len(unfinished)} evaluations finished"
    return Report(
        title=experiment.title,
        facts={
            "Experiment": experiment.name,
            "Published" if experiment.imported else "Started": f"{experiment.created_at:%Y-%m-%d}",
            **({"Problems": f"{table.asked}, not planned: exploratory"} if table.subset else {}),
            "Status": "imported, counts only: nothing of it ran here" if experiment.imported else status,
            **({"Finished": over} if (over := _finished_on(experiment)) else {}),
            "Question": experiment.question,
            "Prediction": experiment.prediction,
            "Outcome": " ".join(one.headline for one in verdict_sentences(table) if one.role == "primary"),
            **({} if experiment.imported else {"Decided by": _decided(experiment)}),
        },
        sections=[one for one in sections if not one.is_empty],
        provenance=provenance(table, datetime.now(UTC)),
    )


def _decided(experiment: Experiment) -> str:
    """What was fixed before anything was known."""
    asked = planned_question(experiment).described
    return f"{asked}, α = {experiment.alpha:g}; like question and prediction fixed at launch"


def _finished_on(experiment: Experiment) -> str:
    """The day on which its last run succeeded; empty while one has not, and where nothing ran here."""
    if experiment.imported:
        return ""
    runs = list(StageRun.objects.filter(experiment=experiment).values_list("state", "finished_at"))
    ends = [at for state, at in runs if state == State.SUCCEEDED and at is not None]
    return f"{max(ends):%Y-%m-%d}" if ends and len(ends) == len(runs) else ""


def notes(experiment: Experiment) -> Section:
    """What people wrote about it, in their words."""
    section = Section("Notes", quoted=experiment.notes)
    if experiment.notes and experiment.notes_by:
        when = f", {experiment.notes_at:%Y-%m-%d}" if experiment.notes_at else ""
        section.paragraphs.append(f"Last edited by {experiment.notes_by}{when}; not computed.")
    return section


def results(table: StageTable) -> Section:
    """The verdict sentences and the stage table."""
    caption = f"{table.metric.title} on {table.asked}{IMPORTED if table.imported else ''}"
    if table.others:
        caption += f"; Δ is against {table.baseline}"
    return Section(
        "Results",
        answers=[*decisions(table), *verdict_sentences(table)],
        paragraphs=[corrections(table), *warnings(table)],
        drawings=by_stage(table),
        tables=[(caption, verdict_first(table, stage_sheet(table).view))],
    )


def gains(table: StageTable, found: list[Gain], changes: list[StageChange]) -> Section:
    """The table of what the last stages changed, a row a seed; without a p until the planned seeds are in."""
    waiting = {id(gain) for change in changes if change.interim for gain in change.gains}
    section = Section("What the last stage changed")
    if not found:
        return section
    caption = f"Same problems before and after; p {table.test_name}, exploratory and not adjusted"
    if table.imported:
        caption = (
            "Counts only, so unpaired: Newcombe’s interval; p Fisher’s exact, exploratory and not adjusted"
        )
    columns = [
        Column("", "text", "Step", "{0.before.stage} → {0.after.stage}".format, lambda one: one),
        Column("", "text", "Condition", value="after.condition"),
        Column("", "text", "Seed", value=lambda one: None if table.imported else one.after.seed),
        Column(
            "",
            "number",
            table.metric.title,
            value=lambda one: f"{percent(one.before.rate)} → {percent(one.after.rate)}",
        ),
        Column("delta", "number", "Δ points", partial(points, digits=table.digits)),
        Column(
            "interval",
            "number",
            f"{percent_of_level(1 - table.alpha)} interval",
            partial(points_interval, digits=table.digits),
        ),
        Column("p", "number", "p", p_value, lambda one: None if id(one) in waiting else one.p),
    ]
    if not table.imported:
        columns.append(Column("counts", "number", "gained / lost", "{0.gained} / {0.lost}".format))
    section.tables.append((caption, View(columns, found)))
    return section


def metrics(table: StageTable) -> Section:
    """The detail metrics: of every stage, so that a course can be read, then of the last ones, conditions side by side."""
    section = Section("Detailed metrics")
    every = [
        (row, [_finished(row, position) for position in range(len(table.conditions))]) for row in table.rows
    ]
    shown = [(row, cells) for row, cells in every if any(cells)]
    found = {
        one.title: _values(one, (cell for _, of in shown for cells in of for cell in cells))
        for one in IN_REPORT
    }
    zero = [title for title, values in found.items() if values and not any(values)]
    if len(shown) > 1:
        header = ["Metric", "Condition", *(row.stage for row, _ in shown)]
        lines = [
            [title, name, *(text_of(cells[position]) for _, cells in shown)]
            for title, text_of in DETAIL_TEXTS.items()
            for position, name in enumerate(table.conditions)
        ]
        lines = [line for line in lines if set(line[2:]) - {"–"}]
        section.tables.append(("After every stage", words(header, lines, left=2)))
    for row, cells in shown:
        if row.last:
            lines = [["Accuracy", *map(_correct, cells)]]
            lines += [[one.title, *(_mean(of, one) for of in cells)] for one in IN_REPORT]
            header = ["Metric", *table.conditions]
            section.tables.append((f"After {row.stage}", words(header, lines, left=1)))
    if table.several_seeds and section.tables:
        section.paragraphs.append("Means over the finished seeds.")
    if zero:
        section.left_out = (
            f"0 throughout, so not in these tables: {', '.join(zero)}. The report’s files have them."
        )
        section.brief_tables = [
            (caption, replace(view, rows=[row for row in view.rows if row[0] not in zero]))
            for caption, view in section.tables
        ]
    return section


def _values(column: Column, cells: Iterable[Cell]) -> list[float]:
    return [value for cell in cells if (value := column.of(cell)) is not None]


def _finished(row: StageRow, position: int) -> list[Cell]:
    return [seed.cells[position] for seed in row.seeds if seed.cells[position].complete]


def _accuracy(cells: Sequence[Cell]) -> str:
    rates = [cell.accuracy for cell in cells if cell.accuracy is not None]
    return percent(fmean(rates)) if rates and graded_alike(cells) else "–"


def _correct(cells: Sequence[Cell]) -> str:
    """With the counts."""
    counts = ", ".join(
        f"{cell.result.count('correct'):,}/{cell.result.problems:,}"
        for cell in cells
        if cell.count is not None
    )
    return f"{_accuracy(cells)}{f' ({counts})' if counts else ''}"


def _mean(cells: Sequence[Cell], column: Column) -> str:
    values = _values(column, cells)
    return column.write(fmean(values)) if values else column.missing


DETAIL_TEXTS: Mapping[str, Callable[[Sequence[Cell]], str]] = {  # of a stage's finished cells of a condition
    "Accuracy": _accuracy,
    **{one.title: partial(_mean, column=one) for one in IN_REPORT},
}


def by_group(table: StageTable) -> Section:
    """The last stages' comparisons by the benchmark's groups of problems, where it has any."""
    sheet = groups.sheet(table)
    return Section("By group of problems", tables=[(groups.CAPTION, sheet.view)] if sheet.rows else [])


def other_benchmarks(table: StageTable) -> Section:
    """The stage table of every other benchmark that has results; nobody planned to decide by them."""
    section = Section("Other benchmarks")
    for name in table.benchmarks if table.subset is None else ():
        if name == table.benchmark:
            continue
        other = stage_table(table.experiment, benchmark=name, metric="accuracy")
        if any(cell.complete for cell in other.cells()):
            against = f"; Δ is against {other.baseline}" if other.others else ""
            caption = f"{other.metric.title} on {name}{IMPORTED if other.imported else ''}, exploratory, not corrected{against}"
            section.tables.append((caption, verdict_first(other, stage_sheet(other).view)))
    return section


def published_tables(experiment: Experiment) -> Section:
    """Tables of words that a publication holds, as they stand."""
    tables = Publication.model_validate(experiment.recipe).tables if experiment.imported else []
    grids = [(f"{one.title}. {one.caption}".strip(), words(one.header, one.rows)) for one in tables]
    return Section("Tables as published", tables=grids)


def doses(table: StageTable) -> Section:
    """How often the intervention acted."""
    found = dose.of_experiment(table.experiment)
    if not found:
        return Section("Dose")
    return Section("Dose", tables=[(f"Mul-tokens {dose.CAPTION}", dose.sheet(found).view)])


def _point(item: str | ListItem) -> str:
    point = item if isinstance(item, ListItem) else ListItem(item)
    return "\n".join([f"- {escaped(point.text)}", *(f"  - {escaped(text)}" for text in point.under)])


def markdown(written: Report) -> str:
    """A report as GitHub-flavoured Markdown."""
    parts = [f"# {escaped(written.title)}"]
    parts.append(
        "  \n".join(f"**{label}:** {escaped(text)}" for label, text in written.facts.items() if text)
    )
    for section in written.sections:
        parts.append(f"## {section.title}")
        parts += [escaped(text) for text in (*(one.text for one in section.answers), *section.paragraphs)]
        if section.quoted:
            parts.append("\n".join(f"> {line}".rstrip() for line in section.quoted.splitlines()))
        if section.items:
            parts.append("\n".join(map(_point, section.items)))
        for caption, view in section.tables:
            parts += [f"### {escaped(caption)}"] if caption else []
            parts.append(view.grid.markdown())
    parts.append("---")
    parts.append("  \n".join(f"{label}: {escaped(text)}" for label, text in written.provenance.items()))
    return plain("\n\n".join(parts)) + "\n"
