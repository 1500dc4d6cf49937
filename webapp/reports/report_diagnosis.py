"""The report's sections that the diagnosis fills: dynamics, findings, diagnosis by stage, next steps in order."""

from collections.abc import Sequence
from dataclasses import replace

from webapp.diagnosis import readings as rules
from webapp.diagnosis.dynamics import SLOPE_STEPS, TABLE, Row
from webapp.diagnosis.finding import figure
from webapp.diagnosis.grouping import FindingGroup, told
from webapp.diagnosis.readings import Finding
from webapp.experiments.models import Experiment
from webapp.files.grid import Grid
from webapp.reports.drawings import Drawing
from webapp.reports.sections import Point, Section
from webapp.runs.models import StageRun

HEADER = ["Metric", "Condition", "Stage", "Seed", "Start", "End"]
HEADER += [f"Slope per {SLOPE_STEPS} steps", "95 % interval", "Trend"]
CAPTION = (
    "Start and end: means over the first and the last tenth of the points; slope: a line through block means, "
    "with an interval that holds for correlated noise"
)


def dynamics(found: Sequence[tuple[StageRun, Row]], drawn: Sequence[Drawing] = ()) -> Section:
    """The dynamics table of every GRPO run, metric by metric, under its curves."""
    section = Section("Training dynamics", drawings=list(drawn))
    if found:
        section.tables.append((CAPTION, dynamics_grid(found)))
    return section


def dynamics_rows(experiment: Experiment, run: StageRun | None = None) -> list[tuple[StageRun, Row]]:
    """Each metric of each GRPO run (or of one run), in the order of the metrics, then of the runs."""
    runs = StageRun.objects.filter(experiment=experiment).select_related("condition", "stage")
    if run is not None:
        runs = runs.filter(pk=run.pk)
    readings = rules.readings(experiment) if run is None else {run.pk: rules.of_run(run)}
    found = [
        (one, row)
        for one in runs
        if (reading := readings.get(one.pk)) is not None
        for row in reading.dynamics
    ]
    return sorted(found, key=lambda pair: TABLE.index(pair[1].measure.name))


def dynamics_grid(found: Sequence[tuple[StageRun, Row]]) -> Grid:
    """As people read it."""
    lines = [
        [row.measure.title, run.condition.name, run.stage.name, str(run.seed), *_cells(row)]
        for run, row in found
    ]
    return Grid(HEADER, lines, labels=4, words=(len(HEADER) - 1,))


def _cells(row: Row) -> list[str]:
    interval = f"{figure(row.interval[0])} to {figure(row.interval[1])}" if row.interval else "–"
    slope = figure(row.slope) if row.slope is not None else "–"
    return [figure(row.trend.start), figure(row.trend.end), slope, interval, row.said]


def findings(found: Sequence[Finding]) -> Section:
    """Every finding with its evidence, the worst first."""
    section = Section("Findings")
    for group in rules.grouped(found):
        line, evidence = told(group)
        section.items.append(Point(line, tuple(evidence)))
    if not found:
        section.paragraphs.append(
            "None of the rules found anything. That is no proof of health: they see only what is recorded."
        )
    return section


def diagnosis(experiment: Experiment, found: Sequence[Finding]) -> Section:
    """What the findings are consistent with, stage by stage, and what they do not show."""
    section = Section("Diagnosis")
    for stage in experiment.stages.all():
        section.items += _readings(stage.name, [one for one in found if one.stage == stage.name])
    section.items += _readings("The evaluations", [one for one in found if not one.stage])
    if section.items:
        section.paragraphs.append(
            "What the records are consistent with, in the order of the stages; an audit of this experiment, not its causes."
        )
    return section


def _readings(place: str, found: Sequence[Finding]) -> list[str]:
    """One line for each thing that is read into a stage, with the conditions and seeds it is read from."""
    read: dict[tuple[str, str], list[Finding]] = {}
    for one in found:
        read.setdefault((one.reading, one.not_shown), []).append(replace(one, stage=""))
    lines = []
    for (reading, not_shown), several in read.items():
        whose = FindingGroup(tuple(several)).where
        lines.append(f"{place}{f' ({whose})' if whose else ''}: {reading} {not_shown}")
    return lines


def next_steps(experiment: Experiment, found: Sequence[Finding]) -> Section:
    """The hypotheses to try, in order; the one that this experiment tries is gone on with, not launched anew."""
    own = experiment.recipe.get("name")
    section = Section("Next steps, in order")
    for place, step in enumerate(rules.next_steps(found), 1):
        one = step.hypothesis
        section.items.append(
            f"({place}) Hypothesis {one.letter}, {one.title} "
            f"({'go on with this one' if one.recipe == own else f'mulberry launch {one.recipe}'}): {' '.join(step.texts)} "
            f"Because: {'; '.join(step.because)}."
        )
    if section.items:
        section.paragraphs.append(
            "The worst findings decide the order, then the priorities of the report that Mulberry started from. None of these is shown to help."
        )
    return section
