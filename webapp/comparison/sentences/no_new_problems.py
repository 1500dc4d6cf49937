"""Why comparisons have no interval for new problems: of one, and of a whole table."""

from collections.abc import Iterable

from webapp.comparison.cells import SeedsComparison
from webapp.comparison.comparisons import Tested
from webapp.comparison.new_problems import PAIRED
from webapp.comparison.table import StageTable
from webapp.statistics.new_problems import FEWEST_SEEDS


def why_none(one: Tested | SeedsComparison, table: StageTable) -> str:
    """Why a comparison has none."""
    if isinstance(one, SeedsComparison):
        if one.interim:
            return "when all seeds are in"
        if len(one.seeds) < FEWEST_SEEDS:
            return f"from {FEWEST_SEEDS} seeds on"
    if isinstance(one, SeedsComparison) or table.clusters:
        return f"too few {table.clusters or 'problems'} differ"
    return "–"


def none_of_all(found: Iterable[object], table: StageTable) -> str:
    """Why none of a table's comparisons has one, a sentence; empty where one has, and where there is no reason to say."""
    tested = [one for one in found if isinstance(one, PAIRED | SeedsComparison)]
    if any(one.new_problems for one in tested):
        return ""
    reasons = dict.fromkeys(_reason(one, table) for one in tested)
    said = "; ".join(why for why in reasons if why != "–")
    return f"No interval for new problems: {said}." if said else ""


def _reason(one: Tested | SeedsComparison, table: StageTable) -> str:
    why = why_none(one, table)
    later = isinstance(one, SeedsComparison) and why.startswith(("from", "when"))
    return f"over the seeds there is one {why}" if later else why
