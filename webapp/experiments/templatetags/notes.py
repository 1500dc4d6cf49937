"""Notes in templates."""

from django import template
from django.utils.safestring import SafeString

from webapp.experiments import notes

register = template.Library()


@register.filter
def markdown(text: str) -> SafeString:
    """Markdown as HTML, in which nothing of the text is HTML by itself."""
    return notes.rendered(text)
