"""Notes on an experiment: Markdown without HTML of its own, edited by one person at a time."""

from collections.abc import Sequence
from typing import Any

from django.db.models import F
from django.db.models.functions import Now
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from webapp.experiments.models import Experiment

LONGEST = 100_000  # characters
TOP = 3  # level of a note's first heading: it stands in a section of the page


class StaleNotesError(ValueError):
    """Somebody else saved in the meantime; what is stored stays, and what was entered is not lost."""


class Renderer(RendererHTML):
    """Headings below the page's own, wide tables that scroll by themselves."""

    def heading_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """h1 of a note is an h3 of the page."""
        return f"<h{_level(tokens[idx])}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """As it was opened."""
        return f"</h{_level(tokens[idx])}>\n"

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """In a place of its own that scrolls, by keyboard too."""
        return '<div class="scroll" tabindex="0" role="group" aria-label="Table">\n<table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """As it was opened."""
        return "</table>\n</div>\n"


def _level(heading: Token) -> int:
    return min(int(heading.tag[1]) + TOP - 1, 6)


# "js-default": HTML stays text, and links are to what a browser may open safely. Pictures from elsewhere would tell their
# server who reads, and the page's policy lets none in.
MARKDOWN = MarkdownIt("js-default", renderer_cls=Renderer).disable("image")


def rendered(text: str) -> SafeString:
    """A note as HTML."""
    html: str = MARKDOWN.render(text)
    return mark_safe(html)  # noqa: S308 - markdown-it escapes what is not Markdown


def save(*, experiment: Experiment, text: str, version: int, by: str) -> None:
    """Store what a person made of the notes of that version. Raises StaleNotesError when there is a newer one."""
    text = text.replace("\r\n", "\n").strip()
    if len(text) > LONGEST:
        raise ValueError(
            f"notes have {LONGEST:,} characters at most, not {len(text):,}; put the rest into a file"
        )
    seen = Experiment.objects.filter(pk=experiment.pk, notes_version=version)
    if not seen.update(notes=text, notes_version=F("notes_version") + 1, notes_by=by, notes_at=Now()):
        raise StaleNotesError("somebody saved these notes since you began")
