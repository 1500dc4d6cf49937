"""The report's prediction beside its outcome: what can be computed is held against what was measured, the words stand beside it."""

from dataclasses import dataclass
from itertools import zip_longest
from statistics import fmean

from webapp.comparison.cells import (
    Comparison,
    MeansComparison,
    SeedsComparison,
    UnpairedComparison,
    graded_alike,
)
from webapp.comparison.decisions import decisions
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.stage_rows import StageRow
from webapp.comparison.table import StageTable
from webapp.files.number_text import percent, percent_of_level, points, points_interval
from webapp.files.table import Column, View
from webapp.reports.sections import Section
from webapp.runs.models import State
from webapp.statistics.intervals import Interval
from webapp.statistics.proportions import wilson
from webapp.statistics.seeds import over_seeds

HELD = "held"
MAY_HOLD = "may hold"
NOT_HELD = "not held"
OPEN = "not decided"
CAPTION = (
    "Not held: the interval of what was measured leaves the predicted number out; may hold: it has it; held: it has it, and a "
    "difference in its direction is shown"
)


@dataclass(frozen=True)
class Predicted:
    """One thing that was fixed at launch, and what came of it."""

    what: str
    predicted: str
    outcome: str
    held: str


def _held(predicted: float, interval: Interval | None, *, difference: bool = False) -> str:
    """Where the predicted number lies to the interval of the measured one; None: there is none yet."""
    if interval is None:
        return OPEN
    if not interval.low <= predicted <= interval.high:
        return NOT_HELD
    return HELD if difference and interval.excludes_zero() else MAY_HOLD


def predicted(table: StageTable) -> list[Predicted]:
    """Each number of the recipe that was predicted, beside the measured one; none of published numbers."""
    return [] if table.imported else [*_accuracies(table), *_threshold(table)]


def prediction(table: StageTable) -> Section:
    """The author's words, and each number of the recipe that was predicted beside the measured one."""
    experiment, section = table.experiment, Section("Prediction and outcome")
    lines = predicted(table)
    if experiment.prediction:
        section.paragraphs.append(f"Predicted at launch: {experiment.prediction}")
    if not section.paragraphs and not lines:
        return section
    asked = [
        " ".join(filter(None, (one.headline, one.numbers)))
        for one in verdict_sentences(table)
        if one.role == "primary"
    ]
    if asked:
        section.paragraphs.append(f"Outcome of the planned question: {' '.join(asked)}")
    if lines:
        columns = [
            Column("", "text", "Predicted of", value="what"),
            Column("", "text", "Prediction", value="predicted"),
            Column("", "text", "Outcome", value="outcome"),
            Column("", "text", "Held", value="held"),
        ]
        section.tables.append((CAPTION, View(columns, lines)))
    elif experiment.prediction:
        section.paragraphs.append(
            "The recipe predicts no number (expected_accuracy, go_threshold), so whether these words held is not computed."
        )
    return section


def _accuracies(table: StageTable) -> list[Predicted]:
    """Expected accuracies after the last stages, the baseline's first, and their differences."""
    expected = [float(one) for one in table.experiment.recipe.get("expected_accuracy", [])]
    question = table.roles.question
    about_it = table.benchmark == question.benchmark and table.metric.name == "accuracy"
    if not expected or not about_it:
        return []
    of = dict(zip_longest(table.conditions, expected[: len(table.conditions)], fillvalue=expected[-1]))
    rows = [row for row in table.rows if row.last]
    found = [
        _accuracy(table, row, position, of[name])
        for row in rows
        for position, name in enumerate(table.conditions)
    ]
    found += [
        _difference(table, row, position, of[name] - of[table.baseline])
        for row in rows
        for position, name in enumerate(table.others)
    ]
    return found


def _accuracy(table: StageTable, row: StageRow, position: int, expected: float) -> Predicted:
    """Of the planned seeds; open while one is to come, as a difference is, and where different graders counted."""
    planned = table.roles.question.decide(len(row.seeds))
    every = [seed.cells[position] for seed in row.seeds[:planned]]
    cells = [cell for cell in every if cell.complete]
    waits = any(not (cell.complete or cell.empty or cell.state == State.CANCELLED) for cell in every)
    what, text = f"{table.conditions[position]} after {row.stage}", percent(expected)
    counted = [(cell.result.count("correct"), cell.result.problems) for cell in cells]
    if not counted or any(right is None for right, _ in counted):
        return Predicted(what, text, "not finished", OPEN)
    if not graded_alike(cells):
        return Predicted(what, text, "seeds of different graders are not taken together", OPEN)
    rates = [(right or 0) / problems for right, problems in counted]
    if len(rates) == 1:
        interval: Interval | None = wilson(counted[0][0] or 0, counted[0][1])
    else:
        interval = over_seeds(rates).interval
    seeds = f", mean over {len(rates)} seeds" if len(rates) > 1 else ""
    ends = (
        f", 95 % interval {percent(max(0.0, interval.low))} to {percent(interval.high)}" if interval else ""
    )
    outcome = f"{percent(fmean(rates))}{seeds}{ends}{', interim' if waits else ''}"
    return Predicted(what, text, outcome, _held(expected, None if waits else interval))


def _difference(table: StageTable, row: StageRow, position: int, expected: float) -> Predicted:
    found = row.over_seeds[position] if table.several_seeds else row.seeds[0].comparisons[position]
    what = f"{table.others[position]} minus {table.baseline} after {row.stage}"
    text = f"{points(expected)} points"
    if not isinstance(found, Comparison | MeansComparison | UnpairedComparison | SeedsComparison):
        return Predicted(what, text, "not compared", OPEN)
    interim = isinstance(found, SeedsComparison) and found.interim
    level = percent_of_level(found.family.level)
    ends = f", {level} interval {points_interval(found.interval)}" if found.interval else ""
    outcome = f"{points(found.delta)} points{ends}{', interim' if interim else ''}"
    held = _held(expected, None if interim else found.interval, difference=expected != 0)
    return Predicted(what, text, outcome, held)


def _threshold(table: StageTable) -> list[Predicted]:
    """The decision rule that was fixed at launch."""
    threshold = table.experiment.recipe.get("go_threshold")
    return [
        Predicted(
            "Decision rule",
            f"go above {points(threshold)} points",
            one.headline,
            f"{one.word}{', at most suggestive' if one.suggestive else ''}",
        )
        for one in decisions(table)
    ]
