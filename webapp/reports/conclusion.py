"""The report's conclusion: what every condition reached, what the data supports and what it does not, each line computed."""

from collections.abc import Iterator
from statistics import fmean

from webapp.comparison.cells import Cell, Refusal, graded_alike
from webapp.comparison.decisions import decisions
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.sentences.wording import value
from webapp.comparison.stage_changes import StageChange
from webapp.comparison.table import StageTable
from webapp.files.number_text import p_is, percent_of_level, points, points_interval
from webapp.reports.sections import Section
from webapp.runs.models import in_words


def conclusion(table: StageTable, changes: list[StageChange], unfinished: list[Cell]) -> Section:
    """What the data supports and what it does not, each line computed."""
    said = verdict_sentences(table)
    section = Section("What is supported, and what is not")
    section.items += _levels(table)
    section.items += [one.headline for one in decisions(table)]
    for one in said:
        if one.verdict is not None and one.verdict.positive:
            kind = "Supported" if one.verdict.level == "conditions" else "Shown, for these checkpoints only"
        elif one.verdict is None:
            kind = "Not decided"
        elif one.verdict.word == "not tested":
            kind = "Not tested"
        else:
            kind = "Suggestive" if one.verdict.word == "suggestive" else "Not supported"
        section.items.append(
            f"{kind}, {one.label.lower()}: {one.headline}{f' {one.reach}' if one.reach else ''}"
        )
    if not table.several_seeds:
        section.items.append(
            "One seed compares two checkpoints: whether the conditions differ needs more seeds (3 or more)."
        )
    section.items.extend(_changes(table, changes))
    section.items.extend(_disagreements(table))
    for row in table.rows:
        for seed in row.seeds:
            refusals = [one for one in seed.comparisons if isinstance(one, Refusal)]
            section.items.extend(
                f"Not compared after {one.stage} ({one.condition}): {one.reason}." for one in refusals
            )
    if empty := [cell for cell in table.cells() if cell.empty]:
        names = ", ".join(f"{c.stage} {c.condition} seed {c.seed}" for c in empty)
        section.items.append(f"Asked no problems, so without a result: {names}.")
    if unfinished:
        names = ", ".join(f"{c.stage} {c.condition} seed {c.seed} ({in_words(c.state)})" for c in unfinished)
        section.items.append(f"Not finished: {names}.")
    return section


def _levels(table: StageTable) -> Iterator[str]:
    """What every condition reached in the end: differences do not say how far it is from being of use."""
    for row in table.rows:
        if not row.last:
            continue
        reached = []
        for position, name in enumerate(table.conditions):
            cells = [seed.cells[position] for seed in row.seeds if seed.cells[position].complete]
            if cells and graded_alike(cells):
                mean = value(fmean(cell.rate for cell in cells), table.metric, table.digits)
                reached.append(f"{name} {mean}")
        if reached:
            means = ", means over the finished seeds" if table.several_seeds else ""
            yield f"{table.metric.title} on {table.asked} after {row.stage}: {', '.join(reached)}{means}."


def _changes(table: StageTable, found: list[StageChange]) -> Iterator[str]:
    """What a last stage changed, a line a condition: over several seeds by Student's t on one change a planned seed."""
    level = percent_of_level(1 - table.alpha)
    for change in found:
        first, several = change.gains[0], change.planned > 1
        each = ", ".join(points(one.delta) for one in change.gains)
        seeds = ", ".join(str(one.after.seed) for one in change.gains)
        if not change.together:
            changes = f"{each} points in seeds {seeds}; seeds of different graders are not taken together"
        elif change.reading is None:
            changes = f"{points(first.delta)} points, {level} interval {points_interval(first.interval)}"
            changes += f" in seed {first.after.seed}" if several else ""
        else:
            together = change.reading.result
            changes = f"{each} points in seeds {seeds}; mean {points(together.mean)}"
            if together.interval is None:
                changes += ", the same in every seed, which is not tested"
            else:
                changes += f", {level} t interval {points_interval(together.interval)}"
        if change.new_problems is not None:
            changes += f", for new problems {points_interval(change.new_problems.interval)}"
        changes += f"; {p_is(change.p)}, exploratory and not adjusted" if change.p is not None else ""
        if change.interim:
            verb = "are" if len(change.gains) > 1 else "is"
            changes += f"; {len(change.gains)} of {change.planned} planned seeds {verb} in"
        if change.given_up:
            changes += f"; without seed {', '.join(map(str, change.given_up))} of the plan"
        kind = {
            "shown": f"Shown over {len(change.gains)} seeds"
            if several
            else "Shown, for these checkpoints only",
            "suggestive": f"Suggestive over {len(change.gains)} seeds",
            "interim": "Interim",
            "not shown": "Not shown",
            "not together": "Not tested",
        }[change.word]
        yield (
            f"{kind}: a change of {table.metric.title} by {first.after.stage} after {first.before.stage} "
            f"in {first.after.condition}: {changes}."
        )


def _disagreements(table: StageTable) -> Iterator[str]:
    """Stages after which the seeds do not rank the two conditions the same way."""
    for row in table.rows:
        for together in row.over_seeds:
            if together and min(together.differences) < 0 < max(together.differences):
                signs = ", ".join(points(difference) for difference in together.differences)
                yield (
                    f"After {row.stage} the seeds do not rank {together.condition} and {table.baseline} "
                    f"the same way: {signs} points."
                )
