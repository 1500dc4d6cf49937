"""A comparison's table as a report shows it: narrow enough that its verdicts are in sight on a page, and with all they say."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from webapp.comparison.columns import INTERVAL, NEW_PROBLEMS, VERDICT, interval_text
from webapp.comparison.sentences.wording import difference_interval, side
from webapp.comparison.table import StageTable
from webapp.files.number_text import percent_of_level
from webapp.files.table import Column, View


def verdict_first(table: StageTable, view: View) -> View:
    """The verdict right after the difference, with its direction and limits; intervals for new problems in a column of their own.

    The level stands in the interval's heading where all rows have the same one. A row without a comparison says why.
    """
    columns = list(view.columns)
    titles = [column.title for column in columns]
    if VERDICT not in titles or INTERVAL not in titles:
        return view
    interval, verdict = columns[titles.index(INTERVAL)], columns[titles.index(VERDICT)]
    found = [one for row in view.rows if (one := interval.of(row)) is not None]
    levels = {one.family.level for one in found}
    shared = f"{percent_of_level(next(iter(levels)))} " if len(levels) == 1 else ""
    metric, digits = table.metric, table.digits
    places = [
        replace(verdict, write=partial(_said, table, verdict), value=lambda row: row),
        replace(
            interval,
            title=f"{shared}{INTERVAL}",
            write=partial(
                interval_text, metric=metric, digits=digits, with_level=not shared, with_new_problems=False
            ),
        ),
    ]
    if any(one.new_problems for one in found):
        places.append(_new_problems(interval, partial(difference_interval, metric=metric, digits=digits)))
    before = titles.index(INTERVAL)
    rest = [column for column in columns[before + 1 :] if column is not verdict]
    return replace(view, columns=[*columns[:before], *places, *rest])


def _said(table: StageTable, verdict: Column, row: Any) -> str:
    """'ahead, these problems only (primary)'; where nothing is compared, why not."""
    one = verdict.of(row)
    if one is None:
        return "" if table.imported else str(row.missing)
    text = verdict.write(one)
    word = getattr(one, "verdict", None)
    if word is None:
        return text
    limit = ", these problems only" if one.not_for_new_problems else ""
    return text.replace(word.word, f"{side(one, table) or word.word}{limit}", 1)


def _new_problems(interval: Column, write: Callable[[Any], str]) -> Column:
    def of(row: Any) -> Any:
        one = interval.of(row)
        return one.new_problems.interval if one is not None and one.new_problems else None

    return replace(interval, title=NEW_PROBLEMS, write=write, value=of)
