"""A group as squares, right or wrong."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from webapp.telemetry.models import RolloutGroup

register = template.Library()
SIZES = ((16, ""), (32, "fine"), (64, "finest"))  # up to so many squares, and what makes room for them


@register.filter
def squares(group: RolloutGroup) -> SafeString:
    """A square a rollout, the right ones first and filled; of very many a part. The figures stand beside it."""
    most = SIZES[-1][0]
    shown = min(group.rollouts, most)
    right = round(group.correct * shown / group.rollouts)
    size = next((name for limit, name in SIZES if shown <= limit), "")
    marks = "<i data-right></i>" * right + "<i></i>" * (shown - right)
    return format_html(
        '<span class="squares-row {}" aria-hidden="true">{}</span>',
        size,
        mark_safe(marks),  # noqa: S308 - no text of anybody
    )
