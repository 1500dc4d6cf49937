"""The menu of the forms that a table is downloaded in: one look, wherever a table stands."""

from django import template
from django.urls import reverse

from webapp.files import long_tables
from webapp.reports import experiment_tables
from webapp.reports.report_forms import REPORT_FORMS

register = template.Library()
FORMS = {
    "table": {form: file.title for form, file in experiment_tables.FORMS.items()},
    "rows": {form: file.title for form, file in long_tables.FORMS.items()},  # streamed, whatever their number
    "report": {form: file.title for form, file in REPORT_FORMS.items()},
}


@register.inclusion_tag("_downloads.html")
def downloads(
    what: str, forms: str, route: str, *arguments: object, query: str = "", label: str = "Download"
) -> dict[str, object]:
    """A menu of one of FORMS; the form is the last argument of the route, `query` its query string."""
    tail = f"?{query}" if query else ""
    files = [(title, reverse(route, args=[*arguments, form]) + tail) for form, title in FORMS[forms].items()]
    return {"what": what, "files": files, "label": label}
