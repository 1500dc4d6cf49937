"""Filters that write figures, times and texts as a person reads them."""

from datetime import datetime, timedelta

from django import template
from django.utils import timezone

register = template.Library()
RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@register.filter
def thousands(value: float | None) -> str:
    """12345 → 12,345."""
    return "–" if value is None else f"{value:,.0f}"


@register.filter
def percent(share: float | None, digits: int = 1) -> str:
    """0.768 → 76.8 %; nothing known → –."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


@register.filter
def signed(value: float | None, digits: int = 2) -> str:
    """0.5 → +0.50, −0.5 → −0.50 (with a real minus), what rounds to nothing → 0.00."""
    if value is None:
        return "–"
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


@register.filter
def figure(value: float | None) -> str:
    """Four significant digits, whatever the size."""
    return "–" if value is None else f"{value:.4g}".replace("-", "−")


@register.filter
def duration(seconds: float | timedelta | None) -> str:
    """75 → 1 min 15 s; 4000 → 1 h 7 min; a thousand years stay years."""
    if seconds is None:
        return "–"
    left = round(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
    if left < 60:
        return f"{max(left, 0)} s"
    if left < 600:
        return f"{left // 60} min {left % 60} s"
    if left < 3600:
        return f"{round(left / 60)} min"
    if left < 48 * 3600:
        return f"{left // 3600} h {left % 3600 // 60} min"
    if left < 100 * 86400:
        return f"{left // 86400} d {left % 86400 // 3600} h"
    years = left / (365.25 * 86400)
    return (
        f"{left // 86400} d" if years < 2 else f"{years:.1f} years" if years < 10 else f"{years:,.0f} years"
    )


@register.filter
def ago(at: datetime | None) -> str:
    """How long before now."""
    return "–" if at is None else f"{duration(timezone.now() - at)} ago"


@register.filter
def clock(at: datetime, seconds: bool = False) -> str:
    """14:32 of today, else with the day: 27 Nov 14:32; and its seconds."""
    time = f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    return time if at.date() == timezone.now().date() else f"{at.day} {at:%b} {time}"


@register.filter
def size(count: int | None) -> str:
    """Bytes in units of 1,000."""
    if count is None:
        return "–"
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


@register.filter
def short(count: float | None) -> str:
    """Large counts in words: 9999745024 → 10.0 B, 82000000 → 82.0 M, 7473 → 7,473; nothing → –."""
    if not count:
        return "–"
    for unit, least in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
        if count >= least * 0.9995:
            return f"{count / least:,.1f} {unit}"
    return f"{count:,.0f}"


@register.filter
def power_of_ten(value: float) -> str:
    """7.47e18 → 7.5 × 10¹⁸."""
    factor, exponent = f"{value:.1e}".split("e")
    return f"{factor} × 10{str(int(exponent)).translate(RAISED)}"


@register.filter
def lower_bool(value: object) -> str:
    """A setting's value as a recipe writes it: true, not True."""
    return str(value).lower() if isinstance(value, bool) else str(value)
