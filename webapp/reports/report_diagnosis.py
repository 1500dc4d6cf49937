"""The report's sections that the diagnosis fills: dynamics, findings, diagnosis by stage, next steps in order."""

from collections.abc import Sequence
from dataclasses import replace

from training.recipes.hardware import CONSUMER, HARDWARE
from webapp.diagnosis import readings as rules
from webapp.diagnosis.grouping import FindingGroup, report_lines
from webapp.diagnosis.hypotheses import Hypothesis
from webapp.diagnosis.readings import Finding
from webapp.experiments.models import Experiment
from webapp.experiments.templatetags.humane import duration
from webapp.files.number_text import points
from webapp.files.table import View
from webapp.launch import gallery
from webapp.reports.drawings import Drawing
from webapp.reports.dynamics_table import TO_READ, RunTrend
from webapp.reports.sections import ListItem, Section
from webapp.statistics.trends import FEWEST_POINTS

CAPTION = (
    "Start and end: means over the first and the last tenth of the points; slope: a line through block means, "
    f"with an interval that holds for correlated noise; below {FEWEST_POINTS} records no slope is given and no trend is decided"
)


def dynamics(found: Sequence[RunTrend], drawn: Sequence[Drawing] = ()) -> Section:
    """The dynamics table of every run that has dynamics, metric by metric, under its curves."""
    section = Section("Training dynamics", drawings=list(drawn))
    if found:
        section.tables.append((CAPTION, View(TO_READ, found)))
    return section


def findings(found: Sequence[Finding]) -> Section:
    """Every finding with its evidence, the worst first."""
    section = Section("Findings")
    for group in rules.grouped(found):
        line, evidence = report_lines(group)
        section.items.append(ListItem(line, tuple(evidence)))
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
            ListItem(
                f"({place}) Hypothesis {one.letter}, {one.title} "
                f"({'go on with this one' if one.recipe == own else f'mulberry launch {one.recipe}'}): {' '.join(step.texts)}",
                (f"Because: {'; '.join(step.because)}.", *_what_it_takes(one)),
            )
        )
    if section.items:
        section.paragraphs.append(
            "The worst findings decide the order, then the priorities of the report that Mulberry started from. None of these is shown to help."
        )
    return section


def _what_it_takes(one: Hypothesis) -> list[str]:
    """Why, with what, at which cost, and what decides; times and the rule are those of its recipe."""
    choice = gallery.shipped(one.recipe)
    recipe, cost = choice.recipe, choice.full.cost
    sizes = [f"scale={size.name} {duration(size.cost.seconds)}" for size in choice.sizes[1:]]
    consumer = f"{duration(3600 * cost.gpu_hours)} on one {HARDWARE[CONSUMER].name}"
    here = "" if cost.seconds == 3600 * cost.gpu_hours else f"{duration(cost.seconds)} on one device here, "
    takes = f"{here}{consumer}, for {cost.runs} runs; {'measured' if cost.measured else 'estimated'}"
    rule = f"{recipe.primary.described}, α = {recipe.alpha:g}, {len(recipe.seeds)} seed{'s' if len(recipe.seeds) > 1 else ''}"
    if recipe.go_threshold is None:
        rule += "; go on where it is supported, else reconsider the approach"
    else:
        rule += f"; go where its interval lies above {points(recipe.go_threshold)} points, no-go below"
    smaller = f"; smaller: {', '.join(sizes)}" if sizes else ""
    return [
        f"Rationale: {one.rationale}",
        f"Options: {one.options}",
        f"Effort: {one.effort}, {one.effort_reason}.",
        f"Risk: {one.risk}",
        f"Takes: {takes}{smaller}.",
        f"Decision rule: {rule}.",
    ]
