"""One look for every table that is described by columns: the tag `table` draws it, from the columns that files have too."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from webapp.files.number_text import UNBROKEN
from webapp.files.table import Column, View

register = template.Library()


class Heading(NamedTuple):
    """A cell above a column, or above several."""

    column: Column
    text: str
    css: str
    columns: int = 1
    lines: int = 1
    term: str = ""  # of the glossary, where it stands for the first time


class TableCell(NamedTuple):
    """A cell of a row."""

    css: str
    html: str
    card: str = ""  # what it is called on a phone, where a row is a card

    @property
    def attributes(self) -> SafeString:
        """Those that are not empty, each with a space before it."""
        every = {"class": self.css, "data-label": self.card}
        return format_html_join("", ' {}="{}"', ((name, value) for name, value in every.items() if value))


@register.inclusion_tag("_table.html", takes_context=True)
def table(context: template.Context, view: View, *, as_text: bool = False, **named: Any) -> dict[str, Any]:
    """A view as a table in a frame that scrolls; `as_text`: as in a file. `named`: what else _table.html takes."""
    css = [_css(column, place, as_text) for place, column in enumerate(view.columns)]
    lines = []
    for row in view.rows:
        cells = [
            TableCell(
                of,
                column.text(row) if as_text else _rendered(context, column, row),
                "" if as_text else column.card,
            )
            for of, column in zip(css, view.columns, strict=True)
        ]
        lines.append(("" if as_text else view.css(row), cells))
    texts = [column.title if as_text else column.heading_text for column in view.columns]
    terms = [column.term for column in view.columns]
    firsts = ["" if as_text or term in terms[:place] else term for place, term in enumerate(terms)]
    named_columns = zip(view.columns, texts, css, firsts, strict=True)
    head = _head(
        [Heading(column, text, looks, term=term) for column, text, looks, term in named_columns], as_text
    )
    return {"head": head, "lines": lines, "as_text": as_text, "css": "numbers", **named}


def _css(column: Column, place: int, as_text: bool) -> str:
    words = "text" if column.is_words and (place or as_text) else ""
    looks = ("wraps" if column.css == "interval" else "") if as_text else column.css
    return f"{words} {looks}".strip()


def _head(single: Sequence[Heading], as_text: bool) -> list[Sequence[Heading]]:
    """One line of headings, or two where columns have one in common."""
    if as_text or not any(one.column.group for one in single):
        return [single]
    first: list[Heading] = []
    for group, several in groupby(single, key=lambda one: one.column.group):
        inside = list(several)
        whole = Heading(inside[0].column, group, "condition spanning", columns=len(inside))
        first += [whole] if group else [one._replace(lines=2) for one in inside]
    return [first, [one for one in single if one.column.group]]


def _rendered(context: template.Context, column: Column, row: Any) -> str:
    value = column.of(row)
    if column.template:
        assert context.template is not None
        with context.push(row=row, value=value, text="–" if value is None else column.write(value)):
            return context.template.engine.get_template(column.template).render(context)
    if value is None:
        return "–"
    html = column.write(value).removesuffix(f"{UNBROKEN}{column.unit}")
    if column.element:
        html = format_html("<{0}>{1}</{0}>", column.element, html)
    if column.link:
        html = format_html('<a href="{}">{}</a>', column.link(row), html)
    note = column.note(row) if column.note else ""
    return format_html('{} <span class="small muted">{}</span>', html, note) if note else html
