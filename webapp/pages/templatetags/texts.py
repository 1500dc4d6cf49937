"""How every page writes the texts of models: prompts, completions, answers."""

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from webapp.files.number_text import UNBROKEN
from webapp.pages.written_text import (
    BRIEF,
    BRIEF_LINES,
    IN_LINE,
    folded,
    placed,
    written,
    written_with_repeats,
)
from webapp.results.models import Outcome
from webapp.telemetry.models import Rollout

register = template.Library()
register.filter("written", written)


@register.filter
def in_sentences(text: str) -> SafeString:
    """Sentences of the dashboard's own that may quote a text: as `written`, but for their own spaces at which no line breaks."""
    return mark_safe(UNBROKEN.join(written(part) for part in text.split(UNBROKEN)))  # noqa: S308 - each part is escaped


@register.simple_tag
def text(row: Rollout | Outcome, field: str, repeats: bool = False, brief: bool = False) -> SafeString:
    """A row's prompt or completion; of a long one the first part, and a link that brings the whole."""
    part = folded(getattr(row, field), *((BRIEF, BRIEF_LINES) if brief else ()))
    shown = (written_with_repeats if repeats else written)(part.text)
    if part.whole:
        return placed(shown)
    more = format_html(
        '<a class="text-more small" href="{whole}" hx-get="{whole}" hx-target="closest .text-place" hx-swap="outerHTML">'
        "Show the whole {field}, {characters} characters</a>",
        whole=reverse("whole_text", args=[row._meta.model_name, row.pk, field]),
        field=field,
        characters=f"{part.characters:,}",
    )
    return placed(shown, more)


@register.filter
def in_line(value: str) -> SafeString:
    """A short text, such as an answer, within a line; a long one is cut, and says so."""
    left = len(value) - IN_LINE
    more = format_html('<span class="muted"> … {} more characters</span>', f"{left:,}") if left > 0 else ""
    return format_html('<bdi class="model-text-line">{}</bdi>{}', written(value[:IN_LINE]), more)
