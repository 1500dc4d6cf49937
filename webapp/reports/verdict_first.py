"""A comparison's table as a report shows it: narrow enough that its verdicts are in sight on a page."""

from dataclasses import replace
from functools import partial

from webapp.comparison.columns import INTERVAL, VERDICT, interval_text
from webapp.comparison.table import StageTable
from webapp.files.number_text import percent_of_level
from webapp.files.table import View


def verdict_first(table: StageTable, view: View) -> View:
    """The verdict right after the difference, and the intervals' level in the heading where all rows have the same one."""
    columns = list(view.columns)
    titles = [column.title for column in columns]
    if VERDICT not in titles or INTERVAL not in titles:
        return view
    place, interval = titles.index(INTERVAL), columns[titles.index(INTERVAL)]
    levels = {one.family.level for row in view.rows if (one := interval.of(row)) is not None}
    if len(levels) == 1:
        columns[place] = replace(
            interval,
            title=f"{percent_of_level(levels.pop())} {INTERVAL}",
            write=partial(interval_text, metric=table.metric, digits=table.digits, with_level=False),
        )
    columns.insert(place, columns.pop(titles.index(VERDICT)))
    return replace(view, columns=columns)
