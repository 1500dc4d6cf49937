"""The annotations of a completion, with the form that adds one."""

from collections.abc import Iterable
from typing import Any

from django import template
from django.template import Context

register = template.Library()


@register.inclusion_tag("annotations/_annotations.html", takes_context=True)
def annotations(context: Context, kind: str, of: Any, beside: Iterable[Any] = ()) -> dict[str, Any]:
    """Labels and comments on a rollout or an outcome, and on those `beside` that are the same.

    The page has read them into `annotated` of its context, by annotating.of_each().
    """
    known = context.get("annotated") or {}
    ids = dict.fromkeys([of.pk, *(one.pk for one in beside)])
    return {
        "kind": kind,
        "of": of.pk,
        "annotations": [one for pk in ids for one in known.get(pk, [])],
        "user": context.get("user"),
        "csrf_token": context.get("csrf_token"),
    }
