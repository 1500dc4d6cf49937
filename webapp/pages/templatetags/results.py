"""How the results pages write differences and completions, and draw one interval."""

from collections.abc import Sequence

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from webapp.comparison.cells import Comparison
from webapp.comparison.checkpoints import Across
from webapp.comparison.problems.completion_changes import CompletionChange, CompletionPart
from webapp.comparison.sentences import wording
from webapp.comparison.sentences.no_new_problems import why_none
from webapp.comparison.sentences.verdict_columns import in_columns
from webapp.comparison.table import StageTable
from webapp.comparison.tables.checkpoint_tables import CheckpointLine
from webapp.diagnosis.finding import Severity
from webapp.diagnosis.grouping import FindingGroup
from webapp.diagnosis.trying import to_try
from webapp.files import number_text
from webapp.pages import flips
from webapp.pages.written_text import written
from webapp.statistics.intervals import Interval

NOTES_FOLD = 3  # findings that are only notes fold into a line from so many on

register = template.Library()
register.filter("points", number_text.points)
register.filter("points_interval", number_text.points_interval)
register.filter("percent_of_level", number_text.percent_of_level)
register.filter("p_value", number_text.p_value)
register.filter("to_try", to_try)
register.filter("in_columns", in_columns)
register.filter("why_not_for_new_problems", why_none)


@register.filter
def in_unit(of: float, table: StageTable) -> str:
    """A value of the table's metric for a column whose header says its unit."""
    return wording.value(of, table.metric, table.digits).removesuffix(f"{number_text.UNBROKEN}%")


@register.filter
def both_ends(interval: Interval, table: StageTable) -> str:
    """An interval of such a value."""
    if table.metric.kind == "mean":
        return "–".join(wording.value(end, table.metric) for end in interval)
    return share_interval(interval)


@register.filter
def difference(of: float, table: StageTable) -> str:
    """A difference in the unit of the table's metric."""
    return wording.difference(of, table.metric, table.digits)


@register.filter
def differences(interval: Interval, table: StageTable) -> str:
    """An interval of a difference in the unit of the table's metric."""
    return wording.difference_interval(interval, table.metric, table.digits)


@register.filter
def unsigned(of: float, table: StageTable) -> str:
    """A difference without its sign."""
    return difference(of, table).lstrip("+−")


register.filter("side", wording.side)


@register.filter
def share_interval(interval: Interval) -> str:
    """An interval of a proportion in percent: '73.3–80.0'."""
    return f"{100 * interval.low:.1f}–{100 * interval.high:.1f}"


@register.filter
def to_read_first(findings: Sequence[FindingGroup]) -> list[FindingGroup]:
    """Those that a page shows at once: all but the notes, and these too where they are few."""
    first = [one for one in findings if one.severity > Severity.INFO]
    return first if len(findings) - len(first) >= NOTES_FOLD else list(findings)


@register.filter
def notes_folded(findings: Sequence[FindingGroup]) -> list[FindingGroup]:
    """The others, which are only notes."""
    return list(findings)[len(to_read_first(findings)) :]


@register.inclusion_tag("results/_forest.html")
def forest(delta: float, interval: Interval | None, reach: float) -> dict[str, float | bool | None]:
    """A difference and its interval on a scale from −reach to +reach, 0 in the middle of 100 units; what goes on has an arrowhead."""

    def x(value: float) -> float:
        return round(50 + 48 * max(-1.0, min(1.0, value / reach)), 2) if reach else 50.0

    return {
        "delta": x(delta),
        "low": x(interval.low) if interval else None,
        "high": x(interval.high) if interval else None,
        "past_low": interval is not None and interval.low < -reach,
        "past_high": interval is not None and interval.high > reach,
        "delta_shown": abs(delta) <= reach,
    }


@register.filter
def changes_marked(change: CompletionChange) -> SafeString:
    """A completion with what changed since the stage before, and with its final answer in a frame."""
    return mark_safe("".join(_part(one) for one in change.parts))  # noqa: S308 - each part is escaped


def _part(part: CompletionPart) -> SafeString:
    text = written(part.text)
    if part.final:
        text = format_html('<span class="final">{}</span>', text)
    if not part.change:
        return text
    return format_html("<del>{}</del>" if part.change == "removed" else "<ins>{}</ins>", text)


@register.simple_tag
def checkpoint_flips_url(table: Across, line: CheckpointLine, kind: str) -> str:
    """The same of two chosen checkpoints, which are of one experiment and seed."""
    first, second = ((run.condition.name, run.stage.name) for run in (line.first.run, line.pick.run))
    name, seed = line.pick.experiment.name, line.pick.run.seed
    return flips.pair_address(name, table.benchmark, table.metric.name, seed, first, second, kind)


@register.simple_tag
def flips_url(table: StageTable, one: Comparison, kind: str) -> str:
    """The page of the problems that a comparison of the stage table counts as gained, or as lost."""
    return flips.address(table, one.stage, one.condition, one.seed, kind)


@register.filter
def in_two_lines(number: str) -> str:
    """A number, and what stands in brackets behind it below: '79.0 % (474/600)'."""
    first, bracket, rest = number.partition(" (")
    return format_html('{} <span class="block small muted">({}</span>', first, rest) if bracket else number
