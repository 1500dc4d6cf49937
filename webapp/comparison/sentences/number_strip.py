"""The numbers of a verdict, one by one, for a line that wraps between them."""

from collections.abc import Sequence

from webapp.comparison.cells import Comparison, MeansComparison, SeedsComparison, UnpairedComparison
from webapp.comparison.sentences.wording import difference, difference_interval
from webapp.comparison.table import StageTable
from webapp.files.number_text import p_value, percent_of_level

Numbers = tuple[tuple[str, str], ...]  # what each is, and the number; what it is may be empty
ONLY_THESE = "these problems only"  # beside a verdict that is not shown for new problems
DISAGREES = "interval disagrees"  # beside a verdict whose test is not of its interval's opinion
Shown = Comparison | MeansComparison | UnpairedComparison | SeedsComparison


def number_strip(one: Shown, table: StageTable, reached: Sequence[tuple[str, str]] = ()) -> Numbers:
    """The difference, its interval and test, what it rests on, its interval for new problems; then what each side `reached`."""
    metric, level = table.metric, percent_of_level(one.family.level)
    found = [("Δ", f"{difference(one.delta, metric, table.digits)} {metric.unit}")]
    if one.interval is not None:
        found.append((f"{level} interval", difference_interval(one.interval, metric, table.digits)))
    elif isinstance(one, SeedsComparison):
        within = difference_interval(one.within, metric, table.digits)
        found.append((f"each seed’s {level} interval within", within))
    if one.p is not None:
        found.append(("p", p_value(one.p)))
        if one.family.tests > 1 and one.adjusted_p is not None:
            found.append(("adjusted p", p_value(one.adjusted_p)))
    found += [("n", _problems(one)), ("", _seeds(one))]
    if (new := one.new_problems) is not None:
        ends = difference_interval(new.interval, metric, table.digits)
        kind = table.clusters if new.clusters else "problems"
        found.append((f"for new {kind}", f"{ends} (p {p_value(new.p)})"))
    return (*found, *reached)


def scope(one: Shown) -> str:
    """A tag for a verdict that is not shown for other problems than were asked, or near the border of its test; else empty."""
    tags = ((ONLY_THESE, one.not_for_new_problems), (DISAGREES, one.disagrees))
    return ", ".join(tag for tag, holds in tags if holds)


def _problems(one: Shown) -> str:
    return one.sizes if isinstance(one, UnpairedComparison) else f"{one.problems:,}"


def _seeds(one: Shown) -> str:
    if isinstance(one, UnpairedComparison):
        return "1 run per condition"
    if not isinstance(one, SeedsComparison):
        return "1 seed"
    return f"{len(one.seeds)} of {one.planned} seeds" if one.interim else f"{len(one.seeds)} seeds"
