"""The report's sections that the diagnosis fills: dynamics, findings, diagnosis by stage, next steps in order."""

from collections.abc import Sequence
from dataclasses import replace

from training.recipes import recipe as recipes
from webapp.comparison.table import StageTable
from webapp.diagnosis import readings as rules
from webapp.diagnosis.grouping import FindingGroup, report_lines
from webapp.diagnosis.hypotheses import Hypothesis
from webapp.diagnosis.readings import Finding
from webapp.experiments.models import Experiment
from webapp.experiments.templatetags.humane import duration
from webapp.files.table import View
from webapp.launch import gallery
from webapp.reports import question_steps
from webapp.reports.drawings import Drawing
from webapp.reports.dynamics_table import TO_READ, RunTrend
from webapp.reports.sections import ListItem, Section
from webapp.statistics.trends import FEWEST_POINTS

NAMING = ("Stage", "Seed")  # columns of the dynamics that often say one thing
PROGRAMME = "the programme's first report (28 December 2025)"
CAPTION = (
    "Start and end: means over the first and the last tenth of the points; peak: the highest mean over a tenth, with its step; "
    f"slope: a line through block means, with an interval that holds for correlated noise; below {FEWEST_POINTS} records no slope is given and no trend is decided"
)


def dynamics(found: Sequence[RunTrend], drawn: Sequence[Drawing] = ()) -> Section:
    """The dynamics table of every run that has dynamics, metric by metric, under its curves."""
    section = Section("Training dynamics", drawings=list(drawn))
    if found:
        section.tables.append(_narrowed(found))
    return section


def _narrowed(found: Sequence[RunTrend]) -> tuple[str, View]:
    """The table without columns that say the same in every row; its caption says it instead."""
    said = {column.title: {column.text(one) for one in found} for column in TO_READ if column.title in NAMING}
    same = {title: texts.pop() for title, texts in said.items() if len(texts) == 1}
    caption = (
        f"{'; '.join(f'{title} {text}' for title, text in same.items())}. {CAPTION}" if same else CAPTION
    )
    return caption, View([column for column in TO_READ if column.title not in same], found)


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
    if not found:
        return section
    section.paragraphs.append(
        "What the records are consistent with, in the order of the stages; an audit of this experiment, not its causes."
    )
    for stage in experiment.stages.all():
        read = _readings(stage.name, [one for one in found if one.stage == stage.name])
        section.items += read or [f"{stage.name}: no rule found anything."]
    section.items += _readings("The evaluations", [one for one in found if not one.stage])
    return section


def _readings(place: str, found: Sequence[Finding]) -> list[str]:
    """One line for each thing that is read into a stage, with the conditions and seeds it is read from."""
    read: dict[tuple[str, str], list[Finding]] = {}
    for one in found:
        read.setdefault((one.reading, one.not_shown), []).append(replace(one, stage=""))
    lines = []
    for (reading, not_shown), several in read.items():
        whose = FindingGroup(tuple(several)).where
        what = "; ".join(dict.fromkeys(one.headline for one in several))
        lines.append(f"{place}{f' ({whose})' if whose else ''}: {what}. {reading} {not_shown}")
    return lines


def next_steps(table: StageTable, found: Sequence[Finding]) -> list[Section]:
    """What follows for the question that was asked, then the hypotheses, in order."""
    question = Section("Next steps for this question", items=[*question_steps.after_verdict(table)])
    question.items += question_steps.advised(table.experiment, found)
    return [question, _hypotheses(table.experiment, found)]


def _hypotheses(experiment: Experiment, found: Sequence[Finding]) -> Section:
    """Every hypothesis, of imported numbers those alone that findings point to; the one that this experiment tries is gone on with."""
    own = experiment.recipe.get("name")
    section = Section("Next steps, in order")
    steps = [step for step in rules.next_steps(found) if step.because or not experiment.imported]
    choices = gallery.shipped(step.hypothesis.recipe for step in steps)
    for place, step in enumerate(steps, 1):
        one = step.hypothesis
        how = "go on with this one" if one.recipe == own else f"mulberry launch {one.recipe}"
        name = f"({place}) Hypothesis {one.letter}, {one.title} ({how})"
        because = [f"Because: {'; '.join(step.because)}."] if step.because else []
        section.items.append(
            ListItem(
                f"{name}: {' '.join(step.texts)}" if step.texts else name,
                (*because, *_what_it_takes(one, choices[one.recipe])),
            )
        )
    if steps:
        section.paragraphs.append(_order(sum(bool(step.because) for step in steps), len(steps)))
    return section


def _order(pointed_to: int, every: int) -> str:
    """Why the hypotheses stand as they do."""
    said = []
    if pointed_to:
        said.append(f"The worst findings decide the order, then the priorities of {PROGRAMME}.")
    if pointed_to < every:
        which = f"the hypotheses from ({pointed_to + 1}) on" if pointed_to else "any of these hypotheses"
        said.append(
            f"No finding points to {which}; they stand in the order of {PROGRAMME if not pointed_to else 'that report'}."
        )
    return " ".join([*said, "None of these is shown to help."])


def _what_it_takes(one: Hypothesis, choice: gallery.GalleryRecipe) -> list[str]:
    """Why, with what, at which cost, and what decides; times and the rule are those of its recipe."""
    recipe = choice.recipe
    sizes = [f"scale={size.name} {duration(size.cost.seconds)}" for size in choice.sizes[1:]]
    smaller = f"; smaller: {', '.join(sizes)}" if sizes else ""
    return [
        f"Rationale: {one.rationale}",
        f"Options: {one.options}{_other_recipes(one)}",
        f"Effort: {one.effort}, {one.effort_reason}.",
        f"Risk: {one.risk}",
        f"Takes: {choice.full.cost.described}{smaller}.",
        f"Decision rule: {question_steps.decision_rule(recipe.primary, recipe.alpha, len(recipe.seeds), recipe.go_threshold)}.",
    ]


def _other_recipes(one: Hypothesis) -> str:
    """Recipes that try a part of it, by name and title."""
    named = [f"{name} ({recipes.shipped(name)['title']})" for name in one.other_recipes]
    return f" Recipes beside {one.recipe}: {', '.join(named)}." if named else ""
