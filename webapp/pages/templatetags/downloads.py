"""The menu of the formats that a table is downloaded in: one look, wherever a table stands."""

from django import template
from django.urls import reverse

from webapp.files import formats, long_tables
from webapp.reports.report_formats import REPORT_FORMATS

register = template.Library()
FORMATS = {
    "table": {format: file.title for format, file in formats.FORMATS.items()},
    "rows": {
        format: file.title for format, file in long_tables.FORMATS.items()
    },  # streamed, whatever their number
    "report": {format: file.title for format, file in REPORT_FORMATS.items()},
}


@register.inclusion_tag("_downloads.html")
def downloads(
    what: str, kind: str, route: str, *arguments: object, query: str = "", label: str = "Download"
) -> dict[str, object]:
    """A menu of one of FORMATS; the format is the last argument of the route, `query` its query string."""
    tail = f"?{query}" if query else ""
    files = [
        (title, reverse(route, args=[*arguments, format]) + tail) for format, title in FORMATS[kind].items()
    ]
    return {"what": what, "files": files, "label": label}
