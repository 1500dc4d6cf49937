"""How the results pages write differences, and draw one interval."""

from django import template

from webapp.results import wording
from webapp.results.diagnosis.finding import figure
from webapp.results.statistics import Interval

register = template.Library()
register.filter("points", wording.points)
register.filter("points_interval", wording.points_interval)
register.filter("p_value", wording.p_value)


@register.filter
def in_percent(share: float | None, digits: int = 1) -> str:
    """A share for a column whose header says %: 0.768 → 76.8; nothing known → –."""
    return "–" if share is None else f"{100 * share:.{digits}f}"


@register.filter
def brief(value: float | None) -> str:
    """Three significant digits with a real minus; nothing known → –."""
    return "–" if value is None else figure(value)


@register.filter
def share_interval(interval: Interval) -> str:
    """An interval of a proportion in percent: '73.3–80.0'."""
    return f"{100 * interval.low:.1f}–{100 * interval.high:.1f}"


@register.inclusion_tag("results/_forest.html")
def forest(delta: float, interval: Interval | None, reach: float) -> dict[str, float | None]:
    """A difference and its interval on a scale from −reach to +reach, 0 in the middle of 100 units."""

    def x(value: float) -> float:
        return round(50 + 48 * max(-1.0, min(1.0, value / reach)), 2) if reach else 50.0

    return {
        "delta": x(delta),
        "low": x(interval.low) if interval else None,
        "high": x(interval.high) if interval else None,
    }
