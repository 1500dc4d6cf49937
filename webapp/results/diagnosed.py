"""The report's sections that the diagnosis fills: dynamics, findings, diagnosis by stage, next steps in order."""

from collections.abc import Sequence

from webapp.experiments.models import Experiment
from webapp.results import diagnosis as rules
from webapp.results.diagnosis import Finding
from webapp.results.diagnosis.finding import figure
from webapp.results.dynamics import SLOPE_STEPS, TABLE, Row
from webapp.results.grids import Grid
from webapp.results.sections import Section
from webapp.runs.models import StageRun

HEADER = ["Metric", "Condition", "Stage", "Seed", "Start", "End"]
HEADER += [f"Slope per {SLOPE_STEPS} steps", "95 % interval", "Trend"]


def dynamics(experiment: Experiment) -> Section:
    """The dynamics table of every GRPO run, metric by metric."""
    runs = StageRun.objects.filter(experiment=experiment).select_related("condition", "stage")
    readings = rules.readings(experiment)
    found: dict[str, list[list[str]]] = {name: [] for name in TABLE}
    for run in runs:
        reading = readings.get(run.pk)
        for row in reading.dynamics if reading else ():
            which = [row.measure.title, run.condition.name, run.stage.name, str(run.seed)]
            found[row.measure.name].append([*which, *_cells(row)])
    lines = [line for of_metric in found.values() for line in of_metric]
    section = Section("Training dynamics")
    if lines:
        caption = (
            "Start and end: means over the first and the last tenth of the points; slope: a line through block means, "
            "with an interval that holds for correlated noise"
        )
        section.tables.append((caption, Grid(HEADER, lines, labels=4)))
    return section


def _cells(row: Row) -> list[str]:
    interval = f"{figure(row.interval[0])} to {figure(row.interval[1])}" if row.interval else "–"
    slope = figure(row.slope) if row.slope is not None else "–"
    return [figure(row.trend.start), figure(row.trend.end), slope, interval, row.trend.word]


def findings(found: Sequence[Finding]) -> Section:
    """Every finding with its evidence, the worst first."""
    section = Section("Findings")
    for one in found:
        onset = f", from step {one.onset:,}" if one.onset is not None else ""
        where = f" ({one.where}{onset})" if one.where else ""
        section.items.append(f"{one.severity.word.capitalize()}: {one.headline}{where}. {one.evidence}")
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
    conditions: dict[tuple[str, str], list[str]] = {}
    for one in found:
        which = one.condition + (f" seed {one.seed}" if one.seed is not None else "")
        conditions.setdefault((one.reading, one.not_shown), []).append(which)
    lines = []
    for (reading, not_shown), of_whom in conditions.items():
        whose = ", ".join(dict.fromkeys(filter(None, of_whom)))
        lines.append(f"{place}{f' ({whose})' if whose else ''}: {reading} {not_shown}")
    return lines


def next_steps(found: Sequence[Finding]) -> Section:
    """The hypotheses to try, in order."""
    section = Section("Next steps, in order")
    for place, step in enumerate(rules.next_steps(found), 1):
        one = step.hypothesis
        section.items.append(
            f"({place}) Hypothesis {one.letter}, {one.title} (mulberry launch {one.recipe}): {' '.join(step.texts)} "
            f"Because: {'; '.join(step.because)}."
        )
    if section.items:
        section.paragraphs.append(
            "The worst findings decide the order, then the priorities of the report that Mulberry started from. None of these is shown to help."
        )
    return section
