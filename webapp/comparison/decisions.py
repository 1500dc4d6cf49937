"""Go or no-go: the interval of a difference against the threshold that was fixed at launch."""

from dataclasses import dataclass
from math import isclose
from typing import Literal

from webapp.comparison.cells import Comparison, SeedsComparison
from webapp.comparison.sentences.wording import few, seed_notes, seen_note
from webapp.comparison.stage_rows import StageRow
from webapp.comparison.table import StageTable
from webapp.files.number_text import percent_of_level, points, points_interval
from webapp.files.table import Statement
from webapp.statistics import power
from webapp.statistics.intervals import Interval

Word = Literal["go", "no-go", "not decided"]


@dataclass(frozen=True)
class Decision(Statement):
    """What the interval of one condition after one last stage allows to decide, and what it would take."""

    word: Word
    suggestive: bool = False  # at most, as the verdict of the same seeds is


def decisions(table: StageTable) -> list[Decision]:
    """One for each last stage and condition; none without a threshold, or where the table is not the one it is about.

    It is about accuracy on all problems of the primary metric against the recipe's first condition, and nothing else.
    """
    recipe = table.experiment.recipe
    threshold = recipe.get("go_threshold")
    about = (table.roles.question.benchmark, "accuracy")
    if threshold is None or (table.benchmark, table.metric.name) != about or table.subset is not None:
        return []
    if table.baseline != recipe["conditions"][0]["name"]:
        return []
    places = [(row, position) for row in table.rows if row.last for position in range(len(table.others))]
    return [_decision(table, row, position, threshold, len(places)) for row, position in places]


def word(interval: Interval, threshold: float) -> Word:
    """Where an interval lies; an end that touches the threshold decides nothing."""
    if interval.low > threshold:
        return "go"
    return "no-go" if interval.high < threshold else "not decided"


def _decision(table: StageTable, row: StageRow, position: int, threshold: float, of: int) -> Decision:
    name, found = table.others[position], _evidence(table, row, position)
    if found is None:
        limits = f"{name} and {table.baseline} need comparable, finished evaluations on {table.benchmark}."
        return Decision(f"Not decided: after {row.stage} there is no pair yet.", "", limits, "not decided")
    if isinstance(found, SeedsComparison):
        mean, interval, kind = found.result.mean, found.result.interval, "t interval over the seeds"
    else:
        mean, interval, kind = found.delta, found.interval, "interval"
    waits = isinstance(found, SeedsComparison) and found.interim
    decided = word(interval, threshold) if interval and not waits else "not decided"
    suggestive = decided != "not decided" and _is_suggestive(found)
    at_most = ", at most suggestive" if suggestive else ""
    where = f"after {row.stage}, {name} minus {table.baseline}"
    headline = {
        "go": f"Go{at_most}: {where} is more than {points(threshold)} points.",
        "no-go": f"No-go{at_most}: {where} is less than {points(threshold)} points.",
        "not decided": f"Not decided: {where} may be more than {points(threshold)} points, or less.",
    }[decided]
    ends = points_interval(interval) if interval else "none, as the seeds show no spread"
    numbers = f"Paired difference {points(mean)} points, {percent_of_level(found.family.level)} {kind} {ends}, against the threshold fixed at launch."
    limits = "" if decided != "not decided" else _more(found, threshold)
    if isinstance(found, SeedsComparison):
        limits += _for_problems(found)
        if waits or found.given_up or few(found):
            limits = " ".join([limits, *seed_notes(found, table.metric, table.alpha)])
    if isinstance(found, Comparison):
        limits += " It is about these checkpoints: one seed does not say how others would turn out."
    limits += seen_note(found)
    if of > found.family.tests:
        limits += f" One of {of} decisions, not adjusted for their number."
    return Decision(headline, numbers, limits.strip(), decided, suggestive)


def _is_suggestive(found: Comparison | SeedsComparison) -> bool:
    """Whether what limits its verdict limits a decision, too: two seeds, one given up, or chosen after seeing."""
    return found.seen or (isinstance(found, SeedsComparison) and (bool(found.given_up) or few(found)))


def _for_problems(found: SeedsComparison) -> str:
    """Which problems its interval is about."""
    if found.interval is None:
        return ""
    these = f" Its interval speaks for these {found.problems:,} problems, which all seeds share"
    if found.new_problems is None:
        return f"{these}."
    return f"{these}; for new problems the interval is {points_interval(found.new_problems.interval)}."


def _evidence(table: StageTable, row: StageRow, position: int) -> Comparison | SeedsComparison | None:
    """What the seeds say together, else the one seed; None while there is nothing to compare."""
    if table.several_seeds:
        return row.over_seeds[position]
    one = row.seeds[0].comparisons[position]
    return one if isinstance(one, Comparison) else None


def _more(found: Comparison | SeedsComparison, threshold: float) -> str:
    """What would decide it, were everything to stay as it is."""
    if isinstance(found, SeedsComparison):
        seeds = power.needed_seeds(found.differences, threshold, found.family.alone)
        if seeds is None:
            return "These seeds do not tell how many more would decide."
        return f"If mean and spread stayed as they are, about {seeds} seeds would decide (80 % power)."
    if isclose(found.delta, threshold, abs_tol=1e-9):
        return "The difference is the threshold itself: if it stayed so, no number of problems would decide."
    discordant = max(found.discordant, abs(threshold), abs(found.delta))
    needed = power.needed_problems(found.delta, discordant, found.family.alone, threshold=threshold)
    more = max(needed - found.counts.problems, 1)
    return (
        f"If the difference and the disagreements stayed as they are, about {more:,} problems more would decide "
        f"({needed:,} in all, 80 % power)."
    )
